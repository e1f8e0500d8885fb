"""Three moderators watch 300 rooms with 1,000 messages a second: how far behind they are, at what cost."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from time import monotonic

import msgspec
import psutil
from websockets.asyncio.client import ClientConnection, connect

from lounge.rooms import open_catalogue
from tests.bench.served import ROOT
from tests.bench.usage import usage
from tests.scale.client import Client, summed, until
from tests.scale.house import Backend, Server, Stores, open_server, stores
from tests.scale.line import Frame
from tests.scale.report import Figure, Report, Table, percentile
from web import wire

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
ROOMS, PER_SECOND, MODERATORS = 300, 1_000, 3
TURNS, TURN_SECONDS = 4, 15.0
"""So often each is measured, by turns: with nobody at the board, and with the moderators."""
MOST_BEHIND_MS = 2_000
MOST_DEARER = 10.0
LIVE_SECONDS = 60.0
WARM_SECONDS = 3.0
LONGEST_SECONDS = 400
MOST_OPEN, MOST_BURST = 500, 100
"""So many messages may wait for their answers; so many are said at once to catch up."""
_TICK_SECONDS = 0.01


class Line(msgspec.Struct):
    """A room as the board tells it; what did not change is not there."""

    room: str = ""
    says: list[int] | None = None
    now: int | None = None


class Told(msgspec.Struct):
    """An answer or a frame with rooms in it."""

    op: str
    rooms: list[Line] = []


@dataclass(slots=True)
class Town:
    """Who speaks in each room, and when what was said there was acknowledged."""

    clients: list[Client]
    texts: Iterator[str]
    acked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    async def talk(self, seconds: float) -> int:
        """So many were said meanwhile, each to the next room; all of them are answered.

        A machine that cannot keep up gets fewer, not a queue.
        """
        rooms, before, began, taken = cycle(self.clients), self.said, monotonic(), 0
        while (elapsed := monotonic() - began) < seconds:
            free = MOST_OPEN - (self.sent - self.answered)
            some = max(0, min(int(elapsed * PER_SECOND) - taken, free, MOST_BURST))
            for _ in range(some):
                self._say(next(rooms))
            taken = max(taken + some, int(elapsed * PER_SECOND) - MOST_BURST)
            await asyncio.sleep(_TICK_SECONDS)
        await until(lambda: self.answered == self.sent, 30)
        return self.said - before

    @property
    def answered(self) -> int:
        return self.said + self.refused.total()

    @property
    def said(self) -> int:
        return sum(map(len, self.acked.values()))

    def _say(self, client: Client) -> None:
        self.sent += 1
        client.say(next(self.texts), not_patient=True).add_done_callback(
            lambda answer: self._heard(client.room, answer.result())
        )

    def _heard(self, room: str, answer: Frame | None) -> None:
        if answer is not None and answer.op == "ok":
            self.acked[room].append(monotonic())
        else:
            self.refused[str(answer.code) if answer else "ended"] += 1


@dataclass(slots=True)
class Moderator:
    """One who watches: how long after its acknowledgement each message is among the counts she has."""

    town: Town
    socket: ClientConnection
    lags: list[float] = field(default_factory=list)
    bytes: int = 0
    _says: dict[str, list[int]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    async def turn(self, *, on: bool) -> None:
        """To the board, or away from it."""
        await self.socket.send(json.dumps({"op": "board", "ref": 1, "on": on}))

    async def listen(self) -> None:
        async for data in self.socket:
            told = _decode(data)
            if told.op in ("ok", "board"):
                self._take(told, len(data), is_first=told.op == "ok")

    def _take(self, told: Told, size: int, *, is_first: bool) -> None:
        now = monotonic()
        self.bytes += size
        for line in told.rooms:
            says = self._says.setdefault(line.room, [0])
            if line.says is not None:
                says[:] = line.says or [0]
            if line.now is not None:
                says[-1] = line.now
            counted, acked = sum(says), self.town.acked.get(line.room, [])
            seen = counted if is_first else self._seen.get(line.room, 0)
            self.lags += [max(0.0, now - at) for at in acked[seen:counted]]
            self.lags += [0.0] * (counted - max(seen, len(acked)))  # before its author knew
            self._seen[line.room] = max(counted, seen)


@dataclass(slots=True)
class Spent:
    """What the worker used while so many were said."""

    cpu: float = 0.0
    said: int = 0
    seconds: float = 0.0

    @property
    def micros(self) -> float:
        return self.cpu * 1e6 / max(self.said, 1)

    @property
    def share(self) -> float:
        return 100 * self.cpu / max(self.seconds, 1e-9)


async def run(backend: Backend) -> Report:
    """By turns, so that whatever else the machine does falls on both alike."""
    async with stores(backend) as where:
        await asyncio.to_thread(_command, where, "upgrade")
        staff = [await asyncio.to_thread(_moderator, where, n) for n in range(MODERATORS)]
        tokens = await where.tokens(ROOMS)
        alone, watched = Spent(), Spent()
        async with (
            open_server(where) as server,
            _town(server, tokens) as town,
            _moderators(server, town, staff) as moderators,
        ):
            await town.talk(WARM_SECONDS)
            for _ in range(TURNS):
                await _measured(server.worker(), town, alone)
                for each in moderators:
                    await each.turn(on=True)
                await _measured(server.worker(), town, watched)
                await asyncio.sleep(MOST_BEHIND_MS / 1000)
                for each in moderators:
                    await each.turn(on=False)
            faults = sum(len(each.faults) for each in town.clients)
    lag, cost = _lag(moderators, watched), _cost(alone, watched, town.refused, faults)
    return Report("board", backend, (lag, cost), _NOTES)


async def _measured(worker: psutil.Process, town: Town, spent: Spent) -> None:
    before, began = usage(worker).cpu_seconds, monotonic()
    spent.said += await town.talk(TURN_SECONDS)
    spent.seconds += monotonic() - began
    spent.cpu += usage(worker).cpu_seconds - before


@asynccontextmanager
async def _town(server: Server, tokens: Sequence[str]) -> AsyncIterator[Town]:
    rooms = [room.id for room in open_catalogue().rooms()]
    rooms = [*rooms, *(f"bench/{n}" for n in range(ROOMS - len(rooms)))][:ROOMS]
    clients = [Client(token, room) for token, room in zip(tokens, rooms, strict=True)]
    staying = [asyncio.create_task(each.stay(server.port)) for each in clients]
    try:
        assert await until(lambda: all(each.is_live for each in clients), LIVE_SECONDS)
        yield Town(clients, cycle(_texts()))
    finally:
        for task in staying:
            task.cancel()


@asynccontextmanager
async def _moderators(
    server: Server, town: Town, tokens: Sequence[str]
) -> AsyncIterator[list[Moderator]]:
    moderators = []
    for token in tokens:
        socket = await connect(
            f"ws://127.0.0.1:{server.port}/ws",
            additional_headers={"Authorization": f"Bearer {token}"},
            subprotocols=[wire.JSON],  # type: ignore[list-item]
            compression=None,
            max_size=None,
            open_timeout=LIVE_SECONDS,
        )
        moderators.append(Moderator(town, socket))
        await moderators[-1].turn(on=False)  # who says nothing at all is let go
    tasks = [asyncio.create_task(each.listen()) for each in moderators]
    try:
        yield moderators
    finally:
        for each in moderators:
            await each.socket.close()
        await asyncio.gather(*tasks)


def _moderator(where: Stores, number: int) -> str:
    """Her token."""
    email = f"moderator-{number}@board.test"
    traits = ("--name", "Moira", "--country", "GB", "--specialty", "internal-medicine")
    _command(where, "doctor", "add", "--email", email, *traits, "--role", "moderator", "--verified")
    return _command(where, "token", email)


def _command(where: Stores, *words: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "web.cli", *words],
        cwd=ROOT,
        env=os.environ | where.environ | {"LOUNGE_BENCH": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip().splitlines()[-1]


def _texts() -> list[str]:
    with (ROOT / "tests" / "texts.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def _lag(moderators: Sequence[Moderator], watched: Spent) -> Table:
    lags = [lag for each in moderators for lag in each.lags]
    rate = sum(each.bytes for each in moderators) / (MODERATORS * watched.seconds)
    table = Table((f"{MODERATORS} moderators at the board of {ROOMS} rooms", "measured"))
    table.add("messages a second", Figure(watched.said / watched.seconds))
    table.add("acknowledged to on the board, median", Figure(percentile(lags, 0.5) * 1000, "ms"))
    table.add(
        "acknowledged to on the board, p99",
        Figure(percentile(lags, 0.99) * 1000, "ms", MOST_BEHIND_MS),
    )
    table.add("messages seen on it", Figure(len(lags)))
    table.add("told to each of them", Figure(rate / 1000, "kB/s"))
    return table


def _cost(alone: Spent, watched: Spent, refused: Counter[str], faults: int) -> Table:
    table = Table(("the live path", "server CPU a message", "of a core"))
    for name, each in (("nobody at the board", alone), ("with the moderators", watched)):
        table.add(name, Figure(each.micros, "µs"), Figure(each.share, "%"))
    dearer = 100 * (watched.micros / max(alone.micros, 1e-9) - 1)
    table.add("dearer by", Figure(dearer, "%", MOST_DEARER), "")
    table.add("refused", Figure(refused.total(), "", 0), summed([refused]))
    table.add("holes in what was heard", Figure(faults, "", 0), "")
    return table


_decode = msgspec.json.Decoder(Told).decode
_NOTES = (
    f"{ROOMS} sockets, one in each room, say {PER_SECOND:,} texts a second of tests/texts.jsonl, each to the "
    "next room. All rules are on, every entry is durable.",
    f"{TURNS} times {TURN_SECONDS:.0f} s each way, by turns. A message is behind from its acknowledgement at "
    "its author until the counts that a moderator has been told include it.",
)
