"""Hints between processes, over Redis pub/sub: what was committed, in which room.

A hint is never the truth and never on the way of an answer: losing, doubling or reordering it costs a
read of the log. One channel a room, `lounge:<house>:room:<name>`; every process of a house listens to
the pattern. Houses that share a Redis hear nothing of each other, for channels know no database number.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from channels.ring import Item

log = structlog.get_logger()

QUEUED_HINTS = 1000
PUBLISH_SECONDS = 0.25
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Hint:
    """A room's new head, its running count, and the newest entries as far as the sender had them."""

    room: str
    head: int
    count: int
    items: tuple[Item, ...] = ()


class Bus:
    """Publishes this process's hints and hears those of the others. `hear` and `resumed` never block."""

    def __init__(
        self, redis: Redis, house: str, hear: Callable[[Hint], None], resumed: Callable[[], None]
    ) -> None:
        self._redis = redis
        self.channel = f"lounge:{house}:room:"
        self._hear = hear
        self._resumed = resumed
        self._origin = secrets.token_bytes(8)
        self._queue: deque[Hint] = deque()
        self._wake = asyncio.Event()
        self.dropped = 0
        """Hints that were not published, because too many waited or Redis did not answer."""
        self.is_up = False
        """Whether the subscription stands."""

    def publish(self, hint: Hint) -> None:
        """Queue a hint; the oldest leaves when too many wait."""
        if len(self._queue) >= QUEUED_HINTS:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(hint)
        self._wake.set()

    async def run(self) -> None:
        """Publish and listen for ever, whatever Redis does."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_all())
            tasks.create_task(self._listen())

    async def _publish_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            hints = list(self._queue)
            self._queue.clear()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    pipe = self._redis.pipeline(transaction=False)
                    for hint in _joined(hints):
                        pipe.publish(self.channel + hint.room, self._packed(hint))
                    await pipe.execute()
            except (RedisError, OSError, TimeoutError):
                self.dropped += len(hints)
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.psubscribe(self.channel + "*")
                    self.is_up = True
                    self._resumed()
                    async for message in subscription.listen():
                        self._receive(message["channel"], message["data"])
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("bus lost", fault=type(error).__name__)
            self.is_up = False
            await asyncio.sleep(RETRY_SECONDS)

    def _receive(self, channel: bytes, data: bytes) -> None:
        try:
            origin, head, count, rows = _PACKED.decode(data)
            room = channel.decode().removeprefix(self.channel)
        except (msgspec.DecodeError, UnicodeError):
            log.warning("hint not understood")
            return
        if origin != self._origin:
            self._hear(Hint(room, head, count, tuple(Item(*row) for row in rows)))

    def _packed(self, hint: Hint) -> bytes:
        rows = [(i.seq, i.id, i.count, i.payload, i.about, i.rewrites) for i in hint.items]
        return msgspec.msgpack.encode((self._origin, hint.head, hint.count, rows))


def _joined(hints: Sequence[Hint]) -> list[Hint]:
    """One hint a room, however many acts were committed in it meanwhile."""
    rooms: dict[str, list[Hint]] = {}
    for hint in hints:
        rooms.setdefault(hint.room, []).append(hint)
    return [
        Hint(name, group[-1].head, group[-1].count, tuple(i for h in group for i in h.items))
        for name, group in rooms.items()
    ]


_Row = tuple[int, str, int, bytes, int | None, bool]
_PACKED = msgspec.msgpack.Decoder(tuple[bytes, int, int, list[_Row]])
