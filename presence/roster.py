"""How many people are in each room, over all processes, without knowing who.

Members are opaque bytes that mean nothing outside their room. Counts leave here only as bands.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from presence.leases import Leases

log = structlog.get_logger()

BOUNDS = (0, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Band:
    """At least `min` people, at most `max`; no `max` means no upper bound."""

    min: int
    max: int | None


def band(people: int) -> Band:
    """The band that a count is shown as: 0, 1-2, 3-5, 6-10, 11-20, 21-50, 51-100, 101 and more."""
    lower = 0
    for upper in BOUNDS:
        if people <= upper:
            return Band(lower, upper)
        lower = upper + 1
    return Band(lower, None)


class Roster:
    """Counts members here at once, and those of other processes at every tick."""

    def __init__(
        self,
        leases: Leases,
        interest: Callable[[], Iterable[str]],
        changed: Callable[[Mapping[str, Band]], None],
    ) -> None:
        self._leases = leases
        self._interest = interest
        self._changed = changed
        self._here: dict[str, Counter[bytes]] = defaultdict(Counter)
        self._everywhere: dict[str, int] = {}
        self._shown: dict[str, Band] = {}

    def enter(self, room: str, member: bytes) -> None:
        """One more connection of this member is in the room."""
        self._here[room][member] += 1

    def leave(self, room: str, member: bytes) -> None:
        """One connection of this member less; a second tab keeps the member there."""
        members = self._here[room]
        members[member] -= 1
        if members[member] <= 0:
            del members[member]
        if not members:
            del self._here[room]

    def present(self, room: str) -> Band:
        """The band as last shown; as known here and now for a room that nobody was seen in yet."""
        shown = self._shown.get(room)
        return shown if shown is not None and shown.min else band(self._count(room))

    async def tick(self) -> None:
        """Renew what is here, read what is everywhere, tell of bands that changed."""
        rooms = set(self._interest()) | set(self._here)
        try:
            self._everywhere = await self._leases.exchange(
                {room: tuple(members) for room, members in self._here.items()}, rooms
            )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("presence counts only this process", fault=type(error).__name__)
            self._everywhere = {}
        bands = {room: band(self._count(room)) for room in rooms}
        news = {room: new for room, new in bands.items() if self._shown.get(room) != new}
        self._shown = bands
        if news:
            self._changed(news)

    def _count(self, room: str) -> int:
        here = self._here.get(room)
        return max(len(here) if here else 0, self._everywhere.get(room, 0))
