"""kill -9 during ballots, closes and reminders, of two server processes on one PostgreSQL.

What was acked is counted, nothing is counted twice, each case is revealed once and each author reminded once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from lounge.clock import now_ms
from tests.backends import on_postgres
from tests.journeys import crowd, served
from tests.journeys.board import rows
from tests.journeys.crowd import Acked, Member, opine, until
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run

CASES, DOCTORS = 6, 8
BY_NUMBER = 3
"""So many cases close by the number of their ballots, the others by the time."""
SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**9)
_PUT_FORWARD = "UPDATE due SET at = $1 WHERE kind = $2"
_TAKEN = "SELECT count(*) FROM due WHERE leased > 0 AND kind = '{}'"
_LEFT = "SELECT count(*) FROM due WHERE kind = '{}'"


@dataclass(frozen=True, slots=True)
class Hospital:
    """Two servers on one PostgreSQL, and who is on them."""

    servers: Sequence[Served]
    folder: Path
    database: str
    members: Sequence[Member]
    chance: random.Random

    async def kill(self, *which: int) -> None:
        """The workers, all at once and without a word; returns once they are back."""
        for each in which:
            self.servers[each].worker().kill()
        await asyncio.gather(*(self.servers[each].back() for each in which))

    async def make_due(self, kind: str) -> None:
        """As if its time had come."""
        connection = await asyncpg.connect(self.database.replace("+asyncpg", ""))
        await connection.execute(_PUT_FORWARD, now_ms(), kind)
        await connection.close()

    async def count(self, query: str, kind: str) -> int:
        ((found,),) = await rows(self.folder, self.database, query.format(kind))
        return int(found)

    async def kill_as_it_is_done(self, kind: str) -> None:
        """Whoever has taken the work is killed with it, and the other one takes it over."""

        async def is_under_way() -> bool:
            taken = await self.count(_TAKEN, kind)
            return bool(taken) or not await self.count(_LEFT, kind)

        await self.make_due(kind)
        await until(is_under_way)
        await self.kill(0, 1)


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_no_ballot_is_lost_and_no_timer_fires_twice(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    print(f"seed {SEED}")
    async with on_postgres(postgres_url) as settings:
        environ = {**served.on_postgres(settings), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        servers = [Served(run, tmp_path, **environ) for _ in range(2)]
        tokens = await servers[0].tokens(DOCTORS)
        await asyncio.gather(*(each.start() for each in servers))
        members = [
            Member(Talker(token), servers, number=number) for number, token in enumerate(tokens)
        ]
        house = Hospital(servers, tmp_path, settings["database_url"], members, random.Random(SEED))
        await asyncio.gather(*(each.connect() for each in members))
        cases = await _opened(house)
        await _voted(house, cases)
        await _revealed(house, cases)
        await _reminded(house, cases)
        for each in members:
            await each.talker.close()
            assert each.talker.faults == []


async def _opened(house: Hospital) -> list[str]:
    cases = []
    for n in range(CASES):
        enough = DOCTORS - 1 if n < BY_NUMBER else 50
        fields = {"question": f"What would you do with number {'abcdef'[n]}?", "enough": enough}
        asked = await house.members[n].does(op="consult", **fields, specialties=["cardiology"])
        assert asked["op"] == "ok", asked
        cases.append(asked["consult"])
    await asyncio.gather(*(_enter(each, cases) for each in house.members))
    return cases


async def _enter(member: Member, cases: Sequence[str]) -> None:
    await member.enters("me")
    for room in cases:
        await member.enters(room)


async def _voted(house: Hospital, cases: Sequence[str]) -> None:
    """One server and then both are killed while ballots come in; cases close by number meanwhile."""
    acked = Acked()
    voting = [
        asyncio.create_task(opine(each, _others(house, each, cases), acked))
        for each in house.members
    ]
    total = CASES * (DOCTORS - 1)
    await acked.reaches(house.chance.randrange(3, total // 3))
    await house.kill(0)
    await acked.reaches(house.chance.randrange(total // 2, total - 3))
    await house.kill(0, 1)
    await asyncio.gather(*voting)
    kept = await crowd.ballots(house.folder, house.database)
    for room in cases:
        wanted = sorted(text for (where, _), text in acked.ballots.items() if where == room)
        assert sorted(kept[room]) == wanted
        assert len(wanted) == DOCTORS - 1


async def _revealed(house: Hospital, cases: Sequence[str]) -> None:
    """The time of the others comes, and whoever begins to close them is killed."""

    async def are_all() -> bool:
        return len(await crowd.entries(house.folder, house.database, "consult.reveal")) == CASES

    await house.kill_as_it_is_done("consult.close")
    await until(are_all)
    revealed = await crowd.entries(house.folder, house.database, "consult.reveal")
    kept = await crowd.ballots(house.folder, house.database)
    for room in cases:
        (told,) = revealed[room]
        assert told["opinions"] == DOCTORS - 1
        assert {each["label"] for each in told["pool"]} == {*kept[room], "something usual"}
        assert sum(each["first"] for each in told["pool"]) == DOCTORS - 1
    late = await house.members[0].does(op="opine", room=cases[1], ranked=["too late"])
    assert late["code"] in ("frozen", "forbidden")


async def _reminded(house: Hospital, cases: Sequence[str]) -> None:
    """A week has gone by since they decided: each author is asked once how it ended."""
    for room, author in zip(cases, house.members, strict=False):
        decided = await author.does(op="decide", room=room, did="As most of you said.")
        assert decided["op"] == "ok", decided
    assert await house.count(_LEFT, "consult.remind") == CASES
    await house.kill_as_it_is_done("consult.remind")

    async def is_quiet() -> bool:
        letters = await rows(house.folder, house.database, "SELECT count(*) FROM outbox")
        return letters[0][0] == 0 and not await house.count(_LEFT, "consult.remind")

    await until(is_quiet)
    for room, author in zip(cases, house.members, strict=False):
        assert await _asked(author, room) == 1
        assert (await author.does(op="outcome", room=room, dismiss=True))["op"] == "ok"


async def _asked(author: Member, room: str) -> int:
    """How often her own log asks her about the outcome."""
    head = (await author.does(op="history", room="me", after=0))["head"]
    log = [json.loads(each.frame) for each in await author.talker.reaches("me", head)]
    return sum(each["notice"] == "consult_outcome" and each["about"] == room for each in log)


def _others(house: Hospital, member: Member, cases: Sequence[str]) -> list[str]:
    """All but her own, in an order of her own."""
    others = [room for n, room in enumerate(cases) if n != member.number]
    house.chance.shuffle(others)
    return others
