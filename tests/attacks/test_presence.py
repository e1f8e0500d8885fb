"""Presence that does not unmask: what two accounts can tell of one doctor by watching a band."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import pytest

from presence.bands import BANDS, BOUNDS, LOWEST, ROUND_SECONDS, SLOW_SECONDS, Held, moved
from tests.attacks.watching import (
    SCENES,
    Display,
    Scene,
    advantage,
    at_once,
    held_back,
    ours,
    still,
)
from tests.support import open_house

GAMES = 600
MOST = 0.1
ROOM = "specialty/cardiology"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_nobody_can_tell_whether_one_doctor_came_within_ten_minutes(scene: Scene) -> None:
    assert abs(advantage(scene, ours, GAMES, seed=5)) <= MOST


@pytest.mark.parametrize(("display", "others"), [(at_once, BOUNDS[0]), (held_back, BOUNDS[0] + 1)])
def test_a_band_that_follows_the_count_gives_her_away(display: Display, others: int) -> None:
    """The same two against a naive roster, and one that holds a band for two minutes and then tells."""
    edge = Scene("at the edge", 0, still(others))
    assert advantage(edge, display, 200, seed=5) > 0.8


@pytest.mark.parametrize("level", range(len(BANDS)))
def test_one_person_more_changes_the_odds_of_a_step_by_less_than_the_promise_allows(
    level: int,
) -> None:
    """Whatever attackers do or know: over ten minutes the sum of these differences bounds what they learn."""
    rounds = 600 / ROUND_SECONDS
    for people in range(160):
        one, more = (_odds(level, count) for count in (people, people + 1))
        assert sum(abs(one[to] - more[to]) for to in (-1, 1)) * rounds <= 600 / SLOW_SECONDS + 1e-9
    assert 600 / SLOW_SECONDS < MOST


def _odds(level: int, people: int) -> dict[int, float]:
    """The chance of a step down and of one up, found by asking at which draw it is no longer taken."""
    chances = {-1: 0.0, 1: 0.0}
    low, high = 0.0, 1.0
    if (step := moved(Held(level), people, 0, lambda a, b: a).level - level) == 0:
        return chances
    while high - low > 1e-12:
        middle = (low + high) / 2
        taken = moved(Held(level), people, 0, lambda a, b, m=middle: m).level != level  # type: ignore[misc]
        low, high = (middle, high) if taken else (low, middle)
    return chances | {step: low}


def test_many_are_shown_soon_all_the_same() -> None:
    random, held, now = Random(2), LOWEST, 0.0
    while held.level < 4:  # 51 to 100
        now += ROUND_SECONDS
        held = moved(held, 90, now, random.uniform)
    assert now < 30 * 60


async def test_every_answer_shows_the_same_band_whoever_is_really_there(
    tmp_path: Path, redis_url: str
) -> None:
    """Two processes of one house: welcome, join, list of rooms and presence frame."""
    async with (
        open_house(tmp_path, redis_url) as one,
        open_house(tmp_path, redis_url) as other,
    ):
        ana, ben = await one.guest("ana", ROOM), await other.guest("ana", ROOM)
        await one.lounge.news.roster._board.put({ROOM: Held(2, math.inf)})
        bands = [(await each.hears("presence", room=ROOM))["present"] for each in (ana, ben)]
        for house in (one, other):
            guest = await house.guest("chiara")
            bands.append((await guest.ask("join", room=ROOM))["present"])
            again = await house.guest("ana")  # who has been here before: it is among her rooms
            bands += [each["present"] for each in again.welcome["rooms"] if each["id"] == ROOM]
            async with house.http(house.passes["ana"]) as http:
                rooms = (await http.get("/api/rooms")).json()["rooms"]
            bands += [each["present"] for each in rooms if each["id"] == ROOM]
        assert bands == [{"min": 11, "max": 20}] * 8
