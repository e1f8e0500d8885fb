"""Who is here: counted over all processes, once a person, shown late, as one slow band for everybody."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from presence.bands import BANDS, BOUNDS, HOLD_SECONDS, LOWEST, Band, Held, moved
from presence.board import TURN_SECONDS, Board
from presence.lag import LAG_SECONDS, Lag
from presence.leases import LEASE_SECONDS, STEP_SECONDS, Leases
from presence.roster import Roster

ANA, BEN, CHIARA = b"ana", b"ben", b"chiara"
CROWD = [f"doctor {n}".encode() for n in range(60)]
MOST, HERE = BOUNDS[0], "lounge:{}:here:{}"


class Clock:
    """The time of day as a test wants it, in seconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Process:
    """A roster, and the bands it told of."""

    roster: Roster
    told: list[dict[str, Band]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class House:
    """Processes that share a Redis and a clock. Draws are the smallest there are unless told otherwise."""

    redis: Redis
    clock: Clock
    name: str = field(default_factory=lambda: secrets.token_hex(6))

    def process(self, draws: Callable[[float, float], float] = min) -> Process:
        told: list[dict[str, Band]] = []

        def changed(bands: Mapping[str, Band]) -> None:
            told.append(dict(bands))

        leases = Leases(self.redis, self.name, clock=self.clock)
        board = Board(self.redis, self.name)
        return Process(Roster(leases, board, changed, clock=self.clock, uniform=draws), told)

    async def hold_over(self, *processes: Process) -> None:
        """Two rounds of each, after the longest that a draw of the smallest lets anything stand."""
        self.clock.now += HOLD_SECONDS[0] + 1
        for _ in range(2):
            for each in processes:
                await each.roster.tick()

    async def members(self, room: str) -> list[bytes]:
        return list(await self.leases(room))

    async def leases(self, room: str) -> dict[bytes, float]:
        """Who has one, and when it ends."""
        key = HERE.format(self.name, room)
        found: Any = await self.redis.zrange(key, 0, -1, withscores=True)
        return dict(found)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def house(redis: Redis) -> House:
    return House(redis, Clock())


@pytest.fixture
def room() -> str:
    return f"house/{secrets.token_hex(6)}"


def enter(process: Process, room: str, people: int) -> None:
    for member in CROWD[:people]:
        process.roster.enter(room, member)


# -- bands ---------------------------------------------------------------------------------------


def test_the_bands_leave_no_count_out() -> None:
    assert Held().band == Band(0, 5)
    assert BANDS[-1] == Band(101, None)
    for lower, upper in pairwise(BANDS):
        assert lower.max is not None
        assert upper.min == lower.max + 1


def test_a_band_moves_by_one_step_however_many_come() -> None:
    held = moved(LOWEST, 500, 0, min)
    assert held.band == Band(6, 10)
    assert moved(Held(5), 0, 0, min).band == Band(51, 100)


def test_after_a_step_a_band_stands_for_a_time_that_is_drawn() -> None:
    draws = iter([0.0, 77.0])
    held = moved(LOWEST, 500, 1_000, lambda low, high: next(draws))
    assert held == Held(1, 1_077)
    assert moved(held, 500, 1_076, min) == held
    assert moved(held, 500, 1_077, min).level == 2


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_count_that_hovers_about_a_bound_moves_nothing(bound: int) -> None:
    level = BOUNDS.index(bound)
    for people in (bound, bound + 1):
        assert moved(Held(level), people, 0, min) == Held(level)
        assert moved(Held(level + 1), people, 0, min) == Held(level + 1)


def test_a_hundred_who_come_are_seen_within_minutes_and_one_is_not() -> None:
    random, seen = Random(4), []
    for people in (BOUNDS[0] + 2, 100):
        held, now = LOWEST, 0.0
        while held.level == 0:
            now += 2
            held = moved(held, people, now, random.uniform)
        seen.append(now)
    assert seen[1] < 600 < seen[0]


# -- one process ---------------------------------------------------------------------------------


async def test_a_second_tab_is_not_a_second_person(house: House, room: str) -> None:
    here = house.process()
    for member in (ANA, BEN, ANA):
        here.roster.enter(room, member)
    await here.roster.tick()
    assert sorted(await house.members(room)) == [ANA, BEN]
    here.roster.leave(room, ANA)  # one of her tabs
    await here.roster.tick()
    assert sorted(await house.members(room)) == [ANA, BEN]
    here.roster.leave(room, ANA)
    await here.roster.tick()
    assert await house.members(room) == [BEN]


async def test_a_band_is_told_when_it_changes_and_only_then(house: House, room: str) -> None:
    here = house.process()
    enter(here, room, 7)
    await house.hold_over(here)
    await house.hold_over(here)
    assert here.told == [{room: Band(6, 10)}]
    for member in CROWD[:7]:
        here.roster.leave(room, member)
    await house.hold_over(here)
    assert here.told == [{room: Band(6, 10)}, {room: Band(0, 5)}]


async def test_who_just_came_is_shown_what_everybody_is_shown(house: House, room: str) -> None:
    here = house.process()
    assert here.roster.present(room) == Band(0, 5)
    enter(here, room, 60)
    assert here.roster.present(room) == Band(0, 5)


async def test_rooms_that_nobody_is_in_leave_nothing_behind(house: House, room: str) -> None:
    here = house.process()
    enter(here, room, 7)
    await house.hold_over(here)
    for member in CROWD[:7]:
        here.roster.leave(room, member)
    for _ in range(3):
        await house.hold_over(here)
    assert not await house.members(room)
    assert not await house.redis.hexists(f"lounge:{house.name}:bands", room)
    assert (here.roster._here, here.roster._shown, here.roster._lag.told) == ({}, {}, {})


# -- several processes ---------------------------------------------------------------------------


async def test_processes_count_together(house: House, room: str) -> None:
    one, other = house.process(), house.process()
    for n, member in enumerate(CROWD[:8]):
        (one, other)[n % 2].roster.enter(room, member)
    await house.hold_over(one, other)
    await house.hold_over(one, other)
    assert one.roster.present(room) == other.roster.present(room) == Band(6, 10)


async def test_one_person_at_two_processes_is_one(house: House, room: str) -> None:
    one, other = house.process(), house.process()
    for here in (one, other):
        enter(here, room, MOST)
    await house.hold_over(one, other)
    await house.hold_over(one, other)
    assert one.roster.present(room) == Band(0, 5)


async def test_all_processes_show_the_one_draw(house: House, room: str) -> None:
    """Whoever connects to each of them learns no more than at one."""
    random = Random(7)
    processes = [house.process(random.uniform) for _ in range(3)]
    enter(processes[0], room, 60)
    shown = set()
    for _ in range(200):
        house.clock.now += 20
        for each in processes:
            await each.roster.tick()
        for each in processes[1:]:
            await each.roster.tick()
        bands = {each.roster.present(room) for each in processes}
        assert len(bands) == 1
        shown |= bands
    assert len(shown) > 2


async def test_another_process_goes_on_when_the_one_that_moved_the_bands_has_died(
    house: House, room: str
) -> None:
    dead, other = house.process(), house.process()
    await dead.roster.tick()
    enter(other, room, 7)
    await house.hold_over(other)
    assert other.roster.present(room) == Band(0, 5)  # it is not for that one to move it
    await house.redis.delete(f"lounge:{house.name}:bands:turn")  # as it is TURN_SECONDS later
    assert 0 < TURN_SECONDS < HOLD_SECONDS[0]
    await house.hold_over(other)
    assert other.roster.present(room) == Band(6, 10)


async def test_another_house_on_the_same_redis_counts_its_own(house: House, room: str) -> None:
    ours, theirs = house.process(), House(house.redis, house.clock).process()
    enter(ours, room, 60)
    await house.hold_over(ours, theirs)
    assert ours.roster.present(room) == Band(6, 10)
    assert theirs.roster.present(room) == Band(0, 5)


async def test_who_was_at_a_process_that_died_is_counted_until_the_lease_ends(
    house: House, room: str
) -> None:
    dead, other = house.process(), house.process()
    enter(dead, room, 7)
    await dead.roster.tick()
    assert await other.roster._leases.counts([room]) == {room: 7}
    house.clock.now += LAG_SECONDS  # so long may it take until all are counted elsewhere
    assert await other.roster._leases.counts([room]) == {room: 7}
    house.clock.now += LEASE_SECONDS - LAG_SECONDS + 1
    assert await other.roster._leases.counts([room]) == {room: 0}


async def test_who_stays_keeps_the_lease(house: House, room: str) -> None:
    one = house.process()
    one.roster.enter(room, ANA)
    for _ in range(20):
        await one.roster.tick()
        house.clock.now += STEP_SECONDS
        assert await one.roster._leases.counts([room]) == {room: 1}


async def test_leases_end_on_whole_steps_so_that_two_rooms_cannot_be_matched_by_the_second(
    house: House, room: str
) -> None:
    began = house.clock.now
    for n in range(0, STEP_SECONDS, 7):
        here = house.process()
        here.roster.enter(room, f"{n}".encode())
        house.clock.now = began + n
        await here.roster.tick()
    assert set((await house.leases(room)).values()) == {began + LEASE_SECONDS}


async def test_a_redis_that_lost_everything_is_told_again(house: House, room: str) -> None:
    one, other = house.process(), house.process(max)  # who of itself would move nothing now
    enter(one, room, 7)
    for _ in range(2):
        await house.hold_over(one, other)
    keys = [key async for key in house.redis.scan_iter(f"lounge:{house.name}:*")]
    await house.redis.delete(*keys)
    await other.roster.tick()
    assert other.roster.present(room) == Band(6, 10)
    house.clock.now += STEP_SECONDS
    await one.roster.tick()
    assert one.roster.present(room) == Band(6, 10)
    assert len(await house.members(room)) == 7


async def test_without_redis_the_bands_stand_still(room: str) -> None:
    async with Redis.from_url("unix:///nowhere/at/all.sock") as redis:
        house = House(redis, Clock())
        here = house.process()
        here.roster._shown = {room: Held(2)}
        enter(here, room, 60)
        await house.hold_over(here)
        assert here.roster.present(room) == Band(11, 20)
        assert here.told == []


# -- when others hear of it ----------------------------------------------------------------------


def test_several_rooms_entered_at_once_are_told_at_moments_of_their_own() -> None:
    clock, random = Clock(), Random(1)
    lag = Lag(clock, random.uniform)
    here = {f"room {n}": [ANA] for n in range(10)}
    for room in here:
        lag.changed(room, ANA)
    told_at: dict[str, float] = {}
    for _ in range(int(LAG_SECONDS)):
        clock.now += 1
        lag.settle(here)
        told_at |= dict.fromkeys(lag.told.keys() - told_at.keys(), clock.now)
    assert told_at.keys() == here.keys()
    assert len(set(told_at.values())) >= 9
    assert max(told_at.values()) - min(told_at.values()) > LAG_SECONDS / 2


def test_who_comes_back_before_anybody_was_told_was_never_away() -> None:
    clock = Clock()
    lag = Lag(clock, max)
    here = {"a": [ANA]}
    lag.changed("a", ANA)
    clock.now += LAG_SECONDS
    lag.settle(here)
    for people in ([], [ANA]):  # gone, and back
        here["a"] = people
        lag.changed("a", ANA)
        clock.now += 10
        lag.settle(here)
        assert lag.told == {"a": {ANA}}
    clock.now += LAG_SECONDS
    lag.settle(here)
    assert lag.told == {"a": {ANA}}


def test_who_only_looks_in_is_told_of_to_nobody() -> None:
    clock = Clock()
    lag = Lag(clock, max)
    lag.changed("a", ANA)
    clock.now += 20
    lag.changed("a", ANA)  # gone again
    clock.now += LAG_SECONDS
    lag.settle({})
    assert (lag.told, lag._waiting, lag._due) == ({}, set(), [])
