"""Hints between processes, over Redis pub/sub: what was committed, in which room.

A hint is never the truth and never on the way of an answer: losing, doubling or reordering it costs a
read of the log. One channel a room, `lounge:<house>:room:<name>`; every process of a house listens to
the pattern. Houses that share a Redis hear nothing of each other, for channels know no database number.

A subscription can be lost in silence, so each process also says something to itself every second, on
`lounge:<house>:canary:<its own>`, and begins anew when it hears nothing of it.

What is true only for a moment goes over `lounge:<house>:signal`: heard now or never, and kept nowhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from channels.hint import Hint, joined, pack, unpack
from channels.outbox import Outbox
from channels.seal import Refused, Seal

__all__ = ["Bus", "Hint"]

log = structlog.get_logger()

PUBLISH_SECONDS = 0.25
RETRY_SECONDS = 0.5
SUBSCRIBE_SECONDS = 3.0
CANARY_SECONDS = 1.0
CANARIES = 3
SIGNALS = 200
REFUSED_LOG_SECONDS = 60.0

_AWAY = (RedisError, OSError, TimeoutError)


class Bus:
    """Publishes this process's hints and hears those of the others. `hear` and `resumed` never block.

    Nobody waits for it, and it raises nothing that Redis or what lies on it could cause.
    """

    def __init__(
        self,
        redis: Redis,
        house: str,
        key: bytes,
        hear: Callable[[Hint], None],
        resumed: Callable[[], None],
        signalled: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """`key` of 32 bytes, the same in all processes of the house.

        `resumed` is called each time the subscription stands anew, the first time too: hints may have
        been missed before. `signalled` hears what others gave to `signal`.
        """
        self._redis = redis
        self._hear = hear
        self._resumed = resumed
        self._outbox = Outbox()
        self._seal = Seal(key)
        self._canary = Seal(key)
        self._aside = Seal(key)
        self._hear_signal = signalled
        self._signals: deque[bytes] = deque(maxlen=SIGNALS)
        self._is_signalled = asyncio.Event()
        self.channel = f"lounge:{house}:room:"
        self.signal_channel = f"lounge:{house}:signal"
        self.canary_channel = f"lounge:{house}:canary:{self._canary.origin.hex()}"
        self._stands = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self._canaries_heard = 0
        self._canaries_silent = 0
        self._has_stood = False
        self._is_loss_told = False
        self._quiet_until = 0.0
        self.is_up = False
        """Whether the subscription stands and the last canary was heard."""
        self.dropped = 0
        """Hints that lost their entries because too much waited, or that were not published at all."""
        self.refused = 0
        """Messages heard that were forged, malformed, too large, too late or repeated."""
        self.canaries_missed = 0
        """Seconds in which a subscription that should stand brought no canary."""
        self.resubscribed = 0
        """How often the subscription was made again after the first time."""

    def publish(self, hint: Hint) -> None:
        """Queue a hint. When too much waits, the oldest lose their entries, then their place."""
        self.dropped += self._outbox.put(hint)

    def signal(self, body: bytes) -> None:
        """Tell the other processes what is true only now. Lost while Redis is away; the oldest go first."""
        if self.is_up:
            self._signals.append(body)
            self._is_signalled.set()

    async def run(self) -> None:
        """Publish and listen for ever, whatever Redis does."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_all())
            tasks.create_task(self._signal_all())
            tasks.create_task(self._listen())
            tasks.create_task(self._watch())

    # -- publishing ------------------------------------------------------------------------------

    async def _publish_all(self) -> None:
        while True:
            hints = await self._outbox.take()
            messages = [(self.channel + hint.room, pack(hint)) for hint in joined(hints)]
            if not await self._published(self._seal, messages):
                self.dropped += len(hints)
                await asyncio.sleep(RETRY_SECONDS)

    async def _signal_all(self) -> None:
        while True:
            await self._is_signalled.wait()
            self._is_signalled.clear()
            messages = [(self.signal_channel, body) for body in self._signals]
            self._signals.clear()
            await self._published(self._aside, messages)

    async def _published(self, seal: Seal, messages: list[tuple[str, bytes]]) -> bool:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                pipe = self._redis.pipeline(transaction=False)
                for channel, body in messages:
                    pipe.publish(channel, seal.close(channel.encode(), body))
                await pipe.execute()
        except _AWAY:
            return False
        return True

    # -- listening -------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(push_handler_func=_unchanged) as subscription:
                    await self._follow(subscription)
            except _AWAY as error:
                self._lost(type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, subscription: PubSub) -> None:
        """Hear everything. Raises TimeoutError when there is no patience left, and what redis-py does."""
        patterns = (self.channel + "*", self.canary_channel, self.signal_channel)
        async with asyncio.timeout(SUBSCRIBE_SECONDS) as self._patience:
            try:
                await subscription.psubscribe(*patterns)
                async for message in subscription.listen():
                    if message["type"] == "pmessage":
                        self._take(message["channel"], message["data"])
                    elif message["type"] == "psubscribe" and message["data"] == len(patterns):
                        self._begin()  # comes again when redis-py has quietly connected anew
            finally:
                self._stands.clear()
                self._patience = None
                self.is_up = False

    def _begin(self) -> None:
        self.resubscribed += self._has_stood
        self._has_stood = True
        self._canaries_silent = 0
        self._stands.set()
        self._wait_until(None)
        self._resumed()

    def _wait_until(self, moment: float | None) -> None:
        """How long the subscription still has: for ever, or until that moment of the loop's clock."""
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(moment)

    def _take(self, channel: bytes, sealed: bytes) -> None:
        try:
            if channel == self.canary_channel.encode():
                self._take_canary(channel, sealed)
            elif channel == self.signal_channel.encode():
                self._take_signal(channel, sealed)
            else:
                self._take_hint(channel, sealed)
        except (Refused, msgspec.DecodeError, UnicodeError) as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - one message must not cost the others
            self._refuse(error, exc_info=True)

    def _take_hint(self, channel: bytes, sealed: bytes) -> None:
        opened = self._seal.open(channel, sealed)
        if opened.origin != self._seal.origin:
            room = channel.decode().removeprefix(self.channel)
            self._hear(unpack(room, opened.body))

    def _take_signal(self, channel: bytes, sealed: bytes) -> None:
        opened = self._aside.open(channel, sealed)
        if opened.origin != self._aside.origin:
            self._hear_signal(opened.body)

    def _refuse(self, error: Exception, exc_info: bool = False) -> None:
        """Count it; at most once a minute say so, and never what it held."""
        self.refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + REFUSED_LOG_SECONDS
            why = error.why if isinstance(error, Refused) else type(error).__name__
            log.warning("hint refused", why=why, refused=self.refused, exc_info=exc_info)

    # -- the canary ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await self._stands.wait()
            heard = self._canaries_heard
            canary = [(self.canary_channel, b"")]
            await asyncio.gather(
                self._published(self._canary, canary), asyncio.sleep(CANARY_SECONDS)
            )
            if self._canaries_heard == heard and self._stands.is_set():
                self._miss()

    def _miss(self) -> None:
        self.canaries_missed += 1
        self._canaries_silent += 1
        self._lost("silence")
        if self._canaries_silent >= CANARIES:
            self._stands.clear()
            self._wait_until(asyncio.get_running_loop().time())

    def _take_canary(self, channel: bytes, sealed: bytes) -> None:
        self._canary.open(channel, sealed)
        self._canaries_heard += 1
        self._canaries_silent = 0
        self._is_loss_told = False
        self.is_up = True

    def _lost(self, why: str) -> None:
        """Say so once, however long it lasts."""
        self.is_up = False
        if not self._is_loss_told:
            self._is_loss_told = True
            log.warning("bus lost", fault=why)


async def _unchanged(push: Any) -> Any:
    """In the place of redis-py's own, which first writes every message out for a log that is off."""
    return push
