"""Revocation from end to end: what is said later does not get there, what is ended does not act.

Two houses share PostgreSQL and a Redis; SQLite has one house. The time of an entry and that of a
revocation's commit come from the same clock.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Literal, get_args

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from lounge.clock import now_ms
from lounge.doctors import Doctors
from lounge.errors import REVOKED, SIGNED_OUT
from lounge.opening import Lounge
from storage import applications, entries, gate
from storage.database import Database, StorageError
from storage.entries import Entry
from tests.backends import addresses
from tests.listener import Listener, Way
from tests.redis_proxy import RedisProxy
from tests.stores import SQLITE_FIRST
from tests.support import Guest, House, new_cid, open_house, until
from web import connection

TRIALS = 30
LATE_MS = 1_000
"""So long after a revocation's commit nothing that was said later may still reach the doctor."""
COOKIE = "lounge_session"

Kind = Literal["token", "session", "verification", "suspension"]
ENDS: dict[Kind, set[int | str | None]] = {
    "token": {int(SIGNED_OUT), 401},
    "session": {int(SIGNED_OUT), 401},
    "verification": {int(REVOKED), "forbidden"},
    "suspension": {int(REVOKED), "forbidden"},
}
"""What a socket or stream is closed with, and what the next poll is answered with."""
WAYS: tuple[Way, ...] = ("socket", "stream", "socket", "polls", "socket")


@dataclass(slots=True)
class Town:
    """Houses on the same stores, the line from them to Redis, and who ends things from elsewhere."""

    houses: list[House]
    clock: Ahead
    """That of the first house's door."""
    line: RedisProxy
    office: Office
    clients: dict[int, httpx2.AsyncClient]
    """By the port of the house that they talk to."""
    rooms: Iterator[str] = field(
        default_factory=lambda: (f"bench/{n}" for n in range(1, 1_000_000))
    )

    @property
    def first(self) -> House:
        return self.houses[0]

    def listener(self, house: House, headers: dict[str, str], room: str, way: Way) -> Listener:
        return Listener(house.port, self.clients[house.port], headers, room, way)

    @property
    def last(self) -> House:
        return self.houses[-1]


class Ahead:
    """A monotonic clock that a test puts forward, as if the process had been paused."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.seconds


class Office(Doctors):
    """As another process of the lounge ends things. It notes when a revocation was committed."""

    dies = False
    """Cut off between the two stores."""

    def __init__(self, lounge: Lounge) -> None:
        stores = lounge.identity_database, lounge.database
        super().__init__(*stores, lounge.keys, lounge.settings)
        self.committed: dict[asyncio.Task[Any] | None, int] = {}
        """When the task's last revocation was, in ms."""

    async def suspend(self, doctor_id: str) -> None:
        """As the operator, or a register that says so."""
        async with self._revoking() as connection:
            await applications.set_state(connection, doctor_id, "suspended", None, now=now_ms())

    async def move_gate(self) -> int:
        self.committed[asyncio.current_task()] = now_ms()
        if self.dies:
            raise StorageError("cut off")
        return await super().move_gate()


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[Town]:
    folder = tmp_path_factory.mktemp("revocation")
    async with addresses(request) as urls, RedisProxy(redis_url) as line, AsyncExitStack() as stack:
        changes: dict[str, Any] = {"bench": True, **urls}
        houses = [
            await stack.enter_async_context(open_house(folder, line.url, **changes))
            for _ in range(2 if urls else 1)
        ]
        clock, office = Ahead(), Office(houses[0].lounge)
        houses[0].lounge.door._clock = clock
        stack.callback(office.close)
        clients = {each.port: await stack.enter_async_context(each.http()) for each in houses}
        yield Town(houses, clock, line, office, clients)
        line.heal()


# -- a crowd, one after the other ----------------------------------------------------------------


@dataclass(slots=True)
class Trial:
    """One doctor who is going to be revoked while she listens and speaks."""

    number: int
    kind: Kind
    doctor_id: str
    opened: str
    """The id of her token or session."""
    listener: Listener
    listening: asyncio.Task[None] | None = None
    acting: asyncio.Task[None] | None = None
    acked: int = 0
    committed: int = 0
    """When the revocation was committed, in ms."""
    done: int = 0
    """When whoever revoked was told that it is done."""

    async def act(self) -> None:
        """Speak until it is no longer taken."""
        while await self.listener.say(f"{self.words} {self.acked}"):
            self.acked += 1

    @property
    def words(self) -> str:
        return f"Doctor {self.number} says"


