"""SIGHUP under load: every worker is replaced, and nobody loses or misses anything."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.ledger import Ledger, all_heard, finish, judge, kept, talk
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run, wait_until_gone

ROOMS = ("world", "bench/1")
TALKERS = 8
WORKERS = 2
ROUNDS = 1


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_two_workers_are_replaced_under_load(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with on_postgres(postgres_url) as settings:
        environ = {**served.on_postgres(settings), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        server = Served(run, tmp_path, "--workers", str(WORKERS), **environ)
        talkers, ledger = [Talker(each) for each in await server.tokens(TALKERS)], Ledger(ROOMS)
        await server.start()
        talking = [asyncio.create_task(talk(each, server, ledger)) for each in talkers]
        knocking = asyncio.create_task(_knock(server.port, ledger))
        for _ in range(ROUNDS):
            await ledger.more(50)
            await _renewed(server)
        await ledger.more(50)
        await finish(ledger, talking)
        answered = await knocking
        entries = await kept(tmp_path, settings["database_url"])
        judge(ledger, ledger.acked, entries)
        await all_heard(talkers, entries)
    print(f"{answered} fresh connections answered, {len(entries)} entries")
    assert answered > ROUNDS * WORKERS


async def _renewed(server: Served) -> None:
    """Others answer than before, as many, and those before are gone; none had to be ended."""
    assert server.process
    old = _workers(server)
    server.process.signal(signal.SIGHUP)
    await asyncio.to_thread(server.process.heard, "Renewed")
    await asyncio.to_thread(wait_until_gone, old)
    assert len(_workers(server)) == len(old) == WORKERS
    assert not [line for line in server.process.said if "too long" in line], server.process.said


def _workers(server: Served) -> list[psutil.Process]:
    return [each for each in server.family() if "web.worker" in each.cmdline()]


async def _knock(port: int, ledger: Ledger) -> int:
    """One fresh connection after the other: how many were answered, each after two tries at most.

    A worker that goes may cut off who has just come in; nobody is ever refused.
    """
    answered = 0
    while not ledger.over:
        if not (await _is_answered(port) or await _is_answered(port)):
            raise AssertionError("two connections in a row were cut off")
        answered += 1
        await asyncio.sleep(0.02)
    return answered


async def _is_answered(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    except ConnectionResetError:
        return False
    finally:
        writer.close()
