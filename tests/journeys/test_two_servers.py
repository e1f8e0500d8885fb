"""Two server processes, one PostgreSQL, one Valkey, one room: one order for everybody."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run
from tests.schema import check_frame
from tests.support import new_cid

ROOM = "bench/1"
CLIENTS = 50  # on each
MESSAGES = 2_000


@pytest.mark.timeout(240)
async def test_a_hundred_doctors_on_two_servers_hear_one_order(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with on_postgres(postgres_url) as settings:
        environ = {**served.on_postgres(settings), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        first, second = Served(run, tmp_path, **environ), Served(run, tmp_path, **environ)
        tokens = await first.tokens(2 * CLIENTS)
        await asyncio.gather(first.start(), second.start())
        assert first.port != second.port
        talkers = [Talker(token) for token in tokens]
        here, there = talkers[:CLIENTS], talkers[CLIENTS:]
        await asyncio.gather(*(_enter(each, first) for each in here))
        await asyncio.gather(*(_enter(each, second) for each in there))
        said = await asyncio.gather(*(_talk(each, n) for n, each in enumerate(talkers)))
        logs = [await each.reaches(ROOM, MESSAGES) for each in talkers]
        for each in talkers:
            await each.close()
    assert [fault for each in talkers for fault in each.faults] == []
    assert [heard.seq for heard in logs[0]] == list(range(1, MESSAGES + 1))
    views = [[_content(heard.frame) for heard in log] for log in logs]
    assert all(view == views[0] for view in views)
    events = [json.loads(frame) for frame in views[0]]
    for event in events[:: MESSAGES // 20]:
        check_frame(event, {})
    acked = {seq: text for each in said for seq, text in each}
    assert {event["seq"]: event["text"] for event in events} == acked
    assert len(acked) == MESSAGES
    _took_turns([event["text"] for event in events])


async def _enter(talker: Talker, server: Served) -> None:
    await talker.connect(server.port)
    await talker.join(ROOM)


async def _talk(talker: Talker, number: int) -> list[tuple[int, str]]:
    """Its share of the messages, one after the other: where each was acked to stand."""
    acked = []
    for n in range(MESSAGES // (2 * CLIENTS)):
        text = f"{number} says {n}"
        answer = await talker.ask({"op": "say", "room": ROOM, "cid": new_cid(), "text": text})
        assert answer["op"] == "ok", answer
        acked.append((answer["seq"], text))
    assert acked == sorted(acked)
    return acked


def _content(frame: str) -> str:
    """Letter by letter, but for `as_of`: it says when a server that missed a hint read the log."""
    return re.sub(r',"as_of":\d+(?=}$)', "", frame)


def _took_turns(texts: list[str]) -> None:
    """Both servers' doctors spoke all along, not one server after the other."""
    servers = [int(text.split()[0]) < CLIENTS for text in texts]
    changes = sum(a != b for a, b in pairwise(servers))
    assert changes > 20
