"""How long after its commit an entry is with everybody, while Redis is well, ill, dead or lying.

Two `lounge serve` on PostgreSQL share one Valkey that this run harms.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import redis.asyncio

from tests.scale.client import Client, until
from tests.scale.house import Backend, open_server, stores
from tests.scale.line import Frame
from tests.scale.report import Figure, Report, Table, percentile
from tests.scale.words import mark, words
from web.valkey import EmbeddedValkey

BACKENDS: tuple[Backend, ...] = ("postgres",)
CLIENTS = 40
ROOMS = 4
PAUSE_SECONDS = 0.02
LATEST_SECONDS = 10.0
WITH_REDIS_MS, WITHOUT_REDIS_MS = 150.0, 1_500.0


@dataclass(slots=True)
class Said:
    """One message: monotonic seconds of saying, of the answer, and of each hearing."""

    at: float
    answered: float | None = None
    heard: list[float] = field(default_factory=list)

    def delays_ms(self) -> list[float]:
        """From the first proof of the commit, an answer or a hearing, to each hearing."""
        proofs = [*self.heard, *([self.answered] if self.answered else [])]
        return [(each - min(proofs)) * 1000 for each in self.heard]

    def whole_ms(self) -> list[float]:
        return [(each - self.at) * 1000 for each in self.heard]


class Talk:
    """40 doctors in four rooms, half on each server, who say 50 messages a second in turn."""

    def __init__(self, tokens: list[str]) -> None:
        rooms = [f"bench/{1 + (n // 2) % ROOMS}" for n in range(len(tokens))]
        self.clients = [
            Client(token, room, ear=self._hear) for token, room in zip(tokens, rooms, strict=True)
        ]
        self.said: dict[str, Said] = {}
        self.refused: list[str] = []
        self.lost = 0

    async def speak(self) -> None:
        """One after the other, on time, whatever the answers."""
        began, n = monotonic(), 0
        while True:
            self._say(self.clients[n % len(self.clients)])
            n += 1
            await asyncio.sleep(max(0, began + n * PAUSE_SECONDS - monotonic()))

    async def settled(self) -> int:
        """Waits for what is on its way; returns the deliveries that did not come."""
        await until(lambda: not self._missing(), LATEST_SECONDS)
        return self._missing()

    def begin(self) -> None:
        """Forget what was said."""
        self.said, self.refused, self.lost = {}, [], 0

    def _say(self, client: Client) -> None:
        text = f"{mark()} {words(200)}"
        said = self.said[text] = Said(monotonic())

        def answered(future: asyncio.Future[Frame | None]) -> None:
            answer = future.result()
            if answer is None:
                self.lost += 1
            elif answer.op == "ok":
                said.answered = monotonic()
            else:
                self.refused.append(str(answer.code))

        client.say(text).add_done_callback(answered)

    def _hear(self, _: Client, event: Frame) -> None:
        if (said := self.said.get(event.text)) is not None:
            said.heard.append(monotonic())

    def _missing(self) -> int:
        each = len(self.clients) // ROOMS
        return sum(each - len(said.heard) for said in self.said.values())


@dataclass(frozen=True, slots=True)
class Phase:
    """What is done to Redis, for how long, and what is promised of it: percentile and ms."""

    name: str
    harm: Callable[[Redis], Awaitable[None]]
    share: float
    most_ms: float


class Redis:
    """The Valkey that both servers share, and what is done to it."""

    def __init__(self, valkey: EmbeddedValkey, admin: redis.asyncio.Redis) -> None:
        self._valkey = valkey
        self._admin = admin

    async def well(self) -> None:
        await asyncio.sleep(10)

    async def stopped(self) -> None:
        pid = await self._pid()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(10)
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(2)

    async def killed(self) -> None:
        os.kill(await self._pid(), signal.SIGKILL)
        await self._valkey.ended()
        await asyncio.sleep(4)
        await self._valkey.start()
        await asyncio.sleep(4)

    async def flushed(self) -> None:
        await self._often("FLUSHALL")

    async def cut(self) -> None:
        await self._often("CLIENT", "KILL", "TYPE", "pubsub")

    async def deaf(self) -> None:
        """Every hint is refused: nothing that is published reaches anybody."""
        await self._does("ACL", "SETUSER", "default", "-publish", "-spublish")
        await asyncio.sleep(8)
        await self._does("ACL", "SETUSER", "default", "+publish", "+spublish")

    async def _often(self, *command: str) -> None:
        for _ in range(12):
            await self._does(*command)
            await asyncio.sleep(0.5)

    async def _does(self, *command: str) -> None:
        await self._admin.execute_command(*command)  # type: ignore[no-untyped-call]

    async def _pid(self) -> int:
        pid: int = (await self._admin.info("server"))["process_id"]
        return pid


PHASES = (
    Phase("Redis up", Redis.well, 0.99, WITH_REDIS_MS),
    Phase("stopped for 10 s (SIGSTOP)", Redis.stopped, 0.999, WITHOUT_REDIS_MS),
    Phase("killed, empty again after 4 s", Redis.killed, 0.999, WITHOUT_REDIS_MS),
    Phase("FLUSHALL every 0.5 s", Redis.flushed, 0.999, WITHOUT_REDIS_MS),
    Phase("CLIENT KILL TYPE pubsub every 0.5 s", Redis.cut, 0.999, WITHOUT_REDIS_MS),
    Phase("every hint lost for 8 s", Redis.deaf, 0.999, WITHOUT_REDIS_MS),
)


async def run(backend: Backend) -> Report:
    """All phases, one after the other, on the same two servers."""
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        async with (
            stores(backend) as where,
            open_server(where, redis_url=valkey.url) as first,
            open_server(where, redis_url=valkey.url) as second,
            redis.asyncio.from_url(valkey.url) as admin,
        ):
            talk = Talk(await where.tokens(CLIENTS))
            ports = (first.port, second.port)
            return await _measured(talk, ports, Redis(valkey, admin), backend)
    finally:
        await valkey.stop()


async def _measured(talk: Talk, ports: tuple[int, int], redis: Redis, backend: Backend) -> Report:
    staying = [
        asyncio.create_task(client.stay(ports[n % 2])) for n, client in enumerate(talk.clients)
    ]
    assert await until(lambda: all(each.is_live for each in talk.clients), 20), "nobody is there"
    table = Table(_HEADS)
    for phase in PHASES:
        await _phase(talk, phase, redis, table)
    for each in staying:
        each.cancel()
    faults = [fault for each in talk.clients for fault in each.faults]
    counts = Table(("of all phases", "measured"))
    counts.add("holes, doubles, resets", Figure(len(faults), "", 0))
    return Report("freshness", backend, (table, counts), _NOTES)


async def _phase(talk: Talk, phase: Phase, redis: Redis, table: Table) -> None:
    talk.begin()
    speaking = asyncio.create_task(talk.speak())
    await phase.harm(redis)
    speaking.cancel()
    missing = await talk.settled()
    delays = [delay for said in talk.said.values() for delay in said.delays_ms()]
    whole = [delay for said in talk.said.values() for delay in said.whole_ms()]
    table.add(
        phase.name,
        Figure(len(talk.said)),
        Figure(percentile(delays, 0.5), "ms"),
        _promised(delays, 0.99, phase),
        _promised(delays, 0.999, phase),
        Figure(max(delays, default=0), "ms"),
        Figure(percentile(whole, 0.99), "ms"),
        Figure(len(talk.refused), "", 0),
        Figure(talk.lost),
        Figure(missing, "", 0),
    )


def _promised(delays: list[float], share: float, phase: Phase) -> Figure:
    most = phase.most_ms if share == phase.share else None
    return Figure(percentile(delays, share), "ms", most)


_HEADS = (
    *("Redis", "messages", "p50", "p99", "p99.9", "worst", "said to heard, p99"),
    *("nacks", "lost lines", "not heard"),
)
_NOTES = (
    f"{CLIENTS} clients in {ROOMS} rooms, half on each of two servers, "
    f"{1 / PAUSE_SECONDS:.0f} messages a second of some 220 letters.",
    "The delay runs from the first sign of the commit (its answer, or the first client that has "
    "it) to each client; by one clock, since all clients are in one process.",
    "A message counts for the phase in which it was said.",
)
