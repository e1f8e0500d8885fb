"""The bands that are shown: one board for all processes of a house, in Redis.

If each process drew its own, whoever connects to two of them would see two draws. So one moves the bands and
all show what the board says. Who moves it is whoever took its turn; that ends by itself when a process dies.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from redis.asyncio import Redis

from presence.bands import BANDS, Held

TURN_SECONDS = 10
KEPT_SECONDS = 3_600
_MARK = b"-"  # so that a board that was lost is told from one on which every room is low


class Board:
    """What every process shows. Every method may raise RedisError."""

    def __init__(self, redis: Redis, house: str) -> None:
        self._redis = redis
        self._key = f"lounge:{house}:bands"
        self._turn = f"lounge:{house}:bands:turn"
        self._name = secrets.token_hex(8).encode()

    async def look(self) -> tuple[bool, dict[str, Held] | None]:
        """Whether it is for this process to move the bands, and what is shown; None: that was lost."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(self._turn, self._name, nx=True, ex=TURN_SECONDS)
        pipe.get(self._turn)
        pipe.hgetall(self._key)
        _, turn, shown = await pipe.execute()
        if _MARK not in shown:
            return turn == self._name, None
        return turn == self._name, {k.decode(): _read(v) for k, v in shown.items() if k != _MARK}

    async def put(self, changed: Mapping[str, Held]) -> None:
        """Show these bands, and keep the turn."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(self._key, _MARK, b"")
        for room, held in changed.items():
            pipe.hset(self._key, room, f"{held.level} {held.until:.1f}")
        pipe.expire(self._key, KEPT_SECONDS)
        pipe.expire(self._turn, TURN_SECONDS)
        await pipe.execute()

    async def forget(self, rooms: list[str]) -> None:
        """Rooms of the lowest band need not be on the board."""
        if rooms:
            await self._redis.hdel(self._key, *rooms)


def _read(value: bytes) -> Held:
    level, _, until = value.partition(b" ")
    return Held(min(max(int(level), 0), len(BANDS) - 1), float(until))
