"""How many people are in each room, over all processes, without knowing who.

Members are opaque bytes that mean nothing outside their room. Counts leave here only as bands, and those as
`presence/bands.py` moves them: the same on every process, and nobody's coming or going can be read there.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from random import SystemRandom

import structlog
from redis.exceptions import RedisError

from presence.bands import LOWEST, Band, Held, moved
from presence.board import Board
from presence.lag import Lag
from presence.leases import Leases

__all__ = ["Band", "Roster"]

log = structlog.get_logger()

EXCHANGE_SECONDS = 1.0
_uniform = SystemRandom().uniform


class Roster:
    """Counts members, and shows bands. Without Redis the bands stand still.

    `changed` hears of rooms with another band. `clock` is the time of day in seconds, `uniform(a, b)` draws.
    """

    def __init__(
        self,
        leases: Leases,
        board: Board,
        changed: Callable[[Mapping[str, Band]], None],
        *,
        clock: Callable[[], float] = time.time,
        uniform: Callable[[float, float], float] = _uniform,
    ) -> None:
        self._leases = leases
        self._board = board
        self._changed = changed
        self._clock = clock
        self._uniform = uniform
        self._here: dict[str, Counter[bytes]] = defaultdict(Counter)
        self._lag = Lag(clock, uniform)
        self._shown: dict[str, Held] = {}

    def enter(self, room: str, member: bytes) -> None:
        """One more connection of this member is in the room."""
        self._here[room][member] += 1
        if self._here[room][member] == 1:
            self._lag.changed(room, member)

    def leave(self, room: str, member: bytes) -> None:
        """One connection of this member less; a second tab keeps the member there."""
        members = self._here[room]
        members[member] -= 1
        if members[member] <= 0:
            del members[member]
            self._lag.changed(room, member)
        if not members:
            del self._here[room]

    def present(self, room: str) -> Band:
        """The band as it is shown now, to everybody and everywhere."""
        return self._shown.get(room, LOWEST).band

    async def tick(self) -> None:
        """Renew what is here, move the bands if it is for this process to do, show what is on the board."""
        self._lag.settle(self._here)
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                await self._leases.hold(self._lag.told)
                shown = await self._on_the_board()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("presence stands still", fault=type(error).__name__)
            return
        self._show(shown)

    async def _on_the_board(self) -> dict[str, Held]:
        is_ours, known = await self._board.look()
        shown = self._shown if known is None else known
        if not is_ours:
            return shown
        now, shown = self._clock(), dict(shown)
        counts = await self._leases.counts({*await self._leases.rooms(), *shown})
        after = {
            room: moved(shown.get(room, LOWEST), people, now, self._uniform)
            for room, people in counts.items()
        }
        low = [room for room, held in after.items() if held.level == 0 and held.until <= now]
        kept = {room: held for room, held in after.items() if room not in low}
        await self._board.put(
            {room: held for room, held in kept.items() if known is None or known.get(room) != held}
        )
        await self._board.forget([room for room in low if room in shown])
        return kept

    def _show(self, shown: dict[str, Held]) -> None:
        rooms = shown.keys() | self._shown.keys()
        news = {room: shown.get(room, LOWEST).band for room in rooms}
        news = {room: band for room, band in news.items() if self.present(room) != band}
        self._shown = dict(shown)
        if news:
            self._changed(news)
