"""What is due is done exactly once: by whichever process comes first, however slow, killed or revoked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from lounge.due import LEASE_MS, Dues
from lounge.house_acts import HouseActs
from storage import due, gate
from storage.acts import QueueFull, Step
from storage.database import Database, StorageError
from storage.due import Due
from storage.writer import Writer
from tests.acts import act, draft, log_of, new_room, settled, writing
from tests.stores import BOTH, START, Clock, Stores, open_either


@pytest.fixture(scope="module", params=BOTH)
async def stores(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stores]:
    async with open_either(request, tmp_path_factory.mktemp("due")) as stores:
        yield stores


@dataclass(slots=True)
class Process:
    """One of those that serve a house: its own connections, writer and loop."""

    writer: Writer
    dues: Dues
    house: HouseActs

    def says(self, kind: str, room: int) -> None:
        """It does what is due of that kind by an entry in the room."""

        async def say_so(what: Due) -> None:
            entry = draft("say", text=what.subject)
            await self.house.do(room, (entry,), (due.done(what.id),))

        self.dues.handle[kind] = say_so


@asynccontextmanager
async def process(stores: Stores, clock: Clock) -> AsyncIterator[Process]:
    database = Database(stores.settings.database_url)
    async with writing(database) as writer:
        writer.epoch = await stores.epoch()
        yield Process(writer, Dues(database, clock), HouseActs(writer))
    await database.close()


@dataclass(slots=True)
class Place:
    """A room, a kind of its own, and two processes that know what to do."""

    stores: Stores
    clock: Clock
    room: int
    kind: str
    one: Process
    other: Process

    async def put(self, *steps: Step) -> None:
        (done,) = await settled(
            self.one.writer, act(self.room, steps=steps, epoch=self.one.writer.epoch)
        )
        assert not isinstance(done, BaseException)

    async def add(self, subject: str, at: int = START) -> str:
        id = f"{self.kind} {subject}"
        await self.put(due.add(id, self.kind, subject, at))
        return id

    async def taken(self, now: int, limit: int = 100) -> list[str]:
        database = self.stores.lounge
        found = await due.taking(database, [self.kind], now, LEASE_MS, limit)
        return [each.subject for each in found]

    async def left(self, subject: str) -> list[Due]:
        async with self.stores.lounge.reading() as connection:
            found = await due.waiting(connection, subject)
        return [each for each in found if each.id.endswith(f"{self.kind} {subject}")]

    async def said(self) -> list[str]:
        return [
            str(entry.body["text"])
            for entry in await log_of(self.stores.lounge, self.room)
            if entry.body
        ]


@pytest.fixture
async def place(stores: Stores) -> AsyncIterator[Place]:
    clock, room, kind = Clock(), await new_room(stores.lounge), secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(process(stores, clock)) for _ in range(2)]
        one.says(kind, room)
        other.says(kind, room)
        yield Place(stores, clock, room, kind, one, other)


# -- exactly once --------------------------------------------------------------------------------


async def test_two_processes_do_each_thing_once(place: Place) -> None:
    subjects = [f"{place.kind} {n:02}" for n in range(70)]
    await place.put(*(due.add(each, place.kind, each, START) for each in subjects))
    await asyncio.gather(place.one.dues.run_due(), place.other.dues.run_due())
    assert sorted(await place.said()) == subjects
    assert [await place.left(each) for each in subjects[:3]] == [[], [], []]


async def test_what_one_took_is_nobody_elses_until_its_lease_is_over(place: Place) -> None:
    await place.add("a close")
    assert await place.taken(START) == ["a close"]
    assert await place.taken(START + LEASE_MS - 1) == []
    await place.other.dues.run_due()
    assert await place.said() == []
    place.clock.now = START + LEASE_MS  # whoever took it was killed
    await place.other.dues.run_due()
    assert await place.said() == ["a close"]


async def test_who_was_slower_than_the_lease_does_nothing(place: Place) -> None:
    await place.add("a close")
    took, go_on = asyncio.Event(), asyncio.Event()
    does = place.one.dues.handle[place.kind]

    async def slowly(what: Due) -> None:
        took.set()
        await go_on.wait()
        await does(what)

    place.one.dues.handle[place.kind] = slowly
    slow = asyncio.create_task(place.one.dues.run_due())
    await took.wait()
    place.clock.now += LEASE_MS
    await place.other.dues.run_due()
    go_on.set()
    await slow
    assert await place.said() == ["a close"]


async def test_nothing_of_an_act_is_done_whose_due_is_done_already(place: Place) -> None:
    id = await place.add("a close")
    acts = (
        place.one.house.do(place.room, (draft("say", text="once"),), (due.done(id),)),
        place.other.house.do(place.room, (draft("say", text="once"),), (due.done(id),)),
    )
    outcomes = await asyncio.gather(*acts)
    assert sorted(each is None for each in outcomes) == [False, True]
    assert await place.said() == ["once"]


async def test_the_house_acts_though_somebody_is_revoked(place: Place) -> None:
    async with place.stores.identity.writing() as connection:
        await gate.raise_epoch(connection)
    await gate.follow(place.stores.lounge, place.stores.identity)
    assert place.one.writer.epoch != await place.stores.epoch()
    assert await place.one.house.do(place.room, (draft("say", text="all the same"),))
    assert await place.said() == ["all the same"]


async def test_the_house_waits_when_too_much_is_queued(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise QueueFull

    id = await place.add("a close")
    monkeypatch.setattr(place.one.writer, "submit", full)
    with pytest.raises(StorageError):
        await place.one.dues.run_due()
    assert [each.id for each in await place.left("a close")] == [id]


# -- when ----------------------------------------------------------------------------------------


async def test_nothing_is_taken_before_its_time_and_the_oldest_first(place: Place) -> None:
    for subject, at in (("third", 2), ("second", 1), ("first", 0), ("later", 5)):
        await place.add(subject, START + at)
    assert await place.taken(START - 1) == []
    assert await place.taken(START + 4, limit=2) == ["first", "second"]
    assert await place.taken(START + 4) == ["third"]


async def test_added_again_it_stays_as_it_is(place: Place) -> None:
    await place.add("a close", START)
    await place.add("a close", START + 99)
    assert [each.at for each in await place.left("a close")] == [START]


async def test_it_is_brought_forward_and_never_put_off(place: Place) -> None:
    id = await place.add("a close", START + 99)
    await place.put(due.sooner(id, START))
    await place.put(due.sooner(id, START + 50))
    assert [each.at for each in await place.left("a close")] == [START]


async def test_what_is_forgotten_is_of_that_kind_only(place: Place) -> None:
    subject = secrets.token_hex(4)
    await place.put(
        due.add(f"1 {place.kind} {subject}", place.kind, subject, START),
        due.add(f"2 {place.kind} {subject}", "another kind", subject, START),
        due.forget(place.kind, subject),
    )
    assert [each.kind for each in await place.left(subject)] == ["another kind"]


async def test_what_this_process_cannot_do_it_leaves_to_others(place: Place) -> None:
    id = await place.add("a close")
    del place.one.dues.handle[place.kind]
    await place.one.dues.run_due()
    assert [each.id for each in await place.left("a close")] == [id]
    await place.other.dues.run_due()
    assert await place.said() == ["a close"]


async def test_what_fails_stops_no_other_and_is_tried_again(
    place: Place,
) -> None:
    does = place.one.dues.handle[place.kind]

    async def fails_once(what: Due) -> None:
        if what.subject == "bad" and place.clock.now == START:
            raise ZeroDivisionError
        await does(what)

    place.one.dues.handle[place.kind] = fails_once
    for subject in ("bad", "good"):
        await place.add(subject)
    await place.one.dues.run_due()
    assert await place.said() == ["good"]
    place.clock.now += LEASE_MS
    await place.one.dues.run_due()
    assert await place.said() == ["good", "bad"]
