"""Membership of rooms in Redis, as leases that expire by themselves when a process dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from redis.asyncio import Redis

LEASE_SECONDS = 45
STEP_SECONDS = 15
EXCHANGE_SECONDS = 1.0


class Leases:
    """One sorted set a room: member → second at which its lease ends.

    Ends fall on whole steps of 15 s for everybody, so that two rooms' members cannot be matched by time.
    """

    def __init__(self, redis: Redis, house: str) -> None:
        self._redis = redis
        self.key = f"lounge:{house}:here:"
        self._held: dict[str, dict[bytes, int]] = {}

    async def exchange(
        self, here: Mapping[str, Sequence[bytes]], rooms: Iterable[str]
    ) -> dict[str, int]:
        """Hold leases for just these members, and count everybody's in these rooms. Raises RedisError."""
        now = int(time.time())
        until = (now // STEP_SECONDS) * STEP_SECONDS + LEASE_SECONDS
        held = {room: dict.fromkeys(members, until) for room, members in here.items()}
        names = list(rooms)
        async with asyncio.timeout(EXCHANGE_SECONDS):
            pipe = self._redis.pipeline(transaction=False)
            for room in self._held.keys() | held.keys():
                self._settle(pipe, room, self._held.get(room, {}), held.get(room, {}))
            for room in names:
                pipe.zcount(self.key + room, now, "+inf")
            answers = await pipe.execute()
        self._held = held
        return dict(zip(names, answers[len(answers) - len(names) :], strict=True))

    def _settle(
        self, pipe: Redis, room: str, before: Mapping[bytes, int], after: Mapping[bytes, int]
    ) -> None:
        gone = [member for member in before if member not in after]
        news = {member: end for member, end in after.items() if before.get(member) != end}
        if gone:
            pipe.zrem(self.key + room, *gone)
        if news:
            pipe.zadd(self.key + room, news)
            pipe.zremrangebyscore(self.key + room, "-inf", int(time.time()) - 1)
            pipe.expire(self.key + room, LEASE_SECONDS + STEP_SECONDS)
