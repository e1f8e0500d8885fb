"""Membership of rooms in Redis, as leases that expire by themselves when a process dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from redis.asyncio import Redis

LEASE_SECONDS = 420
STEP_SECONDS = 60


class Leases:
    """One sorted set a room: member → second at which its lease ends; and one of rooms that have any.

    Ends fall on whole minutes for everybody, so that two rooms' members cannot be matched by time. A lease
    outlives its process by longer than the lag with which its members are counted at another one.
    """

    def __init__(self, redis: Redis, house: str, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self.key = f"lounge:{house}:here:"
        self._rooms = f"lounge:{house}:rooms"
        self._held: dict[str, dict[bytes, int]] = {}

    async def hold(self, told: Mapping[str, Collection[bytes]]) -> None:
        """Hold leases for just these members of rooms. Raises RedisError."""
        now = int(self._clock())
        until = (now // STEP_SECONDS) * STEP_SECONDS + LEASE_SECONDS
        held = {room: dict.fromkeys(sorted(members), until) for room, members in told.items()}
        pipe = self._redis.pipeline(transaction=False)
        for room in self._held.keys() | held.keys():
            self._settle(pipe, room, self._held.get(room, {}), held.get(room, {}), until)
        if len(pipe):
            pipe.zremrangebyscore(self._rooms, "-inf", now - 1)
            await pipe.execute()
        self._held = held

    async def rooms(self) -> list[str]:
        """The rooms where anybody may be. Raises RedisError."""
        found = await self._redis.zrangebyscore(self._rooms, int(self._clock()), "+inf")
        return [room.decode() for room in found if isinstance(room, bytes)]

    async def counts(self, rooms: Iterable[str]) -> dict[str, int]:
        """How many there are in each of these rooms, over all processes. Raises RedisError."""
        now, names = int(self._clock()), list(rooms)
        pipe = self._redis.pipeline(transaction=False)
        for room in names:
            pipe.zcount(self.key + room, now, "+inf")
        return dict(zip(names, await pipe.execute(), strict=True))

    def _settle(
        self,
        pipe: Redis,
        room: str,
        before: Mapping[bytes, int],
        after: Mapping[bytes, int],
        until: int,
    ) -> None:
        gone = [member for member in before if member not in after]
        news = {member: end for member, end in after.items() if before.get(member) != end}
        if gone:
            pipe.zrem(self.key + room, *gone)
        if news:
            pipe.zadd(self.key + room, news)
            pipe.zremrangebyscore(self.key + room, "-inf", int(self._clock()) - 1)
            pipe.expire(self.key + room, LEASE_SECONDS + STEP_SECONDS)
            pipe.zadd(self._rooms, {room: until})
