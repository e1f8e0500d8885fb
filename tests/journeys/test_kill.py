"""kill -9 of the server at random moments under load: what was acked is there, and nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
from pathlib import Path

import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.ledger import Ledger, all_heard, finish, judge, kept, talk
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run, wait_until_gone

ROOMS = ("world", "country/ca", "bench/1")
TALKERS = 8
VICTIMS = ("worker", "all", "worker", "supervisor", "worker")
SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**9)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("backend", "rounds"), [("sqlite", 2), pytest.param("postgres", 3, marks=pytest.mark.long)]
)
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
        ledger, chance = Ledger(ROOMS), random.Random(SEED)
        print(f"seed {SEED}")
        await server.start()
        talking = [asyncio.create_task(talk(each, server, ledger)) for each in talkers]
        for n in range(rounds):
            await ledger.more(chance.randrange(5, 80))
            acked = dict(ledger.acked)
            await _kill(server, VICTIMS[n % len(VICTIMS)])
            judge(ledger, acked, await kept(tmp_path, database))
        await ledger.more(20)
        await finish(ledger, talking)
        entries = await kept(tmp_path, database)
        judge(ledger, ledger.acked, entries)
        await all_heard(talkers, entries)


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
