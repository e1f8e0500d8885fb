"""The last hour of every room by the minute, as the store has it: read whole once, then only what is new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from storage import pulse

MINUTES = 60
"""With the one that still runs."""
_AT_ONCE = 3
LATE_MINUTES = 2
"""So much later a process may still write what it counted."""


class Hour:
    """Says by the minute, what was held, what was let pass. Read by one reader at a time."""

    def __init__(self) -> None:
        self._now: int | None = None
        self._ends: dict[str, dict[int, int]] = defaultdict(dict)
        self._before: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._noted: dict[str, dict[int, pulse.Noted]] = defaultdict(dict)
        self._past: dict[str, tuple[int, ...]] = {}

    def rooms(self) -> Collection[str]:
        """Those of which there is anything."""
        return {*self._ends, *self._noted}

    def past(self, room: str) -> tuple[int, ...]:
        """Says in the minutes that are over, the newest last; () when there were none."""
        return self._past.get(room, ())

    def running(self, room: str, says: int) -> int:
        """Of so many says, those of the minute that runs."""
        return max(0, says - self._last.get(room, says))

    def held(self, room: str) -> int:
        return sum(each.held for each in self._noted.get(room, {}).values())

    def waived(self, room: str) -> int:
        return sum(each.waived for each in self._noted.get(room, {}).values())

    async def read(self, connection: AsyncConnection, now: int, rooms: Iterable[str]) -> None:
        """`now`: the minute that runs. Of `rooms` it is known from then on where they stood before."""
        first, is_next = now - MINUTES + 1, now != self._now
        since = first if self._now is None else max(first, self._now - LATE_MINUTES)
        if is_next:
            await self._read_ends(connection, since, now)
        await self._note(connection, since if is_next else now - 1)
        unknown = {*rooms, *self._ends} - self._before.keys()
        if unknown:
            found = await pulse.last_ends(connection, first, unknown)
            self._before.update({room: found.get(room, 0) for room in unknown})
        if unknown or is_next:
            self._forget(first)
            self._count(first, now)
        self._now = now

    async def _read_ends(self, connection: AsyncConnection, since: int, now: int) -> None:
        """A few minutes at a time: a whole hour of all rooms at once would keep others waiting."""
        for minute in range(since, now, _AT_ONCE):
            for end in await pulse.ends(connection, minute, min(now, minute + _AT_ONCE)):
                self._ends[end.room].setdefault(end.minute, end.says)

    async def _note(self, connection: AsyncConnection, since: int) -> None:
        for each in await pulse.noted(connection, since):
            self._noted[each.room][each.minute] = each

    def _forget(self, first: int) -> None:
        for room, ends in list(self._ends.items()):
            old = [minute for minute in ends if minute < first]
            for minute in old:
                self._before[room] = max(self._before.get(room, 0), ends.pop(minute))
            if not ends:
                del self._ends[room]
        for room, noted in list(self._noted.items()):
            for minute in [minute for minute in noted if minute < first]:
                del noted[minute]
            if not noted:
                del self._noted[room]

    def _count(self, first: int, now: int) -> None:
        self._past = {room: self._counted(room, first, now) for room in self._ends}
        self._last = self._before | {room: max(ends.values()) for room, ends in self._ends.items()}

    def _counted(self, room: str, first: int, now: int) -> tuple[int, ...]:
        says, counts = self._before[room], []
        for minute in range(first, now):
            end = self._ends[room].get(minute, says)
            counts.append(max(0, end - says))
            says = max(says, end)
        return tuple(counts)
