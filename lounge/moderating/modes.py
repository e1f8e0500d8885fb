"""How rooms stand: slow, frozen, and what is pinned in them. In memory, read at every poll and heard at once.

What binds exactly, over all processes, is the guard that an act carries: how long ago she last spoke.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.ring import Item
from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.events import Mode
from storage import moderating
from storage.acts import Step
from storage.database import Database
from storage.moderating import RoomMode

_MARK = b'{"kind":"mod.'
"""How the JSON of what moderators do begins: the tag is written first."""


class _Heard(msgspec.Struct, frozen=True, tag_field="kind"):
    """An event, as far as modes are concerned."""


class _ModeHeard(_Heard, frozen=True, tag="mod.mode"):
    mode: Mode


class _PinHeard(_Heard, frozen=True, tag="mod.pin"):
    target: int
    on: bool


class _HideHeard(_Heard, frozen=True, tag="mod.hide"):
    target: int


class _CloseHeard(_Heard, frozen=True, tag="mod.close"):
    pass


_Any = _ModeHeard | _PinHeard | _HideHeard | _CloseHeard


class Modes:
    """Of every room that a moderator ever set; any other is neither slow nor frozen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._modes: dict[str, RoomMode] = {}
        self._heard: dict[str, int] = {}
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._decode = msgspec.json.Decoder(_Any)

    def of(self, room_id: str) -> RoomMode:
        """How a room stands, as far as is known here."""
        return self._modes.get(room_id, _PLAIN)

    def wire(self, room_id: str) -> Mode:
        """The same as the wire has it."""
        stands = self.of(room_id)
        return Mode(stands.slow, stands.frozen)

    async def read(self, connection: AsyncConnection) -> None:
        """In a poll's own snapshot; what was heard of later stands. May raise SQLAlchemyError."""
        found = await moderating.modes(connection)
        news = {
            slug: (number, mode)
            for slug, (number, mode) in found.items()
            if mode.moded != self.of(slug).moded and mode.moded >= self._heard.get(slug, 0)
        }
        if news:
            pins = await moderating.pins(connection, [number for number, _ in news.values()])
            for slug, (number, mode) in news.items():
                # unless more was heard while the pins were read
                if mode.moded >= self._heard.get(slug, 0):
                    self._modes[slug] = replace(mode, pins=pins.get(number, ()))

    def hear(self, room_id: str, items: Sequence[Item]) -> None:
        """Just committed, here or elsewhere: in force now. The next reading makes it sure."""
        for item in items:
            if item.payload.startswith(_MARK):
                self._take(room_id, item)

    def may_add(self, room_id: str) -> None:
        """Raises Refusal `frozen`."""
        if self.of(room_id).frozen:
            raise Refusal(Code.FROZEN, "refusal.room_frozen")

    def turn(self, doctor_id: str, room_id: str) -> AbstractAsyncContextManager[None]:
        """Where it is slow, for one say of hers at a time: acts of one batch do not see each other."""
        if not self.of(room_id).slow:
            return nullcontext()
        return self._turns.setdefault((doctor_id, room_id), asyncio.Lock())

    async def paced(
        self, room_id: str, room_number: int, ids: Collection[bytes]
    ) -> tuple[Step, ...]:
        """For a say of one of these personas: the guard that she waited. Raises Refusal `slow_mode` else.

        May raise StorageError; where the room is not slow, nothing is read.
        """
        slow = self.of(room_id).slow
        if not slow:
            return ()
        since = now_ms() - slow * 1000
        async with self._database.reading() as connection:
            last = await moderating.last_say(connection, room_number, ids, since)
        if last is not None:
            wait = max(1, math.ceil((last - since) / 1000))
            raise Refusal(Code.SLOW_MODE, "refusal.slow_mode", retry_after=wait, seconds=slow)
        return (moderating.said_nothing(room_number, ids, since),)

    # -- privates --------------------------------------------------------------------------------

    def _take(self, room_id: str, item: Item) -> None:
        try:
            heard = self._decode.decode(item.payload)
        except msgspec.ValidationError:  # of another kind: nothing to do with modes
            return
        was = self.of(room_id)
        now = _after(was, heard)
        if now != was:
            self._modes[room_id] = now
            self._heard[room_id] = item.seq


def _after(was: RoomMode, heard: _Any) -> RoomMode:
    if isinstance(heard, _ModeHeard):
        return replace(was, slow=heard.mode.slow, frozen=heard.mode.frozen)
    if isinstance(heard, _CloseHeard):
        return replace(was, frozen=True)
    kept = tuple(each for each in was.pins if each != heard.target)
    if isinstance(heard, _PinHeard) and heard.on:
        return replace(was, pins=(*kept, heard.target))
    return replace(was, pins=kept)


_PLAIN = RoomMode()
