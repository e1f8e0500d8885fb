"""kill -9 of the server at random moments under load: what was acked is there, and nothing twice.

The judge shares nothing with the server: it reads the database itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import asyncpg
import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.served import Served
from tests.journeys.talker import Lost, Talker
from tests.processes import Run, wait_until_gone
from tests.support import new_cid

ROOMS = ("world", "country/ca", "bench/1")
TALKERS = 8
PATIENCE_SECONDS = 60
VICTIMS = ("worker", "all", "worker", "supervisor", "worker")
SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**9)

Place = tuple[str, int, str]
"""Room, seq and id of an entry."""


@dataclass(slots=True)
class Ledger:
    """What clients sent, and what they were told was kept."""

    sent: set[str] = field(default_factory=set)
    acked: dict[str, Place] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    over: bool = False
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def ack(self, text: str, place: Place) -> None:
        async with self._more:
            assert self.acked.setdefault(text, place) == place, "one client id, two places"
            self._more.notify_all()

    async def more(self, count: int) -> None:
        """Wait for that many further acks."""
        enough = len(self.acked) + count
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: len(self.acked) >= enough)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("backend", "rounds"), [("sqlite", 20), ("postgres", 5)])
async def test_nothing_acked_is_lost_and_nothing_is_doubled_by_kill_9(
    backend: str, rounds: int, run: Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with contextlib.AsyncExitStack() as ending:
        database, environ = None, {"LOUNGE_BENCH": "1"}
        if backend == "postgres":
            settings = await ending.enter_async_context(
                on_postgres(request.getfixturevalue("postgres_url"))
            )
            database, environ = settings["database_url"], environ | served.on_postgres(settings)
        server = Served(run, tmp_path, **environ)
        talkers = [Talker(token) for token in await server.tokens(TALKERS)]
        ledger, chance = Ledger(), random.Random(SEED)
        await server.start()
        talking = [asyncio.create_task(_talk(each, server, ledger)) for each in talkers]
        for n in range(rounds):
            await ledger.more(chance.randrange(5, 80))
            acked = dict(ledger.acked)
            await _kill(server, VICTIMS[n % len(VICTIMS)])
            _judge(ledger, acked, await _kept(tmp_path, database))
        await ledger.more(20)
        ledger.over = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*talking)
        kept = await _kept(tmp_path, database)
        _judge(ledger, ledger.acked, kept)
        assert ledger.acked.keys() == ledger.sent
        await _heard_it_all(talkers, kept)


async def _kill(server: Served, victim: str) -> None:
    """As the kernel would, without a word; returns once the lounge is open again."""
    assert server.process
    if victim == "worker":
        server.worker().kill()
        await server.back()
        return
    family = server.family()
    for each in family if victim == "all" else family[:1]:
        with contextlib.suppress(served.Gone):
            each.kill()
    await asyncio.to_thread(server.process.exit_code)
    await asyncio.to_thread(wait_until_gone, family[1:])  # the children by themselves
    await server.start()


async def _talk(talker: Talker, server: Served, ledger: Ledger) -> None:
    """Say one thing after the other, each until it is acked, over as many lines as that takes."""
    waiting: dict[str, Any] | None = None
    while not (ledger.over and waiting is None):
        try:
            await talker.connect(server.port)
            for room in ROOMS:
                await talker.join(room)
            while not (ledger.over and waiting is None):
                waiting = waiting or _something_new(ledger)
                answer = await talker.ask({"op": "say", **waiting})
                if answer["op"] == "ok":
                    place = (waiting["room"], answer["seq"], answer["id"])
                    await ledger.ack(waiting["text"], place)
                    waiting = None
                else:
                    ledger.refusals[answer["code"]] += 1
                    assert answer["code"] in ("busy", "storage"), answer
        except Lost:
            await asyncio.sleep(0.05)  # a server that is starting does not listen yet


def _something_new(ledger: Ledger) -> dict[str, Any]:
    text = "".join(
        secrets.choice(ascii_lowercase) for _ in range(16)
    )  # no digits: no number is held
    ledger.sent.add(text)
    return {"room": ROOMS[len(ledger.sent) % len(ROOMS)], "cid": new_cid(), "text": text}


# -- the judge -----------------------------------------------------------------------------------


async def _kept(folder: Path, database: str | None) -> list[tuple[str, int, str, str]]:
    """(room, seq, id, text) of every entry, read from the database itself."""
    query = (
        "SELECT room.slug, entry.seq, entry.id, entry.body, room.last_seq "
        "FROM entry JOIN room ON room.id = entry.room_id ORDER BY room.slug, entry.seq"
    )
    if database is None:
        with contextlib.closing(sqlite3.connect(folder / "lounge.db")) as lounge:
            rows = lounge.execute(query).fetchall()
    else:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        rows = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
    heads = {room: (seq, last_seq) for room, seq, _, _, last_seq in rows}
    assert all(seq == last_seq for seq, last_seq in heads.values()), heads
    return [(room, seq, id, json.loads(body)["text"]) for room, seq, id, body, _ in rows]


def _judge(ledger: Ledger, acked: dict[str, Place], kept: list[tuple[str, int, str, str]]) -> None:
    where = {text: (room, seq, id) for room, seq, id, text in kept}
    doubled = [text for text, n in Counter(text for *_, text in kept).items() if n > 1]
    assert not doubled, f"doubled (seed {SEED}): {doubled}"
    lost = {text for text, place in acked.items() if where.get(text) != place}
    assert not lost, f"acked and lost (seed {SEED}): {lost}"
    assert where.keys() <= ledger.sent
    for name in ROOMS:
        seqs = [seq for room, seq, *_ in kept if room == name]
        assert seqs == list(range(1, len(seqs) + 1)), f"a hole in {name} (seed {SEED})"


async def _heard_it_all(talkers: list[Talker], kept: list[tuple[str, int, str, str]]) -> None:
    """Every client's own view, over all its lines, is the same run without a hole or a reset."""
    for room in ROOMS:
        there = [(seq, id) for name, seq, id, _ in kept if name == room]
        for talker in talkers:
            heard = await talker.reaches(room, len(there))
            assert [(each.seq, each.id) for each in heard] == there
    for talker in talkers:
        await talker.close()
        assert talker.faults == []
