"""The door: whoever may no longer be here is found behind the gate's epoch, however that rose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest

from lounge.doctors import Doctor, Doctors, Visit
from lounge.door import Door, Guest
from lounge.errors import REVOKED, SIGNED_OUT, Close, Code, Refusal, StorageError

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


class Register:
    """What the identity store says of visits. Answers wait while it is `slow`."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.struck_off: set[str] = set()
        self.is_away = False
        self.asked = 0
        self.quick = asyncio.Event()
        self.quick.set()

    async def still_open(self, visits: Iterable[Visit]) -> dict[Visit, Visit]:
        self.asked += 1
        ended, struck_off = set(self.ended), set(self.struck_off)  # as the snapshot has it
        await self.quick.wait()
        if self.is_away:
            raise StorageError("away")
        return {
            visit: replace(visit, doctor=replace(visit.doctor, verified=visit.id not in struck_off))
            for visit in visits
            if visit.id not in ended
        }


class Visitors:
    """Guests by name, and with which code each was ended."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.codes: dict[str, Close] = {}

    def admit(self, name: str, epoch: int = 0) -> Guest:
        visit = Visit(replace(ANA, id=name), name, None)
        return self.door.admit(visit, lambda code: self.codes.__setitem__(name, code), epoch)


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def door(register: Register) -> Door:
    return Door(cast(Doctors, register))


@pytest.fixture
def visitors(door: Door) -> Visitors:
    return Visitors(door)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_new_epoch_ends_just_those_who_may_no_longer_be_here(
    door: Door, register: Register, visitors: Visitors
) -> None:
    guests = {name: visitors.admit(name) for name in ("ana", "ben", "dan")}
    register.ended, register.struck_off = {"ben"}, {"dan"}
    door.heard(1)
    await _settle()
    assert visitors.codes == {"ben": SIGNED_OUT, "dan": REVOKED}
    assert guests["ana"].epoch == 1


async def test_an_epoch_that_is_no_news_asks_nobody(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    for epoch in (0, 1, 1, 1, 0):
        door.heard(epoch)
        await _settle()
    assert register.asked == 1


async def test_a_second_revocation_during_the_check_of_the_first_is_not_missed(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.quick.clear()
    door.heard(1)
    await _settle()
    register.ended.add("ana")  # after that check had its snapshot
    door.heard(2)
    register.quick.set()
    await _settle()
    door.heard(2)  # the next poll
    await _settle()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_who_came_in_during_a_revocation_is_looked_up_again(
    door: Door, register: Register, visitors: Visitors
) -> None:
    """Her visit was read before it ended; she is admitted after all the others were checked."""
    epoch = door.epoch
    register.ended.add("ana")
    door.heard(1)
    await _settle()
    visitors.admit("ana", epoch)
    door.heard(1)
    await _settle()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_while_the_register_is_away_the_next_poll_asks_again(
    door: Door, register: Register, visitors: Visitors
) -> None:
    visitors.admit("ana")
    register.ended.add("ana")
    register.is_away = True
    door.heard(1)
    await _settle()
    assert visitors.codes == {}
    register.is_away = False
    door.heard(1)
    await _settle()
    assert visitors.codes == {"ana": SIGNED_OUT}


async def test_an_act_waits_until_its_doctor_is_known_to_stand(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana, ben = visitors.admit("ana"), visitors.admit("ben")
    register.ended.add("ben")
    await door.recheck(ana, 3)
    assert ana.epoch == 3
    with pytest.raises(Refusal) as refused:
        await door.recheck(ben, 3)
    assert refused.value.code is Code.FORBIDDEN
    register.is_away = True
    with pytest.raises(Refusal) as refused:
        await door.recheck(ana, 4)
    assert refused.value.code is Code.STORAGE


async def test_two_revocations_in_a_row_do_not_refuse_who_stands(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana = visitors.admit("ana")
    register.quick.clear()
    door.heard(1)
    await _settle()
    waiting = asyncio.create_task(door.recheck(ana, 2))
    await _settle()
    register.quick.set()
    await waiting
    assert ana.epoch == 2


async def test_who_has_gone_is_not_asked_about_for_ever(
    door: Door, register: Register, visitors: Visitors
) -> None:
    ana, ben = visitors.admit("ana"), visitors.admit("ben")
    register.ended.add("ben")
    door.part(ana)
    for _ in range(3):
        door.heard(1)
        await _settle()
    assert register.asked == 1
    assert (ben.ended, door.guests()) == (True, frozenset({ben}))
