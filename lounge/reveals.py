"""Mutual reveal: two of one thread tell each other their real names, both or neither.

An offer is kept as a keyed hash of who offers and to whom, for a week: nobody reads in it who they are.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from lounge.belongings import Belongings
from lounge.clock import now_ms
from lounge.conversation import Conversation, Plan, Seat
from lounge.errors import Code, Refusal
from lounge.faces import face_of
from lounge.keys import Keys
from lounge.limits import CHANGES, Limits
from lounge.notices import letter
from lounge.personas import Face, Personas, by, decode_badge, wire_id
from storage import entries, personas
from storage.acts import Letter, Outcome
from storage.database import Database

OFFERED_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class _Two:
    """One who reveals herself, by her newest say in the thread; and the other, by the say she answers to."""

    seq: int
    own: bytes
    others_seq: int
    other: bytes
    others_face: Face | None


class Reveals:
    """Offers of names. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        personas: Personas,
        belongings: Belongings,
        limits: Limits,
        keys: Keys,
        doctor_ids: Callable[[], Awaitable[list[str]]],
        real_name: Callable[[str], Awaitable[str]],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._personas = personas
        self._belongings = belongings
        self._limits = limits
        self._keys = keys
        self._doctor_ids = doctor_ids
        self._real_name = real_name
        self._clock = clock
        self._key = keys.persona.subkey("reveal")

    async def offer(self, seat: Seat, seq: int, cid: str) -> Outcome:
        """Offer one's real name to whoever said that; where she has offered hers, both are told.

        The answer is the same whether she is told, has left, or ignores who offers.
        """
        request = self._conversation.request(seat, cid, "reveal", seq)
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        self._conversation.may_act(seat)
        self._conversation.may_be_heard(seat)
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        return await self._conversation.planned(seat, request, lambda: self._plan(seat, seq))

    async def _plan(self, seat: Seat, seq: int) -> Plan:
        two, now = await self._two(seat, seq), self._clock()
        mine = self._id(two.own, two.other)
        theirs = [self._id(two.other, each) for each in seat.dress.ids]
        async with self._database.reading() as connection:
            standing = await personas.open_offers(connection, [mine, *theirs], now)
        doctor_ids = await self._doctor_ids()
        owner = await self._personas.owner(two.other, seat.home, doctor_ids, two.others_face)
        if owner and (back := standing.intersection(theirs)):
            taken = personas.take_offer(min(back), now)
            return Plan(None, (taken,), letters=await self._names(seat, two, owner))
        steps = personas.put_offer(self._database.is_sqlite, mine, now + OFFERED_MS, now)
        if owner is None or mine in standing or await self._ignores(owner, seat):
            return Plan(None, tuple(steps))
        return Plan(None, tuple(steps), letters=(await self._invitation(seat, two, owner),))

    async def _two(self, seat: Seat, seq: int) -> _Two:
        ids = seat.dress.ids
        async with self._database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
            is_case = was is not None and was.kind == "consult.open"
            if was is None or not (is_case or was.kind == "say") or was.is_gone or not was.persona:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            if was.persona in ids:
                raise Refusal(Code.INVALID, "refusal.reveal_self", field="seq")
            thread = None if seat.is_of_two or is_case else {seq, was.target or seq}
            own = await personas.last_in_thread(connection, seat.number, thread, ids)
        if own is None:
            raise Refusal(Code.FORBIDDEN, "refusal.reveal_thread")
        return _Two(*own, seq, was.persona, face_of(was.shown))

    async def _names(self, seat: Seat, two: _Two, owner: str) -> tuple[Letter, ...]:
        doctor_id = seat.guest.doctor.id
        told = {"notice": "revealed", "about": seat.room.id}
        to_me = {**told, "target": two.others_seq, "name": await self._real_name(owner)}
        to_her = {**told, "target": two.seq, "name": await self._real_name(doctor_id)}
        return (letter(self._keys, doctor_id, to_me), letter(self._keys, owner, to_her))

    async def _invitation(self, seat: Seat, two: _Two, owner: str) -> Letter:
        async with self._database.reading() as connection:
            row = (await personas.shown(connection, [two.own]))[two.own]
        me = by(two.own, row.face, decode_badge(row.badge), row.name)
        notice = {
            "notice": "reveal_offered",
            "about": seat.room.id,
            "target": two.seq,
            "by": msgspec.to_builtins(me),
        }
        return letter(self._keys, owner, notice)

    async def _ignores(self, owner: str, seat: Seat) -> bool:
        ignored = (await self._belongings.of(owner)).ignored(seat.home)
        return any(wire_id(each) in ignored for each in seat.dress.ids)

    def _id(self, one: bytes, other: bytes) -> bytes:
        return hmac.digest(self._key, one + other, hashlib.sha256)[:16]