async def test_who_is_revoked_in_a_flood_hears_nothing_later_and_does_nothing_more(
    town: Town,
) -> None:
    """Half of the trials with Redis, the other half after it stopped answering."""
    open_before, room = len(connection.OPEN), next(town.rooms)
    async with AsyncExitStack() as stack:
        crowd = [await _healthy(town, house, room) for house in town.houses]
        for one in crowd:
            await stack.enter_async_context(one.listening())
            await asyncio.wait_for(one.live.wait(), 30)
            assert await one.say("Good evening.")  # so that no first poll waits for news
        trials = await _trials(town, room)
        for each in trials:
            each.listening = await stack.enter_async_context(each.listener.listening())
        for each in trials:
            await asyncio.wait_for(each.listener.live.wait(), 30)
        async with _flood(crowd) as flood:
            await asyncio.gather(*(_revoke(town.office, each) for each in trials[::2]))
            town.line.blackhole()
            await asyncio.gather(*(_revoke(town.office, each) for each in trials[1::2]))
            await _said_later_than(town, room, max(each.committed for each in trials) + LATE_MS)
            assert not flood.done()
        log = await _log(town, room)
        for each in trials:
            assert each.listening
            assert each.acting
            await asyncio.wait_for(asyncio.gather(each.listening, each.acting), 30)
        for one in crowd:
            await one.reaches(log[-1].seq)
    town.line.heal()
    for each in trials:
        _judge(each, log)
    for one in crowd:
        assert one.heard == list(range(1, len(log) + 1))
    await until(lambda: len(connection.OPEN) == open_before)
    for house in town.houses:
        here = {guest.doctor.id for guest in house.lounge.door.guests()}
        assert here.isdisjoint(each.doctor_id for each in trials)


async def _trials(town: Town, room: str, number: int = TRIALS) -> list[Trial]:
    kinds, ways, houses = cycle(get_args(Kind)), cycle(WAYS), cycle(town.houses)
    return [
        await _trial(town, next(houses), n, next(kinds), room, next(ways)) for n in range(number)
    ]


async def _trial(town: Town, house: House, number: int, kind: Kind, room: str, way: Way) -> Trial:
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(_unique("revoked")))
    assert doctor_id
    if kind == "session":
        visit, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
        opened, headers = visit.id, {"cookie": f"{COOKIE}={secret}", "origin": house.url}
    else:
        opened, secret = await house.lounge.doctors.add_token(doctor_id, "test")
        headers = {"authorization": f"Bearer {secret}"}
    return Trial(number, kind, doctor_id, opened, town.listener(house, headers, room, way))


async def _healthy(town: Town, house: House, room: str) -> Listener:
    token = await house.token(_unique("healthy"))
    return town.listener(house, {"authorization": f"Bearer {token}"}, room, "socket")


@asynccontextmanager
async def _flood(crowd: list[Listener]) -> AsyncIterator[asyncio.Future[Any]]:
    """They speak and speak, and not one of them is refused."""
    stopped = asyncio.Event()

    async def speak(one: Listener) -> None:
        while not stopped.is_set():
            assert await one.say("Is anybody on call?")
            await asyncio.sleep(0.01)  # others want the processor, too

    flood = asyncio.gather(*(speak(one) for one in crowd))
    yield flood
    stopped.set()
    await flood


async def _revoke(office: Office, trial: Trial) -> None:
    """Sooner or later within a second, in the midst of what she says."""
    acting = trial.acting = asyncio.create_task(trial.act())
    # among many revocations at once an act may be told to come again: then she has stopped by herself
    await until(lambda: trial.acked > trial.number % 7 or acting.done())
    if trial.kind == "token":
        await office.end_token(trial.doctor_id, trial.opened)
    elif trial.kind == "session":
        await office.end_session(trial.doctor_id, trial.opened)
    elif trial.kind == "suspension":
        await office.suspend(trial.doctor_id)
    else:
        await office.set_verified(trial.doctor_id, False)
    trial.committed, trial.done = office.committed[asyncio.current_task()], now_ms()


def _judge(trial: Trial, log: list[Entry]) -> None:
    at = {entry.seq: entry.at for entry in log}
    acts = [entry for entry in log if (entry.body or {})["text"].startswith(trial.words)]
    assert trial.listener.ended in ENDS[trial.kind], trial
    heard = trial.listener.heard
    assert heard == list(range(heard[0], heard[-1] + 1)), trial
    assert max(at[seq] for seq in heard) <= trial.committed + LATE_MS, trial
    assert acts[-1].at <= trial.done, trial
    assert trial.acked <= len(acts) <= trial.acked + 1, trial  # the last may have lost its answer
    assert log[-1].at > trial.committed + LATE_MS, "nothing was said late enough to be missed"


async def _said_later_than(town: Town, room: str, at: int) -> None:
    async with asyncio.timeout(30):
        while (await _log(town, room))[-1].at <= at:
            await asyncio.sleep(0.1)


# -- a process that was paused -------------------------------------------------------------------


