"""News of rooms: how far each has come and how many are there, told every two seconds to who cares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from lounge.events import Present, optional
from presence.bands import ROUND_SECONDS
from presence.board import Board
from presence.leases import Leases
from presence.roster import Band, Roster


@dataclass(frozen=True, slots=True)
class Standing:
    """A room's newest seq and how many says it has had."""

    seq: int = 0
    says: int = 0


class Listener(Protocol):
    """A connection that shows rooms."""

    def rooms(self) -> Iterable[str]:
        """The rooms it shows, joined or not."""
        ...

    def hear(self, moved: Set[str], bands: Set[str]) -> None:
        """These rooms have new entries; these have another band."""
        ...


class News:
    """Knows the head of every room that was ever spoken in, from commits, hints and polls."""

    def __init__(self, leases: Leases, board: Board) -> None:
        self.roster = Roster(leases, board, self._bands_changed)
        self.listeners: set[Listener] = set()
        self._heads: dict[str, Standing] = {}
        self._interest: Set[str] = frozenset()
        self._moved: set[str] = set()
        self._lately: set[str] = set()
        self._bands: set[str] = set()

    def standing(self, room: str) -> Standing:
        """Where the room stands, as far as this process knows."""
        return self._heads.get(room, _NOWHERE)

    def note(self, room: str, seq: int, says: int) -> None:
        """A room has come as far as that."""
        if seq > self.standing(room).seq:
            self._heads[room] = Standing(seq, says)
            self._moved.add(room)

    def present(self, room: str) -> Present:
        """How many are there, as the band that everybody is shown: in frames, lists and answers alike."""
        band = self.roster.present(room)
        return Present(min=band.min, max=optional(band.max))

    def moved_lately(self) -> Set[str]:
        """The rooms that have moved since `take_moved` was last called."""
        return self._lately | self._moved

    def take_moved(self) -> Set[str]:
        """The same, for the one who counts by the minute."""
        moved, self._lately = self.moved_lately(), set()
        return moved

    def give_back(self, rooms: Set[str]) -> None:
        """They could not be counted: they are among the next."""
        self._lately |= rooms

    def interest(self) -> Set[str]:
        """The rooms that somebody here showed when it was last looked."""
        return self._interest

    def look(self) -> Set[str]:
        """Go round all listeners: once a tick, for it costs a little for each."""
        self._interest = {room for listener in self.listeners for room in listener.rooms()}
        return self._interest

    async def run(self) -> None:
        """Count, and tell, for ever."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """One round: counts and bands of all processes, then tell every listener once."""
        self.look()
        await self.roster.tick()
        moved, bands = self._moved, self._bands
        self._lately |= moved
        self._moved, self._bands = set(), set()
        if moved or bands:
            for listener in list(self.listeners):
                listener.hear(moved, bands)

    def _bands_changed(self, bands: Mapping[str, Band]) -> None:
        self._bands.update(bands)


_NOWHERE = Standing()
