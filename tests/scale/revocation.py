"""A thousand doctors are revoked in a flood, fifty at a time: with Redis, without, and after a pause.

Late is what was said more than a second after a revocation's commit and still reached its doctor, and any
act of hers that was committed after whoever revoked her was told that it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from storage.entries import Entry
from tests import support
from tests import test_revocation as small
from tests.listener import Listener
from tests.redis_proxy import RedisProxy
from tests.scale.house import Backend, Stores, stores
from tests.scale.report import Figure, Report, Table, percentile
from tests.support import open_house, until
from tests.test_revocation import LATE_MS, Ahead, Office, Town, Trial
from web.valkey import EmbeddedValkey

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
LONGEST_SECONDS = 1_200
ROUNDS, DOCTORS = 21, 50
PAUSE_SECONDS, PATIENCE_SECONDS = 40, 240

Harm = Literal["none", "Redis takes nothing", "a process comes back from a pause"]
HARMS: tuple[Harm, ...] = ("none", "Redis takes nothing", "a process comes back from a pause")


@dataclass(slots=True)
class Count:
    """What was seen of the doctors who were revoked under one kind of harm."""

    trials: int = 0
    frames: int = 0
    acts: int = 0
    ends: int = 0
    """Lines that did not end as they should."""
    holes: int = 0
    later: list[int] = field(default_factory=list)
    """Of the newest entry each still got: how many ms after the revocation it was said."""


async def run(backend: Backend) -> Report:
    """Rounds of fifty, one kind of harm after the other."""
    support.PATIENCE_SECONDS = PATIENCE_SECONDS  # so many at once on a busy machine take their time
    counts = {harm: Count() for harm in HARMS}
    async with _town(backend) as town:
        for number in range(ROUNDS):
            harm = HARMS[number % len(HARMS)]
            await _round(town, harm, counts[harm])
    return Report("revocation", backend, (_table(counts),), _NOTES)


@contextlib.asynccontextmanager
async def _town(backend: Backend) -> AsyncIterator[Town]:
    valkey = EmbeddedValkey()
    await valkey.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(valkey.stop)
        where = await stack.enter_async_context(stores(backend))
        line = await stack.enter_async_context(RedisProxy(valkey.url))
        changes = _changes(where)
        houses = [
            await stack.enter_async_context(open_house(where.folder, line.url, **changes))
            for _ in range(1 if backend == "sqlite" else 2)
        ]
        clock, office = Ahead(), Office(houses[0].lounge)
        houses[0].lounge.door._clock = clock
        stack.callback(office.close)
        clients = {each.port: await stack.enter_async_context(each.http()) for each in houses}
        yield Town(houses, clock, line, office, clients)
        line.heal()


def _changes(where: Stores) -> dict[str, Any]:
    urls = {"database_url": where.lounge_url, "identity_url": where.identity_url}
    return {"bench": True, **{name: url for name, url in urls.items() if url}}


async def _round(town: Town, harm: Harm, count: Count) -> None:
    room = next(town.rooms)
    async with AsyncExitStack() as stack:
        crowd = [await small._healthy(town, house, room) for house in town.houses]
        for one in crowd:
            await stack.enter_async_context(one.listening())
            await asyncio.wait_for(one.live.wait(), 30)
            assert await one.say("Good evening.")
        trials = await small._trials(town, room, DOCTORS)
        for each in trials:
            each.listening = await stack.enter_async_context(each.listener.listening())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(each.listener.live.wait() for each in trials))
        async with _flood(crowd):
            await _revoked(town, harm, trials)
            last = max(each.committed for each in trials)
            await small._said_later_than(town, room, last + LATE_MS)
        town.line.heal()
        log = await small._log(town, room)
        for each in trials:
            assert each.listening
            assert each.acting
            await asyncio.wait_for(asyncio.gather(each.listening, each.acting), PATIENCE_SECONDS)
    for each in trials:
        _judge(each, log, count)


@contextlib.asynccontextmanager
async def _flood(crowd: list[Listener]) -> AsyncIterator[None]:
    """They speak and speak; among fifty revocations at once they may be told to come again."""
    stopped = asyncio.Event()

    async def speak(one: Listener) -> None:
        while not stopped.is_set():
            await one.say("Is anybody on call?")
            await asyncio.sleep(0.01)

    flood = asyncio.gather(*(speak(one) for one in crowd))
    yield
    stopped.set()
    await flood


async def _revoked(town: Town, harm: Harm, trials: list[Trial]) -> None:
    """All at once, in the midst of what they say."""
    if harm == HARMS[1]:
        town.line.blackhole()
    revoking = asyncio.gather(*(small._revoke(town.office, each) for each in trials))
    if harm == HARMS[2]:
        await until(lambda: any(each.committed for each in trials))
        town.clock.seconds += PAUSE_SECONDS
    await revoking


def _judge(trial: Trial, log: list[Entry], count: Count) -> None:
    at = {entry.seq: entry.at for entry in log}
    heard = trial.listener.heard
    newest = max(at[seq] for seq in heard)
    acts = [entry for entry in log if (entry.body or {})["text"].startswith(f"{trial.words} ")]
    count.trials += 1
    count.frames += sum(at[seq] > trial.committed + LATE_MS for seq in heard)
    count.acts += sum(entry.at > trial.done for entry in acts)
    count.ends += trial.listener.ended not in small.ENDS[trial.kind]
    count.holes += heard != list(range(heard[0], heard[-1] + 1))
    count.later.append(max(0, newest - trial.committed))


def _table(counts: dict[Harm, Count]) -> Table:
    table = Table(("", *counts))
    rows = list(counts.values())
    table.add("doctors revoked", *(Figure(each.trials) for each in rows))
    table.add("late frames", *(Figure(each.frames, "", 0) for each in rows))
    table.add("late acts", *(Figure(each.acts, "", 0) for each in rows))
    table.add("lines that ended otherwise", *(Figure(each.ends, "", 0) for each in rows))
    table.add("holes and doubles", *(Figure(each.holes, "", 0) for each in rows))
    table.add("last word heard, worst", *(Figure(max(each.later), "ms", LATE_MS) for each in rows))
    table.add(
        "last word heard, 99 of 100", *(Figure(percentile(each.later, 0.99), "ms") for each in rows)
    )
    return table


_NOTES = (
    f"{ROUNDS} rounds of {DOCTORS} doctors each, who listen by socket, stream and polls and speak all the "
    "while; by turns a token is ended, a session, a verification, and a doctor suspended. On PostgreSQL "
    "over two processes' worth of houses, on SQLite one.",
    f"The pause: the door's clock is {PAUSE_SECONDS} s further at once, as after SIGSTOP.",
)
