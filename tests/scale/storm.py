"""2,000 clients lose their lines in one moment: how long until all are back and have everything.

Three ways: the worker is killed, the network cuts every line, and that again with all limits on, from
many addresses, as doctors have them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic, process_time

from lounge.titles import SPECIALTIES
from tests.bench.usage import usage
from tests.scale.client import LONGEST_SECONDS, Client, summed, until
from tests.scale.house import Backend, Server, Stores, Touched, open_server, stores, touched
from tests.scale.probe import Probe
from tests.scale.report import Cell, Figure, Report, Table, percentile
from tests.scale.words import mark, words

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
CLIENTS = 2_000
ROOMS = 10
BEFORE, MEANWHILE = 15, 20  # messages a room
MOST_SECONDS = 15.0
_PATIENCE_SECONDS = 45.0
_READS = "lounge_log_reads_total"
_SOURCES = 40
_OPENING_PAUSE_SECONDS = 0.005


class Crowd:
    """Everybody: the clients that are dropped, and two eager doctors a room who do the talking."""

    def __init__(self, tokens: Sequence[str], rooms: Sequence[str], sources: Sequence[str]) -> None:
        def client(n: int, *, eager: bool = False) -> Client:
            source = sources[n % len(sources)]
            return Client(tokens[n], rooms[n % ROOMS], source=source, eager=eager)

        self.clients = [client(n) for n in range(CLIENTS)]
        speakers = [client(CLIENTS + n, eager=True) for n in range(2 * ROOMS)]
        self._first, self._second = speakers[:ROOMS], speakers[ROOMS:]
        self._staying: list[asyncio.Task[None]] = []

    async def open(self, port: int) -> None:
        """Everybody comes, two hundred a second at most; returns when all are live."""
        for client in [*self._first, *self._second, *self.clients]:
            self._staying.append(asyncio.create_task(client.stay(port)))
            await asyncio.sleep(_OPENING_PAUSE_SECONDS)
        await self._all(0)

    async def talk(self, each: int, *, second: bool = False) -> None:
        """So many messages in every room, one after the other, each until it is kept."""
        speakers = self._second if second else self._first
        await asyncio.gather(*(_tell(speaker, each) for speaker in speakers))

    async def caught_up(self, head: int) -> bool:
        """Waits until everybody is live and has that many entries; false when the time is over."""
        return await self._all(head)

    def cut(self) -> None:
        for client in self.clients:
            if client.line:
                client.line.cut()

    def latest(self) -> float:
        """Monotonic seconds: when the last one had everything."""
        return max(client.changed_at for client in self.clients)

    def late(self, head: int) -> int:
        return sum(not (each.is_live and each.seq == head) for each in self.clients)

    def faults(self) -> int:
        return sum(len(each.faults) for each in self.clients)

    def refusals(self) -> str:
        told = summed(each.refusals for each in self.clients)
        for client in self.clients:
            client.refusals.clear()
        return told

    async def close(self) -> None:
        for each in self._staying:
            each.cancel()
        await asyncio.gather(*self._staying, return_exceptions=True)

    async def _all(self, head: int) -> bool:
        return await until(
            lambda: all(each.is_live and each.seq >= head for each in self.clients),
            _PATIENCE_SECONDS,
        )


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm, measured; the cells of its row."""

    seconds: float
    late: int
    faults: int
    reads: float
    scans: str
    worker_cpu: float
    clients_cpu: float
    answered: Sequence[float]
    refusals: str

    def cells(self) -> tuple[Cell, ...]:
        return (
            Figure(self.seconds, "s", MOST_SECONDS),
            Figure(self.late, "", 0),
            Figure(self.faults, "", 0),
            Figure(self.reads),
            self.scans,
            Figure(self.worker_cpu, "s"),
            Figure(self.clients_cpu, "s"),
            Figure(percentile(self.answered, 0.99) * 1000, "ms"),
            Figure(max(self.answered, default=0) * 1000, "ms"),
            self.refusals,
        )


async def run(backend: Backend) -> Report:
    """A server without limits for two storms, then another with them for the third."""
    table = Table(_HEADS)
    async with stores(backend) as where:
        tokens = await where.tokens(CLIENTS + 2 * ROOMS)
        async with open_server(where) as server:
            rooms = [f"bench/{n}" for n in range(1, ROOMS + 1)]
            await _storms(
                Crowd(tokens, rooms, ["127.0.0.1"]),
                server,
                where,
                table,
                {"worker killed (-9)": _killed, "every line cut": _cut},
            )
        async with open_server(where, bench=False) as server:
            rooms = [f"specialty/{slug}" for slug in list(SPECIALTIES)[:ROOMS]]
            sources = [f"127.0.1.{n}" for n in range(1, _SOURCES + 1)]
            crowd = Crowd(tokens, rooms, sources)
            await _storms(crowd, server, where, table, {"every line cut, limits on": _cut})
    return Report("storm", backend, (table,), _NOTES)


