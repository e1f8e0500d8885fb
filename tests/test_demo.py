"""The demonstration's cast, and synthetic doctors."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from lounge import demo
from lounge.demo import CAST, NotForShow, synthetic
from lounge.errors import Refusal
from tests.stores import START, Stores, add_ana


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
