"""What links two personas of one doctor, or a persona to a name: nothing that the product wrote.

Two hundred doctors, five thousand posts, and an attacker with the lounge database, its write-ahead log and
every frame that a member received. Larger, and from several seeds: `python -m tests.scale linkage`.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage.schema import sanction
from tests.attacks.cases import attacked, clues_of, personas_of
from tests.attacks.clues import Clues, Rows, tables_of
from tests.attacks.evenings import Evidence, Plan, Week, opened, spent
from tests.attacks.leaky import LEAKS, QUICK, Leak
from tests.attacks.linking import CERTAINTY, Verdict, beaten
from tests.backends import on_postgres

IN_TIME = ("entry.at", "frames: place", "entry: order of rows")
SMALL = Plan(doctors=20, posts=120, seed=3)


pytestmark = pytest.mark.timeout(600)  # a week of 200 doctors is lived first


@pytest.fixture(scope="module")
async def week(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[Evidence]:
    folder = tmp_path_factory.mktemp("linkage")
    async with spent(Plan(), folder, redis_url) as evidence:
        yield evidence


@pytest.fixture(scope="module")
async def found(week: Evidence) -> Clues:
    return await clues_of(week)


@pytest.fixture(scope="module")
async def village(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[Week]:
    """A house for what needs no crowd: each test has rooms of its own there."""
    folder = tmp_path_factory.mktemp("village")
    async with opened(SMALL.doctors, SMALL.seed, folder, redis_url) as week:
        yield week


async def test_no_attack_joins_two_personas_or_names_an_author(
    week: Evidence, found: Clues
) -> None:
    verdicts = await attacked(week, found)
    assert len(week.known) == 200
    assert sum(frame["kind"] == "say" for frame in week.frames) >= 5_000
    assert len(verdicts) > 180
    tried = {each.attack: each.tried for each in verdicts if "ballot.key" in each.attack}
    assert len(tried) == 7  # ballots and voters by three ways each, and names
    assert min(tried.values()) > 80
    put = [each.tried for each in verdicts if each.attack.startswith("page to ")]
    assert len(put) > 50
    assert min(put) > 500
    assert beaten(verdicts) == []


@pytest.mark.long
async def test_on_postgresql_neither_transactions_nor_the_order_of_rows_join_anybody(
    tmp_path: Path, redis_url: str, postgres_url: str
) -> None:
    async with on_postgres(postgres_url) as urls:
        plan = Plan(doctors=20, posts=300, seed=2)
        async with spent(plan, tmp_path, redis_url, **urls) as evidence:
            verdicts = await attacked(evidence)
    assert "entry._xmin, near" in {each.attack for each in verdicts}
    assert beaten(verdicts) == []


async def test_every_table_that_says_anything_of_a_persona_was_searched(
    week: Evidence, found: Clues
) -> None:
    """An attack that was given nothing must not pass for one that found nothing."""
    tables = {name.partition(".")[0] for name in found if ":" not in name}
    assert tables >= {"entry", "persona", "receipt", "reaction", "report", "talk"}
    assert tables >= {"consult", "card", "poll", "ballot", "page", "alerted", "appeal"}
    assert {0, 1, 2} <= {weight for those in found["report.weight"].values() for weight in those}
    assert len(week.alerted) > 100
    assert set(found["alerted.at"]) >= set(week.alerted)
    retired = Counter(
        (owner, each.cell) for each in personas_of(week) for owner in (week.owner[each.id],)
    )
    assert sum(count > 1 for count in retired.values()) > 50
    assert len(found["persona.sealed"]) == len(week.owner) - len(week.ballots)
    assert len(week.ballots) > 200
    assert len(found["lounge.db-wal: first place"]) > 100  # its last few megabytes
    assert len(found["frames: name"]) > 1_000


# -- the attacks can win -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leak",
    [each if each.name in QUICK else pytest.param(each, marks=pytest.mark.long) for each in LEAKS],
    ids=lambda leak: leak.name,
)
async def test_a_careless_build_is_found_out(
    village: Week, leak: Leak, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak.careless(monkeypatch)
    rooms = tuple(f"bench/{LEAKS.index(leak) + 1}{n:03}" for n in range(3))
    pages = 6 if leak.attack.startswith("page to ") else 0
    plan = Plan(**_of(SMALL), rooms=rooms, pages=pages, reports=0)
    verdicts = await attacked(await village.talk(plan))
    assert leak.attack in {each.attack for each in beaten(verdicts)}


@pytest.mark.long
async def test_whoever_is_at_work_in_two_rooms_at_once_can_be_seen_to_be(village: Week) -> None:
    """No product can hide it from whoever sees all: said in docs/anonymity.md, not promised."""
    rooms = tuple(f"bench/9{n:03}" for n in range(3))
    plan = Plan(**{**_of(SMALL), "posts": 300, "sessions": True}, rooms=rooms)
    verdicts = await attacked(await village.talk(plan))
    seen = [each for each in beaten(verdicts) if each.attack.startswith(IN_TIME)]
    assert seen
    assert all(each.hits < each.tried / 2 for each in seen)  # a guess, not a certainty


def test_chance_is_not_taken_for_an_attack() -> None:
    assert beaten([Verdict("chance", tried=1_000, hits=104, chance=100.0)]) == []
    assert Verdict("half of them", tried=1_000, hits=500, chance=100.0).p < CERTAINTY / 1_000
    assert Verdict("nothing to try").p == 1


# -- what is tied to nobody ----------------------------------------------------------------------


async def test_no_persona_and_no_doctor_stands_in_what_is_tied_to_nobody(week: Evidence) -> None:
    """Sanctions, letters, audits: rows that must not lead to a persona in any way of writing it."""
    tables = await tables_of(week.url, week.folder)
    sought: defaultdict[int, set[bytes]] = defaultdict(set)
    for value in (*week.owner, *(each.id.encode() for each in week.known)):
        for form in _forms(value):
            sought[len(form)].add(form)
    for table in ("sanction", "outbox", "lounge_audit", "hand", "evidence", "report_note"):
        assert tables[table], table
        assert not _among(tables[table], sought), table
    assert len(_among(tables["entry"], sought)) > 1_000  # where personas are kept they are found


async def test_two_sanctions_of_one_doctor_have_no_value_in_common(village: Week) -> None:
    speaker, rooms = village.speakers[3], ("bench/11", "bench/12", "bench/13")
    await speaker.sits(rooms)
    for room in rooms:
        seq = await speaker.says(room, village.random)
        village.authors[room, seq] = 3
        await village._mute(speaker, room, seq, minutes=60)
    kept = (sanction.c.id, sanction.c.salt, sanction.c.mark, sanction.c.licence)
    async with village.lounge.database.reading() as connection:
        found = (await connection.execute(select(*kept).where(sanction.c.room.in_(rooms)))).all()
    assert len(found) == 3
    for one, other in combinations(found, 2):
        assert not set(one) & set(other)


def _of(plan: Plan) -> dict[str, Any]:
    return {"doctors": plan.doctors, "posts": plan.posts, "seed": plan.seed}


def _forms(value: bytes) -> list[bytes]:
    encoded = base64.urlsafe_b64encode(value).rstrip(b"=")
    return [value, value.hex().encode(), encoded, base64.b64encode(value).rstrip(b"=")]


def _among(rows: Rows, sought: Mapping[int, set[bytes]]) -> set[bytes]:
    kept = b"\n".join(_bytes(value) for row in rows for value in row.values())
    return {
        kept[at : at + width]
        for width, forms in sought.items()
        for at in range(len(kept) - width + 1)
        if kept[at : at + width] in forms
    }


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
