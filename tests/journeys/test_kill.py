"""kill -9 of the server at random moments under load: what was acked is there, and nothing twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from tests.journeys.place import LOST, free_port, joined, lounge, serve, tokens
from tests.postgres import drop_database, fresh_database
from tests.processes import Run, Running, wait_until_gone

ROOMS = ("world", "country/ca")
TALKERS = 8
PATIENCE_SECONDS = 60
SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**9)


@dataclass(slots=True)
class Ledger:
    """What clients sent, and what they were told was kept."""

    sent: set[str] = field(default_factory=set)
    acked: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    more: asyncio.Condition = field(default_factory=asyncio.Condition)
    over: bool = False

    async def ack(self, text: str, place: tuple[str, int, str]) -> None:
        async with self.more:
            assert self.acked.setdefault(text, place) == place, "one client id, two places"
            self.more.notify_all()

    async def reaches(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.more:
            await self.more.wait_for(lambda: len(self.acked) >= count)


@pytest.mark.parametrize(("backend", "rounds"), [("sqlite", 20), ("postgres", 5)])
@pytest.mark.timeout(400)
async def test_no_acked_message_is_lost_and_none_is_doubled_by_kill_9(
    backend: str,
    rounds: int,
    run: Run,
    redis_url: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    environ = {"LOUNGE_DATA": str(tmp_path), "LOUNGE_BENCH": "1", "REDIS_URL": redis_url}
    databases: list[str] = []
    if backend == "postgres":
        server_url = request.getfixturevalue("postgres_url")
        databases = [fresh_database(server_url), fresh_database(server_url)]
        environ |= {"LOUNGE_DATABASE_URL": databases[0], "LOUNGE_IDENTITY_URL": databases[1]}
    await lounge(run, "upgrade", **environ)
    passes = await tokens(run, TALKERS, tmp_path, **environ)
    port, chance, ledger = free_port(), random.Random(SEED), Ledger()
    server = await serve(run, port, **environ)
    talkers = [asyncio.create_task(_talk(port, token, ledger)) for token in passes]
    for n in range(rounds):
        await ledger.reaches(len(ledger.acked) + chance.randrange(5, 60))
        if n % 2:
            server.descendant("web.worker").kill()  # its supervisor starts another
        else:
            server = await _start_again(run, server, port, environ)
    await ledger.reaches(len(ledger.acked) + 20)
    ledger.over = True
    await asyncio.wait_for(asyncio.gather(*talkers), PATIENCE_SECONDS)
    server.signal(signal.SIGTERM)
    await asyncio.to_thread(server.exit_code)

    kept = await _kept(tmp_path, databases)
    for database in databases:
        drop_database(database)
    _judge(ledger, kept)


async def _start_again(run: Run, server: Running, port: int, environ: dict[str, str]) -> Running:
    """Kill the supervisor as the kernel would; its children must end by themselves."""
    family = server.descendants()
    server.signal(signal.SIGKILL)
    await asyncio.to_thread(wait_until_gone, family)
    return await serve(run, port, **environ)


async def _talk(port: int, token: str, ledger: Ledger) -> None:
    """Say one thing after the other, each until it is acked, over as many connections as that takes."""
    waiting: dict[str, str] | None = None
    while not (ledger.over and waiting is None):
        try:
            async with joined(port, token, *ROOMS) as (line, _):
                while not (ledger.over and waiting is None):
                    if waiting is None:
                        text = secrets.token_hex(8)
                        room = ROOMS[len(ledger.sent) % len(ROOMS)]
                        waiting = {"room": room, "cid": secrets.token_hex(12), "text": text}
                        ledger.sent.add(text)
                    await line.send(json.dumps({"op": "say", "ref": 1, **waiting}))
                    answer = json.loads(await line.recv())
                    while "ref" not in answer:
                        answer = json.loads(await line.recv())
                    if answer["op"] == "ok":
                        place = (waiting["room"], answer["seq"], answer["id"])
                        await ledger.ack(waiting["text"], place)
                        waiting = None
        except LOST:
            await asyncio.sleep(0.05)  # a server that is starting does not listen yet


async def _kept(folder: Path, databases: list[str]) -> list[tuple[str, int, str, str]]:
    """(room, seq, id, text) of every entry, read from the database itself."""
    query = (
        "SELECT room.slug, entry.seq, entry.id, entry.body "
        "FROM entry JOIN room ON room.id = entry.room_id ORDER BY room.slug, entry.seq"
    )
    if databases:
        connection = await asyncpg.connect(databases[0].replace("+asyncpg", ""))
        rows = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
    else:
        rows = sqlite3.connect(folder / "lounge.db").execute(query).fetchall()
    return [(room, seq, id, json.loads(body)["text"]) for room, seq, id, body in rows]


def _judge(ledger: Ledger, kept: list[tuple[str, int, str, str]]) -> None:
    where = {text: (room, seq, id) for room, seq, id, text in kept}
    times = Counter(text for *_, text in kept)
    assert not {text for text, n in times.items() if n > 1}, f"doubled (seed {SEED})"
    lost = {text for text, place in ledger.acked.items() if where.get(text) != place}
    assert not lost, f"acked and lost (seed {SEED}): {lost}"
    assert set(where) <= ledger.sent
    assert ledger.acked.keys() == ledger.sent
    for name in ROOMS:
        seqs = [seq for room, seq, *_ in kept if room == name]
        assert seqs == list(range(1, len(seqs) + 1)), f"a hole in {name} (seed {SEED})"
