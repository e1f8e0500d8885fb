"""The door: whoever may no longer be here is found by the next check, however it came about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import update

from lounge.doctors import Doctor, Doctors, Visit
from lounge.door import SURE_SECONDS, Door, Guest
from lounge.errors import RESTART, REVOKED, SIGNED_OUT, Close, Code, Refusal, StorageError
from storage import gate, schema
from storage.database import Database
from storage.identity_schema import doctor, revocation
from tests.stores import Stores, add_ana, doctor_by, wipe

ANA = Doctor(
    id="ana",
    country="CA",
    region=None,
    specialty="cardiology",
    grade="specialist",
    language="en",
    roles=frozenset({"doctor"}),
    verified=True,
)


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Register:
    """What the identity store says of visits. Answers wait while it is slow."""

    def __init__(self) -> None:
        self.raised = 0
        self.gate = 0
        self.ended: set[str] = set()
        self.is_away = False
        self.asked = 0
        self.quick = asyncio.Event()
        self.quick.set()

    def end(self, name: str) -> None:
        self.ended.add(name)
        self.raised += 1

    async def epoch(self) -> int:
        if self.is_away:
            raise StorageError("away")
        return self.raised

    async def move_gate(self) -> int:
        self.gate = self.raised
        return self.gate

    async def still_open(self, visits: Iterable[Visit]) -> dict[Visit, Visit]:
        self.asked += 1
        ended = set(self.ended)  # as the snapshot has it
        await self.quick.wait()
        if self.is_away:
            raise StorageError("away")
        return {visit: visit for visit in visits if visit.id not in ended}


class Visitors:
    """Guests by name, and with which code each was ended."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.codes: dict[str, Close] = {}

    def admit(self, name: str, epoch: int = 0) -> Guest:
        return self.welcome(name, Visit(replace(ANA, id=name), name, None), epoch)

    def welcome(self, name: str, visit: Visit, epoch: int) -> Guest:
        return self.door.admit(visit, lambda code: self.codes.__setitem__(name, code), epoch)


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def cheers() -> list[float]:
    """When the door became sure again."""
    return []


@pytest.fixture
def door(register: Register, clock: Seconds, cheers: list[float]) -> Door:
    return _door(cast(Doctors, register), clock, cheers)


@pytest.fixture
def visitors(door: Door) -> Visitors:
    return Visitors(door)


def _door(doctors: Doctors, clock: Seconds, cheers: list[float]) -> Door:
    return Door(doctors, sure_again=lambda: cheers.append(clock.now), clock=clock)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# who is looked up, and when


async def test_a_revocation_ends_just_whom_it_was_about(
    door: Door, register: Register, visitors: Visitors
) -> None:
    guests = {name: visitors.admit(name) for name in ("ana", "ben")}
    register.end("ben")
    await door.watch()
    assert visitors.codes == {"ben": SIGNED_OUT}
    assert guests["ana"].epoch == door.epoch == 1


