"""500 clients that take nothing, beside 50 who talk: what they cost, and what the others feel."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

import psutil

from tests.bench.usage import usage
from tests.scale.client import Client, until
from tests.scale.house import Backend, Server, open_server, stores
from tests.scale.line import RECEIVE_BYTES, SEGMENT_BYTES, Frame
from tests.scale.peers import stalled
from tests.scale.report import Figure, Report, Table, percentile
from tests.scale.words import mark, words

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
HEALTHY, STALLED = 50, 500
ROOM = "bench/1"
LETTERS = 400
PAUSE_SECONDS = 0.02
WINDOW_SECONDS = 2.5
WINDOWS_BEFORE, WINDOWS_AFTER = 4, 4
LONGEST_SECONDS = 40.0
MOST_MIB, MOST_MS = 128.0, 10.0


class Room:
    """Fifty who hear everything, and what each of them waits for it."""

    def __init__(self, tokens: list[str]) -> None:
        self.clients = [Client(token, ROOM, ear=self._hear) for token in tokens]
        self._said: dict[str, float] = {}
        self._delays: list[float] = []
        self.refused = 0

    async def speak(self) -> None:
        """One after the other, 50 a second."""
        began, n = monotonic(), 0
        while True:
            text = f"{mark()} {words(LETTERS)}"
            self._said[text] = monotonic()
            self.clients[n % HEALTHY].say(text).add_done_callback(self._answered)
            n += 1
            await asyncio.sleep(max(0, began + n * PAUSE_SECONDS - monotonic()))

    async def window_ms(self) -> float:
        """The p99 of the next window."""
        self._delays.clear()
        await asyncio.sleep(WINDOW_SECONDS)
        return percentile(self._delays, 0.99) * 1000

    def _answered(self, answer: asyncio.Future[Frame | None]) -> None:
        frame = answer.result()
        self.refused += frame is None or frame.op != "ok"

    def _hear(self, _: Client, event: Frame) -> None:
        if (at := self._said.get(event.text)) is not None:
            self._delays.append(monotonic() - at)


@dataclass(frozen=True, slots=True)
class Size:
    """Of the worker, in MiB."""

    rss: float
    pss: float

    @classmethod
    def of(cls, worker: psutil.Process) -> Size:
        return cls(worker.memory_info().rss / 2**20, usage(worker).pss_kb / 1024)


async def run(backend: Backend) -> Report:
    """Windows before, then the stalled come, then windows until they are closed and beyond."""
    async with stores(backend) as where, open_server(where) as server:
        tokens = await where.tokens(HEALTHY + STALLED)
        room = Room(tokens[:HEALTHY])
        staying = [asyncio.create_task(each.stay(server.port)) for each in room.clients]
        assert await until(lambda: all(each.is_live for each in room.clients), 20)
        staying.append(asyncio.create_task(room.speak()))
        try:
            return await _measured(room, server, tokens[HEALTHY:], backend)
        finally:
            for task in staying:
                task.cancel()


async def _measured(room: Room, server: Server, tokens: list[str], backend: Backend) -> Report:
    worker = server.worker()
    await room.window_ms()  # the first one warms up
    windows = Windows([await room.window_ms() for _ in range(WINDOWS_BEFORE)])
    small = Size.of(worker)
    lines = await asyncio.gather(*(stalled(server.port, token, ROOM) for token in tokens))
    begun = monotonic()
    sizes = [Size.of(worker)]
    while (still := await _open_still(server)) and monotonic() < begun + LONGEST_SECONDS:
        delay = await room.window_ms()
        (windows.beside if still == STALLED else windows.closing).append(delay)
        sizes.append(Size.of(worker))
    seconds = monotonic() - begun
    windows.after = [await room.window_ms() for _ in range(WINDOWS_AFTER)]
    for line in lines:
        line.cut()
    ends = _ends(await server.metrics(), still, room, seconds)
    return Report("stalled", backend, (windows.table(), _memory(small, sizes), ends), _NOTES)


async def _open_still(server: Server) -> int:
    return int((await server.metrics())["lounge_connections"]) - HEALTHY


@dataclass(slots=True)
class Windows:
    """The p99 of each window, in ms: before the stalled came, beside them, as they go, after."""

    before: list[float]
    beside: list[float] = field(default_factory=list)
    closing: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def table(self) -> Table:
        table = Table(("p99 of the healthy, said to heard", "median", "windows, ms"))
        for name in ("before", "beside", "closing", "after"):
            values = getattr(self, name)
            listed = " · ".join(f"{each:.1f}" for each in values)
            table.add(name, Figure(median(values or [0]), "ms"), listed)
        added = median(self.beside or [0]) - median(self.before + self.after)
        table.add("added: beside, less before and after", Figure(added, "ms", MOST_MS), "")
        return table


def _memory(before: Size, sizes: list[Size]) -> Table:
    table = Table(("memory of the worker", "before", "most", "added", "added for each"))
    for name in ("rss", "pss"):
        small, most = getattr(before, name), max(getattr(each, name) for each in sizes)
        table.add(
            name.upper(),
            Figure(small, "MiB"),
            Figure(most, "MiB"),
            Figure(most - small, "MiB", MOST_MIB),
            Figure((most - small) * 1024 / STALLED, "KiB"),
        )
    return table


def _ends(counted: dict[str, float], open_still: int, room: Room, seconds: float) -> Table:
    table = Table(("the stalled", "measured"))
    table.add(
        "closed with 4008, by the server's count",
        Figure(counted.get("lounge_closed_total{4008}", 0)),
    )
    table.add(f"open still after {seconds:.0f} s", Figure(open_still, "", 0))
    lost = sum(sum(each.ends.values()) for each in room.clients)
    table.add("healthy lines that ended", Figure(lost, "", 0))
    table.add("says of the healthy not kept", Figure(room.refused, "", 0))
    faults = sum(len(each.faults) for each in room.clients)
    table.add("holes, doubles, resets of the healthy", Figure(faults, "", 0))
    return table


_NOTES = (
    f"{HEALTHY} healthy and {STALLED} stalled clients in one room, "
    f"{1 / PAUSE_SECONDS:.0f} messages a second of {LETTERS} letters. The stalled connect, join, "
    f"are live, and read nothing more, with a receive buffer of {RECEIVE_BYTES // 1024} KiB and "
    f"segments of {SEGMENT_BYTES} bytes.",
    "What the kernel holds for them is not the worker's memory and not counted. A stalled line "
    "is closed 15 s after it last took something: *beside* are the windows that began with all of them "
    "open, *closing* those that began with some.",
)