async def test_a_house_back_from_a_pause_sends_nothing_before_it_has_checked(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = next(town.rooms)
    ana, ben = await town.first.guest("ana", room), await _leaving(town.first, room)
    may_check = _checks_wait(town.first, monkeypatch)
    town.clock.seconds += 40
    said = [await ana.say(room, "Who is on call tonight?")]
    await ben.revoked(town.office)
    if town.last is not town.first:  # whose own process went on all the time
        chiara = await town.last.guest("chiara", room)
        said.append(await chiara.say(room, "I am."))
    live = town.first.lounge.hub.live(room)
    assert live is not None
    await until(lambda: live.ring.head == len(said))
    await ana.ask("ping")
    with suppress(ConnectionClosedError):  # a check that was under way may have found him
        await ben.guest.ask("ping")
    assert room not in ana.events
    assert room not in ben.guest.events
    may_check.set()
    heard = await ana.reaches(room, len(said))
    assert [event["id"] for event in heard] == [each["id"] for each in said]
    assert await ben.guest.closed() == SIGNED_OUT
    assert room not in ben.guest.events


async def test_an_act_in_a_house_back_from_a_pause_waits_for_the_check(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = next(town.rooms)
    ana, ben = await town.first.guest("ana", room), await _leaving(town.first, room)
    may_check = _checks_wait(town.first, monkeypatch)
    town.clock.seconds += 40
    await ben.revoked(town.office)
    cids = [new_cid(), new_cid()]
    his = await ben.guest.send("say", room=room, cid=cids[0], text="Still me.")
    hers = await ana.send("say", room=room, cid=cids[1], text="Still here.")
    standing = await _epoch(town.first.lounge.database)
    await until(lambda: town.first.lounge.writer.epoch == standing)  # they were tried
    for guest in (ana, ben.guest):
        await guest.ask("ping")
    assert await _log(town, room) == []
    may_check.set()
    said = await ana.answer(hers)
    assert await ben.guest.closed() == SIGNED_OUT
    assert [(entry.seq, entry.id) for entry in await _log(town, room)] == [(1, said["id"])]
    assert not [f for f in ben.guest.frames if f["op"] == "ok" and f["ref"] == his]


# -- an identity store that cannot be read -------------------------------------------------------


async def test_while_nobody_can_be_checked_says_are_kept_and_nobody_hears(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, house = next(town.rooms), town.first
    ana, ben = await house.guest("ana", room), await house.guest("ben", room)
    with monkeypatch.context() as broken:
        broken.setattr(house.lounge.identity_database, "reading", _unreadable)
        town.clock.seconds += 2
        said = [await guest.say(room, f"{n}") for n in range(5) for guest in (ana, ben)]
        for guest in (ana, ben):
            await guest.ask("ping")
            assert room not in guest.events
            for op, fields in (("history", {"room": room, "after": 0}), ("search", {"q": "zero"})):
                assert (await guest.refused(op, **fields))["code"] == "storage"
        with pytest.raises(InvalidStatus) as refused:
            await Guest.connect(house.port, house.passes["ana"])
        assert refused.value.response.status_code == 503
    for guest in (ana, ben):
        heard = await guest.reaches(room, len(said))
        assert [event["id"] for event in heard] == [each["id"] for each in said]


# -- a crash between the two stores --------------------------------------------------------------


async def test_after_a_crash_between_the_stores_the_next_check_ends_it_all_the_same(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = next(town.rooms)
    trial = await _trial(town, town.last, 0, "token", room, "socket")
    monkeypatch.setattr(town.office, "dies", True)
    async with trial.listener.listening() as listening:
        await asyncio.wait_for(trial.listener.live.wait(), 30)
        acting = asyncio.create_task(trial.act())
        await until(lambda: trial.acked > 0)
        with pytest.raises(StorageError):
            await town.office.end_token(trial.doctor_id, trial.opened)
        meant = await town.office.epoch()
        async with asyncio.timeout(30):
            while await _epoch(town.first.lounge.database) != meant:
                await asyncio.sleep(0.01)
        moved = now_ms()
        await asyncio.wait_for(asyncio.gather(acting, listening), 30)
    ana = await town.first.guest("ana", room)
    last = await ana.say(room, "The last word.")
    log = await _log(town, room)
    assert trial.listener.ended == SIGNED_OUT
    assert [entry.id for entry in log if entry.at > moved] == [last["id"]]
    assert trial.acked <= len(log) - 1 <= trial.acked + 1


# -- privates ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A guest who is going to be signed out."""

    guest: Guest
    doctor_id: str
    token: str

    async def revoked(self, office: Office) -> None:
        await office.end_token(self.doctor_id, self.token)


async def _leaving(house: House, room: str) -> _Leaving:
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(_unique("leaving")))
    assert doctor_id
    id, secret = await house.lounge.doctors.add_token(doctor_id, "test")
    guest = await Guest.connect(house.port, secret)
    house.guests.append(guest)
    await guest.join(room)
    return _Leaving(guest, doctor_id, id)


def _checks_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Checks of that house's door begin and wait for this event."""
    may_check, epoch = asyncio.Event(), house.lounge.doctors.epoch

    async def when_it_may() -> int:
        await may_check.wait()
        return await epoch()

    monkeypatch.setattr(house.lounge.doctors, "epoch", when_it_may)
    return may_check


async def _log(town: Town, room: str) -> list[Entry]:
    async with town.first.lounge.database.reading() as connection_:
        heads = await entries.heads(connection_, {room})
        return await entries.after(connection_, heads[0], 0, 100_000) if heads else []


async def _epoch(lounge: Database) -> int:
    async with lounge.reading() as connection_:
        return await gate.epoch(connection_)


def _unreadable() -> Any:
    raise StorageError("away")


def _unique(name: str) -> str:
    return f"{name} {secrets.token_hex(4)}".replace(" ", "-")