async def test_while_nothing_is_revoked_nobody_is_looked_up(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    for _ in range(3):
        assert await door.watch()
    door.heard(0)
    await _settle()
    assert register.asked == 0


async def test_a_gate_that_moved_is_a_reason_to_check_at_once(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.end("ana")
    door.heard(1)
    await _settle()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_sessions_that_end_by_themselves_are_found_by_looking_everyone_up(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.ended.add("ana")  # no revocation
    await door.watch()
    assert visitors.codes == {}
    door.check()
    await _settle()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_a_second_revocation_during_the_check_of_the_first_is_not_missed(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.raised = 1
    register.quick.clear()
    checking = asyncio.create_task(door.watch())
    await _settle()
    register.end("ana")  # after that check had its snapshot
    register.quick.set()
    await checking
    assert visitors.codes == {}
    await door.watch()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_who_came_in_during_a_revocation_is_looked_up_before_the_door_is_sure(
    door: Door, register: Register, visitors: Visitors
) -> None:
    """Her visit was read before it ended; she is admitted after all the others were checked."""
    await door.watch()
    epoch = door.epoch
    register.end("ana")
    assert await door.watch()
    visitors.admit("ana", epoch)
    assert not door.is_sure()
    await _settle()
    assert (visitors.codes, door.is_sure()) == ({"ana": SIGNED_OUT}, True)


async def test_who_came_in_during_a_check_is_looked_up_by_the_same(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.end("ben")
    register.quick.clear()
    checking = asyncio.create_task(door.watch())
    await _settle()
    visitors.admit("ben", epoch=0)
    register.quick.set()
    assert await checking
    assert visitors.codes == {"ben": SIGNED_OUT}


async def test_who_has_gone_is_not_asked_about_for_ever(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana, ben = visitors.admit("ana"), visitors.admit("ben")
    register.end("ben")
    door.part(ana)
    for _ in range(3):
        await door.watch()
    assert register.asked == 1
    assert (ben.ended, door.guests()) == (True, frozenset({ben}))


# being sure


async def test_the_door_is_sure_for_a_second_after_a_check_began(
    door: Door, register: Register, visitors: Visitors, clock: Seconds
) -> None:
    assert not door.is_sure()
    visitors.admit("ana")
    register.end("ben")
    register.quick.clear()
    checking = asyncio.create_task(door.watch())
    await _settle()
    clock.now += 0.75  # what it reads may be as old as this
    register.quick.set()
    assert await checking
    clock.now += SURE_SECONDS - 0.75
    assert door.is_sure()
    clock.now += 0.001
    assert not door.is_sure()


async def test_a_check_that_took_longer_than_a_second_makes_nobody_sure(
    door: Door, register: Register, visitors: Visitors, clock: Seconds, cheers: list[float]
) -> None:
    visitors.admit("ana")
    register.end("ben")
    register.quick.clear()
    checking = asyncio.create_task(door.watch())
    await _settle()
    clock.now += SURE_SECONDS + 0.1
    register.quick.set()
    assert not await checking
    assert cheers == []


async def test_after_a_pause_of_the_process_nobody_is_sure_until_the_next_check(
    door: Door, register: Register, visitors: Visitors, clock: Seconds, cheers: list[float]
) -> None:
    visitors.admit("ana")
    await door.watch()
    clock.now += 40
    register.end("ana")
    assert not door.is_sure()
    assert await door.watch()
    assert visitors.codes == {"ana": SIGNED_OUT}
    assert cheers == [1_000, 1_040]


async def test_while_the_register_is_away_the_door_stops_being_sure_and_says_when_it_is_again(
    door: Door, register: Register, visitors: Visitors, clock: Seconds, cheers: list[float]
) -> None:
    visitors.admit("ana")
    assert await door.watch()
    register.is_away = True
    for sure in (True, True, True, True, False):
        clock.now += 0.25
        assert await door.watch() is sure
    register.is_away = False
    for _ in range(3):
        clock.now += 0.25
        assert await door.watch()
    assert cheers == [1_000, 1_001.5]
    assert visitors.codes == {}


async def test_a_check_that_gets_no_answer_is_given_up_and_begun_anew(
    door: Door, register: Register, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitors.admit("ana")
    register.end("ana")
    register.quick.clear()
    with monkeypatch.context() as hasty:
        hasty.setattr("lounge.door.CHECK_SECONDS", 0)
        assert not await door.watch()
    register.quick.set()
    assert await door.watch()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_an_ended_visit_is_found_when_the_register_is_back(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.end("ana")
    register.is_away = True
    await door.watch()
    assert visitors.codes == {}
    register.is_away = False
    await door.watch()
    assert visitors.codes == {"ana": SIGNED_OUT}


# acts


async def test_an_act_waits_until_its_doctor_is_known_to_stand(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana, ben = visitors.admit("ana"), visitors.admit("ben")
    register.end("ben")
    await door.recheck(ana, 1)
    assert ana.epoch == 1
    with pytest.raises(Refusal) as refused:
        await door.recheck(ben, 1)
    assert refused.value.code is Code.FORBIDDEN
    register.is_away = True
    with pytest.raises(Refusal) as refused:
        await door.recheck(ana, 2)
    assert refused.value.code is Code.STORAGE


async def test_two_revocations_in_a_row_do_not_refuse_who_stands(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana = visitors.admit("ana")
    register.raised = 1
    register.quick.clear()
    checking = asyncio.create_task(door.watch())
    await _settle()
    register.raised = 2
    waiting = asyncio.create_task(door.recheck(ana, 2))
    await _settle()
    register.quick.set()
    await asyncio.gather(checking, waiting)
    assert ana.epoch == 2


# with both stores


@pytest.fixture
async def doctors(stores: Stores) -> AsyncIterator[Doctors]:
    doctors = stores.doctors()
    yield doctors
    doctors.close()


class House:
    """A process with a door, on the real stores."""

    def __init__(self, doctors: Doctors, clock: Seconds, cheers: list[float]) -> None:
        self.doctors = doctors
        self.door = _door(doctors, clock, cheers)
        self.visitors = Visitors(self.door)
        self.codes = self.visitors.codes

    async def enter(self, stores: Stores, name: str) -> Guest:
        """A doctor of that name with a token, connected."""
        email = f"{name}@clinic.test"
        await add_ana(self.doctors, email=email, name=name)
        known = await doctor_by(stores, email)
        await self.door.watch()
        epoch = self.door.epoch
        visit = await self.doctors.by_token((await self.doctors.add_token(known.id, "x"))[1])
        assert visit
        return self.visitors.welcome(name, visit, epoch)


@pytest.fixture
def house(doctors: Doctors, clock: Seconds, cheers: list[float]) -> House:
    return House(doctors, clock, cheers)


async def _watch_until_moved(house: House, stores: Stores) -> None:
    """As the loop does it: each check may leave the rest to the next."""
    async with asyncio.timeout(30):
        while await stores.epoch() != await house.doctors.epoch():
            await house.door.watch()


async def test_each_way_of_ending_shows_at_every_door(
    stores: Stores, house: House, doctors: Doctors
) -> None:
    ana, ben, chiara, denis = [
        await house.enter(stores, name) for name in ("ana", "ben", "chiara", "denis")
    ]
    elsewhere = stores.doctors()
    await elsewhere.sign_out(ana.visit)
    await elsewhere.set_verified(ben.doctor.id, False)
    await elsewhere.set_language(denis.doctor.id, "fr")
    await _change_specialty(stores.identity, chiara.doctor.id)
    elsewhere.close()
    assert await house.door.watch()
    assert house.codes == {"ana": SIGNED_OUT, "ben": REVOKED, "chiara": RESTART}
    assert denis.doctor.language == "fr"


async def test_a_crash_between_the_two_stores_is_noticed_and_made_good(
    stores: Stores, house: House
) -> None:
    class CutOff(Doctors):
        async def move_gate(self) -> int:
            raise StorageError("cut off")

    ana, ben = await house.enter(stores, "ana"), await house.enter(stores, "ben")
    before = await stores.epoch()
    dying = CutOff(stores.identity, stores.lounge, stores.keys, stores.settings)
    with pytest.raises(StorageError):
        await dying.sign_out(ana.visit)
    dying.close()
    assert await stores.epoch() == before
    assert await house.door.watch()
    assert house.codes == {"ana": SIGNED_OUT}
    await _watch_until_moved(house, stores)
    assert ben.epoch == await stores.epoch() != before


async def test_what_is_refused_or_fails_raises_nothing(
    stores: Stores, house: House, doctors: Doctors
) -> None:
    ana, ben = await house.enter(stores, "ana"), await house.enter(stores, "ben")
    before = await doctors.epoch()
    assert ana.visit.token
    with pytest.raises(Refusal):
        await doctors.end_token(ben.doctor.id, ana.visit.token)
    assert await doctors.epoch() == before


async def test_while_the_identity_store_cannot_be_read_the_door_is_not_sure(
    stores: Stores,
    house: House,
    clock: Seconds,
    cheers: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await house.enter(stores, "ana")
    with monkeypatch.context() as broken:
        broken.setattr(stores.identity, "reading", _unreadable)
        clock.now += 0.9
        assert await house.door.watch()
        clock.now += 0.2
        assert not await house.door.watch()
    assert await house.door.watch()
    assert cheers == [1_000, clock.now]
    assert house.codes == {}


async def test_the_lounge_store_away_takes_nothing_from_being_sure(
    stores: Stores, house: House, doctors: Doctors, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await house.enter(stores, "ana")
    with monkeypatch.context() as broken:
        broken.setattr(stores.lounge, "reading", _unreadable)
        broken.setattr(stores.lounge, "writing", _unreadable)
        with pytest.raises(StorageError):
            await doctors.sign_out(ana.visit)
        assert await house.door.watch()
        assert house.codes == {"ana": SIGNED_OUT}
    await _watch_until_moved(house, stores)


@pytest.mark.parametrize("restored", ["lounge", "identity"])
async def test_after_a_store_is_restored_from_an_older_copy_acts_go_on(
    stores: Stores, house: House, doctors: Doctors, restored: str
) -> None:
    ana, ben = await house.enter(stores, "ana"), await house.enter(stores, "ben")
    await doctors.set_language(ben.doctor.id, "fr")
    await house.door.watch()
    if restored == "lounge":
        await _set(stores.lounge, schema.gate, -7)
    else:
        await _set(stores.identity, revocation, -7)
        await _watch_until_moved(house, stores)
    await house.door.recheck(ana, await stores.epoch())
    assert ana.epoch == await stores.epoch() == await doctors.epoch()
    assert house.codes == {}


async def test_an_older_identity_store_brings_its_own_truth(
    stores: Stores, house: House, doctors: Doctors
) -> None:
    """Whom that copy does not know is out."""
    await house.enter(stores, "ana")
    await wipe(stores)
    await _set(stores.identity, revocation, -9)
    await house.door.watch()
    assert house.codes == {"ana": SIGNED_OUT}


async def test_who_read_an_older_epoch_does_not_set_the_gate_back(
    stores: Stores, doctors: Doctors, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = gate._read
    await _set(stores.lounge, schema.gate, -1)

    async def overtaken(identity: Database) -> int:
        epoch = await read(identity)
        monkeypatch.setattr(gate, "_read", read)
        async with stores.identity.writing() as connection:
            await gate.raise_epoch(connection)
        await gate.follow(stores.lounge, stores.identity)
        return epoch

    monkeypatch.setattr(gate, "_read", overtaken)
    await gate.follow(stores.lounge, stores.identity)
    assert await stores.epoch() == await doctors.epoch()


async def test_a_gate_that_stands_right_is_not_written(
    stores: Stores, doctors: Doctors, monkeypatch: pytest.MonkeyPatch
) -> None:
    await doctors.move_gate()
    monkeypatch.setattr(stores.lounge, "writing", _unreadable)
    assert await doctors.move_gate() == await stores.epoch()


def _unreadable() -> Any:
    raise StorageError("away")


async def _change_specialty(identity: Database, doctor_id: str) -> None:
    async with identity.writing() as connection:
        change = update(doctor).where(doctor.c.id == doctor_id)
        await connection.execute(change.values(specialty="neurology"))
        await gate.raise_epoch(connection)


async def _set(database: Database, table: Any, epoch: int) -> None:
    async with database.writing() as connection:
        await connection.execute(update(table).values(epoch=epoch))
