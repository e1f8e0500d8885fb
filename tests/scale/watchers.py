"""2,000 who watch one consult: a reveal reaches them all, and what it costs beside plain messages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import psutil

from tests.bench.usage import usage
from tests.journeys.talker import Talker
from tests.scale.client import Client, new_cid, until
from tests.scale.house import Backend, Server, open_server, stores
from tests.scale.line import Frame
from tests.scale.report import Figure, Report, Table
from tests.scale.words import mark, words

BACKENDS: tuple[Backend, ...] = ("sqlite",)
WATCHERS, VOTERS = 2_000, 30
EVENTS = 25
"""Of each kind, one after the other."""
LETTERS, MOST_LETTERS = 200, 7_900
LIVE_SECONDS, HEARD_SECONDS = 120.0, 20.0
MOST_TIMES = 1.5
"""A reveal may cost so much more a delivery than a message of its length."""
LONGEST_SECONDS = 400

Act = Callable[[int], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Theatre:
    """One consult, whoever watches it, and how often each of its entries was heard."""

    room: str
    author: Talker
    worker: psutil.Process
    watchers: list[Client] = field(default_factory=list)
    heard: Counter[int] = field(default_factory=Counter)

    def hear(self, _: Client, event: Frame) -> None:
        self.heard[event.seq] += 1

    async def reaches_all(self, seq: int) -> float:
        """Seconds until everybody has heard it; the patience when somebody has not."""
        began = monotonic()
        await until(lambda: self.heard[seq] >= WATCHERS, HEARD_SECONDS)
        return monotonic() - began

    async def cost(self, act: Act) -> Cost:
        """Of as many of these as there are to be, each after the one before was heard by all."""
        before, missed = usage(self.worker).cpu_seconds, 0
        for n in range(EVENTS):
            seq = (await act(n))["seq"]
            await self.reaches_all(seq)
            missed += WATCHERS - self.heard[seq]
        spent = usage(self.worker).cpu_seconds - before
        size = len(self.author.logs[self.room][-1].frame)
        return Cost(spent * 1e6 / (EVENTS * WATCHERS), size, missed)


@dataclass(frozen=True, slots=True)
class Cost:
    """The server's CPU for one event to one watcher, in µs; bytes of the last one; deliveries missed."""

    micros: float
    size: int
    missed: int


async def run(backend: Backend) -> Report:
    """They come, opinions are given, they are revealed; then revealed anew, and messages beside it."""
    async with stores(backend) as where, open_server(where) as server:
        tokens = await where.tokens(WATCHERS + VOTERS + 1)
        async with _theatre(server, tokens) as theatre:
            opined = await _opined(server, theatre.room, tokens[-VOTERS - 1 : -1])
            began = monotonic()
            seq = (await _did(theatre.author, op="unseal", room=theatre.room))["seq"]
            answered = monotonic() - began
            seconds = answered + await theatre.reaches_all(seq)
            reached = theatre.heard[seq]
            merges = await theatre.cost(lambda n: _merged(theatre, n))
            plain = await theatre.cost(lambda _: _said(theatre, LETTERS))
            long = await theatre.cost(lambda _: _said(theatre, min(merges.size, MOST_LETTERS)))
            faults = sum(len(each.faults) for each in theatre.watchers)
    return Report(
        "watchers",
        backend,
        (_reveal(opined, reached, seconds, faults), _costs(merges, plain, long)),
        _NOTES,
    )


@asynccontextmanager
async def _theatre(server: Server, tokens: Sequence[str]) -> AsyncIterator[Theatre]:
    author = Talker(tokens[-1])
    await author.connect(server.port)
    case = {"question": "What would you do?", "specialties": ["cardiology"], "enough": 50}
    room = (await _did(author, op="consult", **case))["consult"]
    await author.join(room)
    theatre = Theatre(room, author, server.worker())
    theatre.watchers = [Client(token, room, ear=theatre.hear) for token in tokens[:WATCHERS]]
    staying = [asyncio.create_task(each.stay(server.port)) for each in theatre.watchers]
    try:
        assert await until(lambda: all(each.is_live for each in theatre.watchers), LIVE_SECONDS)
        yield theatre
    finally:
        for task in staying:
            task.cancel()
        await author.close()


async def _opined(server: Server, room: str, tokens: Sequence[str]) -> int:
    """Each in labels of her own, beside one that all have."""
    for n, token in enumerate(tokens):
        voter = Talker(token)
        await voter.connect(server.port)
        await voter.join(room)
        ranked = ["the usual", f"finding {_letters(n)}", f"suspicion {_letters(n)}"]
        await _did(voter, op="opine", room=room, ranked=ranked, why=words(60))
        await voter.close()
    return len(tokens)


async def _merged(theatre: Theatre, number: int) -> dict[str, Any]:
    """The same fields as the reveal, reckoned anew."""
    labels = [f"suspicion {_letters(number)}"]
    return await _did(
        theatre.author, op="merge", room=theatre.room, into="the usual", labels=labels
    )


async def _said(theatre: Theatre, letters: int) -> dict[str, Any]:
    text = f"{mark()} {words(letters)}"[: max(letters, 20)]
    return await _did(theatre.author, op="say", room=theatre.room, text=text)


async def _did(talker: Talker, **command: Any) -> dict[str, Any]:
    answer = await talker.ask({**command, "cid": new_cid()})
    assert answer["op"] == "ok", answer
    return answer


def _letters(number: int) -> str:
    """A number in letters: digits might look like a patient's."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def _reveal(opined: int, reached: int, seconds: float, faults: int) -> Table:
    table = Table((f"a reveal of {opined} opinions", "measured"))
    table.add("watchers", Figure(WATCHERS))
    table.add("that it did not reach", Figure(WATCHERS - reached, "", 0))
    table.add("asked for to heard by the last", Figure(seconds * 1000, "ms"))
    table.add("holes, doubles, resets of all watchers", Figure(faults, "", 0))
    return table


def _costs(merges: Cost, plain: Cost, long: Cost) -> Table:
    table = Table(("one to each watcher", "server CPU a delivery", "bytes", "not heard"))
    rows = (
        ("the reveal anew (a merge)", merges),
        (f"a message of {LETTERS} letters", plain),
        ("a message as long as the reveal", long),
    )
    for name, cost in rows:
        table.add(name, Figure(cost.micros, "µs"), Figure(cost.size), Figure(cost.missed, "", 0))
    times = merges.micros / max(long.micros, 1e-9)
    table.add("the reveal, by a message of its length", Figure(times, "×", MOST_TIMES), "", "")
    return table


_NOTES = (
    f"{WATCHERS:,} sockets in one consult, {VOTERS} opinions of three labels. A reveal comes once, too short "
    f"for a clock of CPU: what is measured is {EVENTS} merges, which carry the same fields reckoned anew.",
    "One event is on its way at a time, so that nothing is coalesced: the dearest way to deliver. All rules "
    "are on, every entry is durable.",
)
