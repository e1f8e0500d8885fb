"""When others hear that somebody came or went: later, by a time of its own for each room and member.

Whoever enters five rooms at once does so, as far as anybody who reads Redis can see, at five moments that
have nothing to do with each other. Whoever goes and comes back meanwhile was never away.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping

LAG_SECONDS = 300.0

Place = tuple[str, bytes]
"""A room and a member of it."""


class Lag:
    """Follows who is here. `clock` is in seconds, `uniform(a, b)` draws."""

    def __init__(
        self, clock: Callable[[], float], uniform: Callable[[float, float], float]
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._due: list[tuple[float, Place]] = []
        self._waiting: set[Place] = set()
        self.told: dict[str, set[bytes]] = {}
        """Who is told of as being here."""

    def changed(self, room: str, member: bytes) -> None:
        """The member has come or gone; at most one look at each is waiting."""
        place = room, member
        if place not in self._waiting:
            self._waiting.add(place)
            heapq.heappush(self._due, (self._clock() + self._uniform(0, LAG_SECONDS), place))

    def settle(self, here: Mapping[str, Collection[bytes]]) -> None:
        """Look at each whose time has come: is she here now?"""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, place = heapq.heappop(self._due)
            self._waiting.discard(place)
            room, member = place
            self._tell(room, member, member in here.get(room, ()))

    def _tell(self, room: str, member: bytes, is_here: bool) -> None:
        if is_here:
            self.told.setdefault(room, set()).add(member)
            return
        members = self.told.get(room, set())
        members.discard(member)
        if not members:
            self.told.pop(room, None)
