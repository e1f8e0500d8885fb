"""The interruption budget: what was received is counted as it arrives, and what it lets through follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from lounge.errors import Code, Refusal
from lounge.oncall.budget import (
    BUSY_FROM,
    HOUR_MS,
    MOST_A_NIGHT,
    MOST_AN_HOUR,
    Budget,
    Load,
    began,
    weighed,
)
from lounge.told import Quiet
from storage.identity_schema import interruption
from tests.oncall import role
from tests.stores import Clock, Stores, add_ana, doctor_by, open_stores
from tests.support import House, new_cid, open_house

NIGHT = Quiet("22:00", "07:00", "America/Toronto")
MINUTE = 60_000
DAY = 24 * HOUR_MS


def at(clock: str, zone: str = "America/Toronto") -> int:
    """A moment in ms by a wall clock there."""
    return int(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


# -- reckoned ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-05-04 21:59", None),
        ("2026-05-04 22:00", "2026-05-04 22:00"),
        ("2026-05-05 03:00", "2026-05-04 22:00"),
        ("2026-05-05 06:59", "2026-05-04 22:00"),
        ("2026-05-05 07:00", None),
        ("2026-03-08 03:30", "2026-03-07 22:00"),  # clocks went forward in this night
        ("2026-11-01 06:00", "2026-10-31 22:00"),  # and back in this one
    ],
)
def test_a_night_begins_by_the_wall_clock_also_before_midnight(
    now: str, begins: str | None
) -> None:
    assert began(NIGHT, at(now)) == (at(begins) if begins else None)


def test_where_both_hours_are_the_same_there_is_no_night() -> None:
    assert began(Quiet("00:00", "00:00", "America/Toronto"), at("2026-05-05 03:00")) is None


def test_what_lies_an_hour_back_counts_no_more() -> None:
    now = at("2026-05-04 12:00")
    assert weighed([now - HOUR_MS, now - HOUR_MS + 1, now], now, None).hour == 2


def test_over_the_hours_cap_she_is_free_when_enough_alerts_are_an_hour_old() -> None:
    now = at("2026-05-04 12:00")
    alerts = [now - 50 * MINUTE + each * MINUTE for each in range(MOST_AN_HOUR + 2)]
    load = weighed(alerts, now, None)
    assert load.free == alerts[2] + HOUR_MS
    assert weighed(alerts, load.free, None).hour == MOST_AN_HOUR - 1


def test_over_the_nights_cap_she_is_free_in_the_morning_and_by_day_no_night_counts() -> None:
    night, day = at("2026-05-05 03:00"), at("2026-05-05 08:00")
    alerts = [at(f"2026-05-05 0{hour}:10") for hour in range(MOST_A_NIGHT - 1)] + [night]
    assert weighed(sorted(alerts), night, NIGHT).free == at("2026-05-05 07:00")
    assert weighed(sorted(alerts), night, None).free is None
    assert weighed(sorted(alerts), day, NIGHT) == Load(0, 0, None)


def test_what_came_earlier_in_a_roles_night_makes_her_busy_to_who_pages_that_role() -> None:
    alerts = [at(f"2026-05-05 0{hour}:10") for hour in range(BUSY_FROM)]
    load = weighed(alerts, at("2026-05-05 05:00"), None)
    assert (load.word, load.by(NIGHT).word) == ("calm", "busy")
    assert load.by(Quiet("00:00", "00:00", "America/Toronto")).word == "calm"


@given(
    st.lists(st.integers(0, 3 * DAY), max_size=40).map(sorted),
    st.integers(0, 3 * DAY),
    st.sampled_from((None, NIGHT)),
)
def test_whoever_is_free_again_later_is_over_no_cap_then(
    alerts: list[int], now: int, night: Quiet | None
) -> None:
    load = weighed([each for each in alerts if each <= now], now, night)
    assert load.is_busy >= (load.free is not None)
    if load.free is not None:
        assert load.free > now
        assert weighed([each for each in alerts if each <= now], load.free, night).free is None


def test_a_sender_is_shown_a_word_and_no_count() -> None:
    assert Load(BUSY_FROM - 1).word == "calm"
    assert Load(BUSY_FROM).word == Load(0, BUSY_FROM).word == "busy"


# -- counted -------------------------------------------------------------------------------------


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as stores:
        yield stores


@pytest.fixture
async def ana(stores: Stores) -> str:
    await add_ana(stores.doctors())
    return (await doctor_by(stores, "ana@clinic.test")).id


@pytest.fixture
async def ben(stores: Stores) -> str:
    await add_ana(stores.doctors(), email="ben@clinic.test", country="US")
    return (await doctor_by(stores, "ben@clinic.test")).id


async def alerted(stores: Stores, budget: Budget, doctor_id: str, *notices: Notice) -> None:
    """As the relay brings them to her."""
    async with stores.identity.writing() as connection:
        await budget.noted(connection, doctor_id, notices)


Notice = dict[str, object]
PAGE: Notice = {"notice": "page", "urgency": "today"}


async def test_only_pages_count_and_each_does(stores: Stores, ana: str, ben: str) -> None:
    clock = Clock()
    budget = Budget(stores.identity, clock)
    await alerted(stores, budget, ana, PAGE, PAGE, {"notice": "page_over"}, {"notice": "hidden"})
    assert await budget.load([ana, ben]) == {ana: Load(2), ben: Load()}


async def test_what_is_a_day_old_is_forgotten(stores: Stores, ana: str) -> None:
    clock = Clock()
    budget = Budget(stores.identity, clock)
    await alerted(stores, budget, ana, PAGE, PAGE)
    clock.now += DAY
    await alerted(stores, budget, ana, PAGE)
    await budget.forget()
    async with stores.identity.reading() as connection:
        kept = (await connection.execute(select(func.count()).select_from(interruption))).scalar()
    assert kept == 1


async def test_when_she_was_alerted_is_known_to_ten_minutes(stores: Stores, ana: str) -> None:
    clock = Clock(at("2026-05-05 12:39"))
    budget = Budget(stores.identity, clock)
    await alerted(stores, budget, ana, PAGE)
    assert (await budget.load([ana]))[ana].alerts == (at("2026-05-05 12:30"),)


async def test_what_can_wait_waits_when_all_are_over_their_cap_and_until_the_first_is_not(
    stores: Stores, ana: str, ben: str
) -> None:
    clock = Clock()
    budget = Budget(stores.identity, clock)
    for _ in range(MOST_AN_HOUR):
        await alerted(stores, budget, ana, PAGE)
        clock.now += MINUTE
    assert await budget.admit([ana, ben], "routine", None) is None
    assert await budget.admit([ana], "today", None) == clock.now - 6 * MINUTE + HOUR_MS
    for _ in range(MOST_AN_HOUR):
        await alerted(stores, budget, ben, PAGE)
    assert await budget.admit([ben, ana], "today", None) == clock.now - 6 * MINUTE + HOUR_MS
    assert await budget.admit([], "today", None) is None


async def test_what_cannot_wait_asks_the_sender_for_a_reason(stores: Stores, ana: str) -> None:
    budget = Budget(stores.identity, Clock())
    await alerted(stores, budget, ana, *[PAGE] * MOST_AN_HOUR)
    with pytest.raises(Refusal) as refused:
        await budget.admit([ana], "now", " ")
    assert (refused.value.code, refused.value.key) == (Code.FORBIDDEN, "refusal.page_busy")
    assert refused.value.values["field"] == "override"
    assert await budget.admit([ana], "now", "She stopped breathing twice.") is None
    assert await budget.admit([ana], "routine", "He goes home in an hour.") is None


# -- as a sender meets it ------------------------------------------------------------------------


@pytest.fixture
async def house(tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path, redis_url) as house:
        yield house


async def test_pages_that_arrive_count_and_over_the_cap_the_sender_is_told_in_words(
    house: House,
) -> None:
    ben, chiara = await house.guest("ben", "me"), await house.guest("chiara", "me")
    of = await role(house, {"primary": ["chiara"]})

    def page(urgency: str, **more: str) -> dict[str, str]:
        return {"role": of, "urgency": urgency, "text": "Seizes.", "cid": new_cid(), **more}

    for _ in range(MOST_AN_HOUR):
        sent = await ben.ask("page", **page("today"))
        assert sent["phase"] == "sent"
        await chiara.hears("event", kind="notice", notice="page", about=sent["room"])
    async with house.http(await house.token("ben")) as http:
        listed = (await http.get("/api/roles")).json()["roles"]
    assert [each["load"] for each in listed] == ["busy"]
    waits = await ben.ask("page", **page("today"))
    assert waits["phase"] == "waiting"
    assert waits["until"]
    refused = await ben.refused("page", **page("now"))
    assert (refused["code"], refused["field"]) == ("forbidden", "override")
    assert (await ben.ask("page", **page("now", override="Status.")))["phase"] == "sent"
