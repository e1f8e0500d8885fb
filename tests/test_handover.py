"""Whoever comes on or goes off is told, once, whatever happened; the keeper of what is not covered ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import delete, select

from lounge.due import Dues
from lounge.notices import Notices
from lounge.oncall import policy
from lounge.oncall.handover import GAPS, SETTLED_MS, SHIFT, Handover
from lounge.oncall.roles import Night, body_of
from lounge.oncall.rota import Rota
from lounge.words import catalogue
from storage import due, roles
from storage.due import Due
from storage.identity_schema import mail, me, me_entry, role
from storage.roles import AGREED, OVERRIDE, SWAP, VACATION, Change, RoleRow
from storage.schema import due as due_table
from tests.stores import SQLITE_FIRST, Clock, Stores, add_ana, doctor_by, open_either

TORONTO = ZoneInfo("America/Toronto")
HOUR = 3_600_000
DAY = 24 * HOUR
ROLE = "neuro"


def at(clock: str) -> int:
    """A moment in ms by the wall clock of Toronto."""
    return int(datetime.fromisoformat(clock).replace(tzinfo=TORONTO).timestamp() * 1000)


class World:
    """A role with Ana and Ben by turns from eight to eight, kept by Moira; and a clock to be moved."""

    def __init__(self, stores: Stores, ids: dict[str, str]) -> None:
        self.stores, self.ids, self.clock = stores, ids, Clock(at("2026-05-04T12:00"))
        self.silent: set[str] = set()
        self.handover, self.dues = self.process()

    def process(self) -> tuple[Handover, Dues]:
        """One more process of the same house."""
        handover = Handover(
            identity=self.stores.identity,
            database=self.stores.lounge,
            keys=self.stores.keys,
            working=self.working,
            clock=self.clock,
        )
        dues = Dues(self.stores.lounge, self.clock)
        handover.join(dues.handle)
        return handover, dues

    async def working(self, doctor_ids: Collection[str]) -> set[str]:
        return {*doctor_ids} - {self.ids[name] for name in self.silent}

    def daily(self, *turns: str, **other: Any) -> dict[str, Any]:
        """Those named in turn, from eight to eight, since the first Monday of the year."""
        doctors = [[self.ids[name]] for name in turns]
        return {"doctors": doctors, "from": "2026-01-05", "at": "08:00", **other}

    async def keeps(self, *layers: list[dict[str, Any]], **changed: Any) -> None:
        """The role has this rota from now on: rules of primary, then of secondary."""
        named = zip(("primary", "secondary"), layers, strict=False)
        sent = [{"name": name, "rules": each} for name, each in named]
        rota = msgspec.convert({"layers": sent}, Rota)
        body = body_of(rota, policy.DEFAULT, Night())
        async with self.stores.identity.writing() as connection:
            was = await roles.find(connection, ROLE)
            assert was is not None
            await roles.change(connection, replace(was, body=body, **changed))
        await self.handover.changed(ROLE)

    async def arranges(
        self,
        kind: str,
        doctor: str | None,
        instead_of: str | None,
        starts: str,
        ends: str,
    ) -> None:
        """Agreed by whoever has to."""
        hers, whose = (self.ids[name] if name else None for name in (doctor, instead_of))
        change = Change(
            id=f"{kind} {starts}",
            role=ROLE,
            layer=None if kind == VACATION else "primary",
            kind=kind,
            starts=at(starts),
            ends=at(ends),
            doctor=hers,
            instead_of=whose,
            state=AGREED,
            made=self.clock.now,
        )
        async with self.stores.identity.writing() as connection:
            await roles.add_change(connection, change)
        await self.handover.changed(ROLE)

    async def comes(self, clock: str) -> None:
        """It is that time, and what is due by then is done."""
        self.clock.now = at(clock)
        await self.dues.run_due()

    async def told(self, name: str, *fields: str) -> list[Any]:
        """What a doctor was told: codes, or these fields of each."""
        notices = Notices(self.stores.identity, self.stores.keys)
        found = [each.notice for each in await notices.page(self.ids[name], limit=500)]
        assert {f"notice.{each['notice']}" for each in found} <= set(catalogue())
        if not fields:
            return [each["notice"] for each in found]
        return [tuple(each.get(field) for field in fields) for each in found]

    async def waiting(self) -> dict[str, int]:
        """When each kind is next done."""
        async with self.stores.lounge.reading() as connection:
            return {each.kind: each.at for each in await due.waiting(connection, ROLE)}


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def cast(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Stores, dict[str, str]]]:
    """Both stores, and who is in them."""
    async with open_either(request, tmp_path_factory.mktemp("handover")) as stores:
        doctors = stores.doctors()
        ids = {}
        for name in ("ana", "ben", "chiara", "moira"):
            await add_ana(doctors, email=f"{name}@clinic.test", name=f"Dr {name.title()}")
            ids[name] = (await doctor_by(stores, f"{name}@clinic.test")).id
        doctors.close()
        yield stores, ids


@pytest.fixture
async def world(cast: tuple[Stores, dict[str, str]]) -> World:
    either, ids = cast
    async with either.identity.writing() as connection:
        for table in (role, me_entry, me, mail):
            await connection.execute(delete(table))
    async with either.lounge.writing() as connection:
        await connection.execute(delete(due_table))
    body = body_of(Rota(), policy.DEFAULT, Night())
    zone, keeper = "America/Toronto", ids["moira"]
    row = RoleRow(
        ROLE, "Neurology", "On call", "neurology", zone, "+1", keeper, None, body, 1, None
    )
    async with either.identity.writing() as connection:
        await roles.add(connection, row)
        for name in ("ana", "ben", "chiara"):
            await roles.put_member(connection, ROLE, ids[name], 1)
    world = World(either, ids)
    await world.keeps([world.daily("ana", "ben")])  # on the 4th of May it is Ben's
    return world


# -- coming on and going off ---------------------------------------------------------------------


async def test_at_eight_the_one_is_told_that_she_is_on_and_the_other_who_follows_him(
    world: World,
) -> None:
    await world.comes("2026-05-04T12:00")
    assert await world.told("ben", "notice", "layer", "until") == [
        ("shift_started", "primary", at("2026-05-05T08:00"))
    ]
    await world.comes("2026-05-05T07:59")
    assert await world.told("ana") == []
    await world.comes("2026-05-05T08:00")
    assert await world.told("ana", "notice", "role", "service", "until") == [
        ("shift_started", ROLE, "Neurology", at("2026-05-06T08:00"))
    ]
    assert (await world.told("ben", "notice", "layer", "name"))[1:] == [
        ("shift_ended", "primary", "Dr Ana")
    ]


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
async def test_where_the_clocks_change_they_are_told_at_eight_by_the_clock(
    world: World, day: str
) -> None:
    world.clock.now = at(f"{day}T07:59")
    await world.handover.changed(ROLE)
    await world.dues.run_due()
    before = await world.told("ana"), await world.told("ben")
    await world.comes(f"{day}T08:00")
    after = await world.told("ana"), await world.told("ben")
    assert sorted([*before, *after]) == [
        [],
        ["shift_started"],
        ["shift_started"],
        ["shift_started", "shift_ended"],
    ]


async def test_looked_at_again_and_again_for_days_by_two_processes_each_is_told_once(
    world: World,
) -> None:
    _, other = world.process()
    for _ in range(4 * 6):
        world.clock.now += 4 * HOUR
        await asyncio.gather(world.dues.run_due(), other.run_due())
    assert await world.told("ana") == ["shift_started", "shift_ended"] * 2
    assert await world.told("ben") == ["shift_started", "shift_ended"] * 2 + ["shift_started"]


async def test_what_was_told_and_not_noted_as_done_is_not_told_again(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    world.clock.now = at("2026-05-05T08:00")
    what = Due(f"{SHIFT} {ROLE}", SHIFT, ROLE, world.clock.now)
    await asyncio.gather(*(world.handover.shift(what) for _ in range(4)))
    assert await world.told("ana") == ["shift_started"]
    assert await world.told("ben") == ["shift_started", "shift_ended"]


async def test_after_two_days_away_only_what_is_so_now_is_told(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    await world.comes("2026-05-07T12:00")
    assert await world.told("ana") == ["shift_started"]
    assert await world.told("ben") == ["shift_started", "shift_ended"]
    await world.comes("2026-05-09T12:00")
    assert await world.told("ana") == ["shift_started"]


async def test_a_swap_is_told_as_it_begins_and_as_it_ends(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    await world.arranges(SWAP, "chiara", "ben", "2026-05-04T18:00", "2026-05-04T22:00")
    await world.comes("2026-05-04T17:59")
    assert await world.told("chiara") == []
    await world.comes("2026-05-04T18:00")
    assert await world.told("chiara", "notice", "until") == [
        ("shift_started", at("2026-05-04T22:00"))
    ]
    assert (await world.told("ben", "notice", "name"))[1:] == [("shift_ended", "Dr Chiara")]
    await world.comes("2026-05-04T22:00")
    assert (await world.told("ben"))[2:] == ["shift_started"]
    assert (await world.told("chiara"))[1:] == ["shift_ended"]


async def test_what_holds_at_once_is_told_at_once(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    await world.arranges(OVERRIDE, "chiara", None, "2026-05-04T12:00", "2026-05-04T20:00")
    await world.comes("2026-05-04T12:00")
    assert await world.told("chiara") == ["shift_started"]
    await world.keeps([world.daily("ana")])
    await world.comes("2026-05-04T20:00")
    assert await world.told("chiara") == ["shift_started", "shift_ended"]
    assert await world.told("ana", "notice", "until") == [("shift_started_open", None)]
    assert await world.told("ben") == ["shift_started", "shift_ended"]


async def test_whoever_is_followed_by_nobody_reads_so(world: World) -> None:
    await world.arranges(VACATION, None, "ana", "2026-05-05T00:00", "2026-05-08T00:00")
    await world.comes("2026-05-04T12:00")
    await world.comes("2026-05-05T08:00")
    assert await world.told("ben") == ["shift_started", "shift_unrelieved"]
    assert await world.told("ana") == []


async def test_from_second_to_first_is_a_change_and_two_shifts_in_a_row_are_none(
    world: World,
) -> None:
    await world.keeps([world.daily("ana", "ben", "ben")], [world.daily("ben", "chiara", "ana")])
    for day in (5, 6, 7):
        await world.comes(f"2026-05-{day:02}T08:00")
    assert await world.told("ben", "notice", "layer") == [
        ("shift_started", "secondary"),
        ("shift_started", "primary"),
    ]
    [_, second] = await world.told("ben", "until")
    assert second == (at("2026-05-08T08:00"),)


async def test_whom_nothing_reaches_is_told_so_by_e_mail_too_as_she_comes_on(world: World) -> None:
    world.silent.add("ana")
    await world.comes("2026-05-04T12:00")
    await world.comes("2026-05-05T08:00")
    await world.comes("2026-05-05T12:00")
    assert await world.told("ana") == ["shift_started", "reach_none"]
    assert "reach_none" not in await world.told("ben")
    async with world.stores.identity.reading() as connection:
        assert len((await connection.execute(select(mail.c.id))).all()) == 1


async def test_whoever_is_no_longer_a_verified_doctor_is_off(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    async with world.stores.identity.writing() as connection:
        await roles.drop_member(connection, ROLE, world.ids["ana"])
    await world.handover.changed(ROLE)
    await world.comes("2026-05-05T08:00")
    assert await world.told("ben") == ["shift_started", "shift_unrelieved"]


async def test_closing_a_role_ends_its_shifts_and_nothing_more_is_due(world: World) -> None:
    await world.comes("2026-05-04T12:00")
    await world.keeps([world.daily("ana", "ben")], closed=world.clock.now)
    await world.comes("2026-05-04T13:00")
    assert await world.told("ben") == ["shift_started", "shift_closed"]
    assert await world.waiting() == {}


async def test_a_change_made_while_a_process_is_at_it_is_not_lost(world: World) -> None:
    now = world.clock.now
    taken = Due(f"{SHIFT} {ROLE}", SHIFT, ROLE, now)
    world.clock.now = now + 1000
    await world.handover.changed(ROLE)
    await world.handover.shift(taken)
    assert (await world.waiting())[SHIFT] == now + 1000


async def test_roles_that_nobody_looks_after_are_looked_after_once_it_opens(world: World) -> None:
    async with world.stores.lounge.writing() as connection:
        for kind, time in (await world.waiting()).items():
            await due.drop(connection, Due(f"{kind} {ROLE}", kind, ROLE, time))
    assert await world.waiting() == {}
    await world.handover.begin()
    assert set(await world.waiting()) == {SHIFT, GAPS}
    await world.comes("2026-05-04T12:30")
    planned = await world.waiting()
    await world.handover.begin()
    assert await world.waiting() == planned


# -- gaps ahead ----------------------------------------------------------------------------------

GAP = ("notice", "layer", "starts", "until")


async def days(world: World, first: str, count: int) -> None:
    """The server runs so many days."""
    world.clock.now = at(first)
    for _ in range(count):
        await world.dues.run_due()
        world.clock.now += DAY


async def test_the_keeper_is_told_of_a_gap_a_week_ahead_and_once(world: World) -> None:
    await world.arranges(VACATION, None, "ben", "2026-05-20T00:00", "2026-05-21T00:00")
    for first, count in (("2026-05-04T12:10", 2), ("2026-05-12T12:10", 1)):
        await days(world, first, count)
    assert await world.told("moira") == []
    for first, count in (("2026-05-13T12:10", 2), ("2026-05-20T12:10", 1)):
        await days(world, first, count)
    from_eight = at("2026-05-20T08:00"), at("2026-05-21T00:00")  # the night before is Ana's
    assert await world.told("moira", *GAP) == [("rota_gap", "primary", *from_eight)]


async def test_a_rota_that_is_being_mended_is_left_alone_for_ten_minutes(world: World) -> None:
    await world.keeps()
    await world.comes("2026-05-04T12:05")
    await world.keeps([world.daily("ana")])
    await world.comes("2026-05-04T12:12")
    assert await world.told("moira") == []
    assert (await world.waiting())[GAPS] == at("2026-05-04T12:05") + SETTLED_MS


async def test_an_empty_rota_is_told_once_a_week_for_as_long_as_it_is_so(world: World) -> None:
    await world.keeps()
    await days(world, "2026-05-04T12:10", 3)
    assert await world.told("moira") == ["rota_empty"]
    await days(world, "2026-06-18T12:10", 1)
    assert await world.told("moira") == ["rota_empty"] * 2
    await world.keeps([])
    await days(world, "2026-06-20T12:10", 3)
    assert await world.told("moira") == ["rota_empty"] * 2 + ["rota_gap"]


async def test_whoever_cannot_be_reached_is_no_cover_and_rules_that_disagree_are_told(
    world: World,
) -> None:
    world.silent.add("ben")
    await world.keeps(
        [world.daily("chiara", until="20:00"), world.daily("ana", "ben", at="18:00", until="08:00")]
    )
    await days(world, "2026-05-04T12:10", 1)
    found = await world.told("moira", *GAP)
    unreached = [each for each in found if each[0] == "rota_unreached"]
    assert {clock_of(each[2]) for each in unreached} == {"20:00"}
    overlaps = [each for each in found if each[0] == "rota_overlap"]
    assert {clock_of(each[2]) for each in overlaps} == {"18:00"}
    assert {clock_of(each[3]) for each in overlaps} == {"20:00"}
    assert "rota_gap" not in await world.told("moira")


async def test_a_new_keeper_is_told_what_the_one_before_was(world: World) -> None:
    await world.keeps([])
    await days(world, "2026-05-04T12:10", 1)
    await world.keeps([], keeper=world.ids["chiara"])
    await days(world, "2026-05-05T12:30", 2)
    assert await world.told("moira") == await world.told("chiara") == ["rota_gap"]
    await world.keeps([], keeper=None)
    await days(world, "2026-05-20T12:30", 2)
    assert await world.told("chiara") == ["rota_gap"]


async def test_somebody_whom_nothing_reaches_is_one_gap_and_not_one_a_shift(world: World) -> None:
    world.silent |= {"ana", "ben"}
    await days(world, "2026-05-04T12:10", 3)
    assert await world.told("moira") == ["rota_unreached"]


def clock_of(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, TORONTO):%H:%M}"
