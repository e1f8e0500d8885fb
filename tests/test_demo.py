"""The demonstration's cast, and synthetic doctors."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from lounge import demo, scenes
from lounge.demo import CAST, NotForShow, synthetic
from lounge.errors import Refusal
from lounge.oncall.alerts import Alerts
from lounge.oncall.gateway import Gateway
from lounge.oncall.outside import Outside
from lounge.oncall.push import Push
from lounge.oncall.reach import Reaches
from tests.stores import START, Stores, add_ana
from tests.support import open_house


async def test_each_badge_of_the_cast_is_shared_by_five(stores: Stores) -> None:
    await demo.fill(stores.identity, now=START)
    doctors = stores.doctors()
    crowd: Counter[tuple[str, str, str]] = Counter()
    for each in await doctors.crowd():
        crowd[each.grade, each.specialty, each.country] += each.count
    doctors.close()
    assert len(crowd) == 6
    assert all(crowd[each.grade, each.specialty, each.country] >= 5 for each in CAST)


async def test_filling_again_and_at_once_adds_nobody(stores: Stores) -> None:
    await asyncio.gather(*(demo.fill(stores.identity, now=START) for _ in range(2)))
    doctors = stores.doctors()
    before = await doctors.verified_ids()
    await demo.fill(stores.identity, now=START)
    assert await doctors.verified_ids() == before
    doctors.close()
    assert len(before) == 5 + 6 * demo.COLLEAGUES


async def test_whoever_is_on_call_is_reached_by_one_letter(stores: Stores) -> None:
    await demo.fill(stores.identity, now=START)
    ways = _ways(stores)
    await asyncio.gather(*(demo.reach(stores.identity, ways) for _ in range(2)))
    for each in CAST:
        hers = await ways.of(await demo.doctor_id(stores.identity, each))
        assert [(way.row.kind, way.works) for way in hers] == [("mail", True)] * each.verified


async def test_a_demonstration_begins_with_something_for_its_moderator(
    tmp_path: Path, redis_url: str
) -> None:
    async with open_house(tmp_path, redis_url, demo=True) as house:
        assert await scenes.play(house.lounge)
        assert not await scenes.play(house.lounge)
        async with house.http(origin=house.url) as moira:
            assert (await moira.post("/api/demo", json={"id": "moderator"})).status_code == 200
            rooms = (await moira.get("/api/board")).json()["rooms"]
            waived = (await moira.get("/api/waived")).json()
            reports = (await moira.get("/api/reports")).json()["reports"]
    lines = {each["room"]: each for each in rooms}
    assert lines[scenes.ICU]["hidden_pending"] == 1
    assert lines[scenes.ICU]["reports"]["urgent"] >= 2
    assert lines[scenes.HOUSE]["reports"]["open"] == 1
    assert lines[scenes.FAR]["holds"] == 1
    assert lines[scenes.FAR]["mode"]["slow"] == 30
    assert lines["specialty/infectious-diseases"]["waiting"] == 1
    assert [sum(each["room"] == scenes.HERE for each in part) for part in waived.values()] == [1]
    disputed = {each["seq"] for each in reports if each["event"].get("caution")}
    assert len(disputed) == 1


async def test_real_doctors_are_never_mixed_with_made_up_ones(stores: Stores) -> None:
    doctors = stores.doctors()
    await add_ana(doctors)
    doctors.close()
    with pytest.raises(NotForShow):
        await demo.fill(stores.identity, now=START)
    assert not await demo.is_demo(stores.identity)
    with pytest.raises(Refusal):
        await demo.doctor_id(stores.identity, CAST[0])


async def test_populate_gives_each_of_thousands_a_token(stores: Stores) -> None:
    tokens = await demo.populate(stores.identity, 3_000, now=START)
    assert len(set(tokens)) == 3_000
    doctors = stores.doctors()
    visit = await doctors.by_token(tokens[1_234])
    assert visit
    assert visit.doctor.verified
    assert min(each.count for each in await doctors.crowd()) >= 5
    doctors.close()


@pytest.mark.parametrize("count", [1, 10, 99, 1_000, 20_000])
def test_synthetic_doctors_share_their_badges(count: int) -> None:
    made = list(synthetic(count, START))
    badges = Counter((each.specialty, each.country, each.grade) for each in made)
    assert len(made) == len({each.email for each in made}) == count
    assert min(badges.values()) >= min(count, 5)


def test_where_the_cast_is_a_few_are_spread_over_its_badges() -> None:
    made = list(synthetic(12, START, crowded=len(CAST)))
    assert {(each.specialty, each.country) for each in made} == {
        (member.specialty, member.country) for member in CAST
    }


def _ways(stores: Stores) -> Reaches:
    outside = Outside()
    push = Push(stores.keys.identity, (), "house@heart.example", outside)
    return Reaches(
        identity=stores.identity,
        keys=stores.keys,
        push=push,
        gateway=Gateway(None, [], outside),
        alerts=Alerts(stores.keys),
        wake=lambda: None,
    )
