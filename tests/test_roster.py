"""Who is here: counted over all processes, once a person, told as a band and kept in leases that expire."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

import presence.leases
from presence.leases import LEASE_SECONDS, STEP_SECONDS, Leases
from presence.roster import Band, Roster, band

ANA, BEN, CHIARA = b"ana", b"ben", b"chiara"


@dataclass(slots=True)
class Process:
    """A roster, what its listeners show, and the bands it told of."""

    roster: Roster
    shown: set[str]
    told: list[dict[str, Band]] = field(default_factory=list)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def room() -> str:
    return f"house/{secrets.token_hex(6)}"


class Clock:
    """The seconds that leases go by."""

    def __init__(self) -> None:
        self.now = 1_800_000_000

    def time(self) -> float:
        return float(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(presence.leases, "time", clock)
    return clock


def process(redis: Redis, *rooms: str, house: str = "ours") -> Process:
    shown = set(rooms)
    told: list[dict[str, Band]] = []

    def changed(bands: Mapping[str, Band]) -> None:
        told.append(dict(bands))

    return Process(Roster(Leases(redis, house), lambda: shown, changed), shown, told)


# -- bands ---------------------------------------------------------------------------------------


def test_a_count_leaves_only_as_a_band() -> None:
    counts = (0, 1, 2, 3, 5, 6, 10, 11, 20, 21, 50, 51, 100, 101, 5_000)
    assert [band(count) for count in counts] == [
        Band(0, 0),
        Band(1, 2),
        Band(1, 2),
        Band(3, 5),
        Band(3, 5),
        Band(6, 10),
        Band(6, 10),
        Band(11, 20),
        Band(11, 20),
        Band(21, 50),
        Band(21, 50),
        Band(51, 100),
        Band(51, 100),
        Band(101, None),
        Band(101, None),
    ]


# -- one process ---------------------------------------------------------------------------------


async def test_a_second_tab_is_not_a_second_person(redis: Redis, room: str) -> None:
    here = process(redis, room)
    for member in (ANA, BEN, ANA):
        here.roster.enter(room, member)
    await here.roster.tick()
    assert here.roster.present(room) == Band(1, 2)
    here.roster.enter(room, CHIARA)
    await here.roster.tick()
    assert here.roster.present(room) == Band(3, 5)
    here.roster.leave(room, ANA)  # one of her tabs
    await here.roster.tick()
    assert here.roster.present(room) == Band(3, 5)
    here.roster.leave(room, ANA)
    await here.roster.tick()
    assert here.roster.present(room) == Band(1, 2)


async def test_a_band_is_told_when_it_changes_and_only_then(redis: Redis, room: str) -> None:
    here = process(redis, room)
    await here.roster.tick()
    here.roster.enter(room, ANA)
    await here.roster.tick()
    here.roster.enter(room, BEN)
    await here.roster.tick()
    await here.roster.tick()
    here.roster.leave(room, BEN)
    here.roster.leave(room, ANA)
    await here.roster.tick()
    assert here.told == [{room: Band(0, 0)}, {room: Band(1, 2)}, {room: Band(0, 0)}]


async def test_who_just_came_sees_a_room_that_was_not_shown_yet(redis: Redis, room: str) -> None:
    here = process(redis)
    assert here.roster.present(room) == Band(0, 0)
    here.roster.enter(room, ANA)
    assert here.roster.present(room) == Band(1, 2)


async def test_rooms_that_nobody_is_in_leave_nothing_behind(redis: Redis, room: str) -> None:
    here = process(redis)
    here.roster.enter(room, ANA)
    await here.roster.tick()
    here.roster.leave(room, ANA)
    await here.roster.tick()
    await here.roster.tick()
    assert await redis.exists(f"lounge:ours:here:{room}") == 0
    assert here.roster._here == {}
    assert here.roster._shown == {}


# -- two processes -------------------------------------------------------------------------------


async def test_two_processes_count_together(redis: Redis, room: str) -> None:
    one, other = process(redis, room), process(redis, room)
    one.roster.enter(room, ANA)
    one.roster.enter(room, BEN)
    other.roster.enter(room, CHIARA)
    for _ in range(2):
        await one.roster.tick()
        await other.roster.tick()
    assert one.roster.present(room) == other.roster.present(room) == Band(3, 5)


async def test_one_person_at_two_processes_is_one(redis: Redis, room: str) -> None:
    one, other = process(redis, room), process(redis, room)
    for here in (one, other):
        here.roster.enter(room, ANA)
        here.roster.enter(room, BEN)
    for _ in range(2):
        await one.roster.tick()
        await other.roster.tick()
    assert one.roster.present(room) == Band(1, 2)


async def test_another_house_on_the_same_redis_counts_its_own(redis: Redis, room: str) -> None:
    ours, theirs = process(redis, room), process(redis, room, house="theirs")
    ours.roster.enter(room, ANA)
    await ours.roster.tick()
    await theirs.roster.tick()
    assert theirs.roster.present(room) == Band(0, 0)


async def test_a_room_that_is_only_shown_is_counted_too(redis: Redis, room: str) -> None:
    one, other = process(redis), process(redis, room)
    one.roster.enter(room, ANA)
    await one.roster.tick()
    await other.roster.tick()
    assert other.told == [{room: Band(1, 2)}]


async def test_who_was_at_a_process_that_died_is_gone_when_the_lease_ends(
    redis: Redis, room: str, clock: Clock
) -> None:
    dead, other = process(redis), process(redis, room)
    dead.roster.enter(room, ANA)
    await dead.roster.tick()
    await other.roster.tick()
    assert other.roster.present(room) == Band(1, 2)
    clock.now += LEASE_SECONDS + 1
    await other.roster.tick()
    assert other.roster.present(room) == Band(0, 0)


async def test_who_stays_keeps_the_lease(redis: Redis, room: str, clock: Clock) -> None:
    one, other = process(redis), process(redis, room)
    one.roster.enter(room, ANA)
    for _ in range(20):
        await one.roster.tick()
        clock.now += STEP_SECONDS
        await other.roster.tick()
        assert other.roster.present(room) == Band(1, 2)


async def test_leases_end_on_whole_steps_so_that_two_rooms_cannot_be_matched_by_the_second(
    redis: Redis, room: str, clock: Clock
) -> None:
    for n in range(STEP_SECONDS):
        here = process(redis)
        here.roster.enter(room, f"{n}".encode())
        clock.now = 1_800_000_000 + n
        await here.roster.tick()
    ends = {await redis.zscore(f"lounge:ours:here:{room}", f"{n}") for n in range(STEP_SECONDS)}
    assert ends == {1_800_000_000 + LEASE_SECONDS}


async def test_a_redis_that_lost_everything_is_told_again(
    redis: Redis, room: str, clock: Clock
) -> None:
    one, other = process(redis), process(redis, room)
    one.roster.enter(room, ANA)
    await one.roster.tick()
    await redis.delete(f"lounge:ours:here:{room}")
    clock.now += STEP_SECONDS
    await one.roster.tick()
    await other.roster.tick()
    assert other.roster.present(room) == Band(1, 2)


async def test_without_redis_each_process_counts_its_own(room: str) -> None:
    async with Redis.from_url("unix:///nowhere/at/all.sock") as redis:
        here = process(redis, room)
        here.roster.enter(room, ANA)
        await here.roster.tick()
        assert here.roster.present(room) == Band(1, 2)
        here.roster.leave(room, ANA)
        await here.roster.tick()
        assert here.told == [{room: Band(1, 2)}, {room: Band(0, 0)}]