Drop = Callable[[Crowd, Server], Awaitable[None]]


async def _storms(
    crowd: Crowd, server: Server, where: Stores, table: Table, drops: dict[str, Drop]
) -> None:
    try:
        await crowd.open(server.port)
        await crowd.talk(BEFORE)
        head = BEFORE
        for name, drop in drops.items():
            print(f"storm: {name} …", file=sys.stderr, flush=True)
            if not await crowd.caught_up(head):
                late = Figure(crowd.late(head), "not there", 0)
                table.add(f"{name}: not tried", late, *["–"] * (len(_HEADS) - 2))
                return
            crowd.refusals()
            table.add(name, *(await _storm(crowd, server, where, drop, head)).cells())
            head += MEANWHILE
    finally:
        await crowd.close()


async def _storm(crowd: Crowd, server: Server, where: Stores, drop: Drop, head: int) -> Storm:
    counted, scanned = await server.metrics(), await _scanned(where)
    async with Probe(server.port) as probe:
        worker, spent = server.worker().pid, (usage(server.worker()).cpu_seconds, process_time())
        began = monotonic()
        talking = asyncio.create_task(crowd.talk(MEANWHILE, second=True))
        await drop(crowd, server)
        back = monotonic()
        await crowd.caught_up(head + MEANWHILE)
        ended = crowd.latest()
        talking.cancel()
        used = usage(server.worker()).cpu_seconds, process_time()
    now = await server.metrics()
    is_new = server.worker().pid != worker  # which counts from nothing
    return Storm(
        seconds=ended - began,
        late=crowd.late(head + MEANWHILE),
        faults=crowd.faults(),
        reads=now[_READS] - (0 if is_new else counted[_READS]),
        scans=_told(await _scanned(where), scanned),
        worker_cpu=used[0] - (0 if is_new else spent[0]),
        clients_cpu=used[1] - spent[1],
        answered=[taken for at, taken in probe.answers if at >= back],
        refusals=crowd.refusals(),
    )


async def _killed(_: Crowd, server: Server) -> None:
    server.worker().kill()
    await server.back()


async def _cut(crowd: Crowd, _: Server) -> None:
    crowd.cut()


async def _tell(speaker: Client, times: int) -> None:
    for _ in range(times):
        await speaker.tell(f"{mark()} {words(200)}")


async def _scanned(where: Stores) -> tuple[Touched, ...]:
    if where.backend == "sqlite":
        return ()
    await asyncio.sleep(1.5)  # PostgreSQL counts with a delay of a second
    return (await touched(where.lounge_url), await touched(where.identity_url))


def _told(now: tuple[Touched, ...], before: tuple[Touched, ...]) -> str:
    """Such as `1,200 transactions, entry × 40`, of each of the two stores."""
    stores = [late.since(early) for late, early in zip(now, before, strict=True)]
    return " / ".join(
        ", ".join(
            [f"{each.transactions:,} transactions"]
            + [f"{name} × {n:,}" for name, n in sorted(each.scans.items(), key=lambda k: -k[1])[:4]]
        )
        for each in stores
    )


_HEADS = (
    *("dropped by", "until all are live with everything", "not back", "holes, doubles, resets"),
    *("reads of logs", "of PostgreSQL: lounge / identity store", "worker's CPU", "clients' CPU"),
    *("/healthz p99", "worst", "refused"),
)
_NOTES = (
    f"{CLIENTS:,} clients in {ROOMS} rooms, one worker, clients in one process; both share the "
    "machine's cores. They come back with full jitter up to "
    f"{LONGEST_SECONDS:.0f} s, or when a 503 says. {MEANWHILE * ROOMS} messages are committed "
    "meanwhile. The seconds run from the drop to the last client's last entry or `live`.",
    "Reads of logs are those that `/metrics` counts; scans are PostgreSQL's own count, by table. "
    "`/healthz` is asked every 50 ms by a process of its own: how long a new request waits behind the "
    "storm, since the worker was there.",
    f"With limits on, the clients come from {_SOURCES} addresses.",
)
