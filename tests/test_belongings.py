"""A doctor's own things: shown at once, written late, never lost between two processes."""

from __future__ import annotations

import asyncio
import gc

import pytest
from sqlalchemy import select

from lounge.belongings import MOST_CHANGES, MOST_IGNORED, MOST_MARKS, MOST_OWN, Belongings
from lounge.demo import populate
from lounge.errors import Refusal
from storage import identities
from storage.belongings import DAY_MS
from storage.database import StorageError
from storage.identity_schema import belongings
from tests.stores import START, Clock, Stores, add_ana, doctor_by

CONSULT = "consult/one"
FIRST_PINS = ("specialty/cardiology", "country/ca", "world")


@pytest.fixture
async def ana(stores: Stores) -> str:
    """Ana's id."""
    doctors = stores.doctors()
    await add_ana(doctors)
    doctors.close()
    return (await doctor_by(stores, "ana@clinic.test")).id


def opened(stores: Stores) -> Belongings:
    """As one process has them."""
    return Belongings(stores.identity, stores.keys, clock=Clock())


async def test_at_first_the_own_specialty_and_country_and_the_world_are_pinned(
    stores: Stores, ana: str
) -> None:
    shelf = await opened(stores).of(ana)
    assert shelf.pinned == shelf.rooms == FIRST_PINS
    assert shelf.own == ()


async def test_what_changed_is_there_after_a_restart(stores: Stores, ana: str) -> None:
    before = opened(stores)
    shelf = await before.of(ana)
    shelf.joined("world")
    shelf.joined("specialty/neurology")
    shelf.pin("country/ca", False)
    shelf.pin("house/coffee", True)
    shelf.read("world", 7, 5)
    shelf.wear("world", "screen")
    shelf.wear("house/coffee", "named", exact=True)
    shelf.retire("world", 2)
    shelf.retire("world", 1)
    for on in (True, False, True):
        shelf.ignore("world", "somebody", on)
    shelf.ignore("world", "another", False)
    await before.close()
    again = await opened(stores).of(ana)
    assert again.own == ("specialty/neurology", "world")
    assert again.pinned == ("specialty/cardiology", "world", "house/coffee")
    assert again.marks == {"world": (7, 5)}
    assert again.faces == {"world": "screen", "house/coffee": "named"}
    assert again.is_exact("house/coffee", "named")
    assert not again.is_exact("house/coffee", "screen")
    assert again.retired("world") == 2
    assert again.ignored("world") == ("somebody",)
    assert again.ignored("house/coffee") == ()


async def test_a_read_mark_only_goes_forward(stores: Stores, ana: str) -> None:
    here = opened(stores)
    shelf = await here.of(ana)
    shelf.read("world", 7, 5)
    shelf.read("world", 3, 2)
    assert shelf.marks == {"world": (7, 5)}
    await here.close()
    assert (await opened(stores).of(ana)).marks == {"world": (7, 5)}


async def test_two_processes_do_not_overwrite_each_other(stores: Stores, ana: str) -> None:
    one, other = opened(stores), opened(stores)
    here, there = await one.of(ana), await other.of(ana)
    here.joined("specialty/neurology")
    here.read("world", 9, 9)
    there.joined("specialty/oncology")
    there.read("world", 4, 4)
    there.pin("house/coffee", True)
    await asyncio.gather(one.close(), other.close())
    after = await opened(stores).of(ana)
    assert set(after.own) == {"specialty/neurology", "specialty/oncology"}
    assert after.marks == {"world": (9, 9)}
    assert after.pinned == (*FIRST_PINS, "house/coffee")


async def test_a_change_that_waits_outlives_reading_on_and_ends_once_in_either_process(
    stores: Stores, ana: str
) -> None:
    one, other = opened(stores), opened(stores)
    here, there = await one.of(ana), await other.of(ana)
    for shelf in (here, there):
        shelf.learn(CONSULT, 3, 9)
        shelf.read(CONSULT, 9, 5)
        shelf.read(CONSULT, 12, 6)
    assert here.changed(CONSULT) == there.changed(CONSULT) == {3: 9}
    here.acknowledge(CONSULT, 3, 9)
    await one.close()
    await other.close()  # it had not heard
    after = await opened(stores).of(ana)
    assert (after.changed(CONSULT), after.changed("world")) == ({}, {})
    assert after.marks[CONSULT] == (12, 6)


async def test_an_acknowledgement_is_of_what_was_seen_and_not_of_what_came_later(
    stores: Stores, ana: str
) -> None:
    here = opened(stores)
    shelf = await here.of(ana)
    shelf.acknowledge(CONSULT, 3, 9)  # seen as it came, before the mark passed it
    shelf.learn(CONSULT, 3, 9)
    assert shelf.changed(CONSULT) == {}
    shelf.learn(CONSULT, 3, 14)
    shelf.acknowledge(CONSULT, 3, 9)
    shelf.learn(CONSULT, 5, 15)
    await here.close()
    again = await opened(stores).of(ana)
    assert again.changed(CONSULT) == {3: 14, 5: 15}
    for n in range(MOST_CHANGES):
        again.learn(CONSULT, 100 + n, 1_000 + n)
        again.acknowledge(CONSULT, 1_000 + n, 2_000 + n)
    assert len(again.changed(CONSULT)) == len(again.acknowledged(CONSULT)) == MOST_CHANGES


async def test_what_another_process_wrote_shows_after_the_own_write(
    stores: Stores, ana: str
) -> None:
    one, other = opened(stores), opened(stores)
    here, there = await one.of(ana), await other.of(ana)
    there.joined("specialty/oncology")
    await other.write()
    here.joined("specialty/neurology")
    await one.write()
    assert here.own == ("specialty/neurology", "specialty/oncology")


async def test_sockets_of_one_doctor_share_a_shelf_while_they_use_it(
    stores: Stores, ana: str
) -> None:
    here = opened(stores)
    one, other = await asyncio.gather(here.of(ana), here.of(ana))
    assert one is other
    one.joined("world")
    assert other.own == ("world",)
    await here.write()
    del one, other
    gc.collect()
    assert not here._shelves


async def test_two_hundred_shelves_opened_at_once_cost_a_handful_of_reads(stores: Stores) -> None:
    await populate(stores.identity, 200, now=START)
    async with stores.identity.reading() as connection:
        ids = await identities.verified_ids(connection)
    here = opened(stores)
    shelves = await asyncio.gather(*(here.of(id) for id in ids))
    assert [shelf.doctor_id for shelf in shelves] == ids
    assert here._kept.loads <= 2


async def test_a_shelf_with_something_unwritten_is_not_dropped(stores: Stores, ana: str) -> None:
    here = opened(stores)
    (await here.of(ana)).joined("world")
    gc.collect()
    assert (await here.of(ana)).own == ("world",)


async def test_a_failed_write_is_done_again(
    stores: Stores, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = opened(stores)
    shelf = await here.of(ana)
    shelf.joined("world")
    with monkeypatch.context() as broken:
        broken.setattr(here._keyring, "seal", _fails)
        with pytest.raises(StorageError):
            await here.write()
    shelf.joined("specialty/neurology")
    await here.close()
    assert (await opened(stores).of(ana)).own == ("specialty/neurology", "world")


async def test_changes_made_while_writing_stay_due(
    stores: Stores, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = opened(stores)
    shelf = await here.of(ana)
    shelf.joined("world")
    seal = here._keyring.seal

    def join_meanwhile(label: str, plaintext: bytes, about: bytes = b"") -> bytes:
        shelf.joined("specialty/neurology")
        return seal(label, plaintext, about)

    with monkeypatch.context() as busy:
        busy.setattr(here._keyring, "seal", join_meanwhile)
        await here.write()
    assert (await opened(stores).of(ana)).own == ("world",)
    await here.write()
    assert (await opened(stores).of(ana)).own == ("specialty/neurology", "world")


async def test_the_loop_writes_by_itself(stores: Stores, ana: str) -> None:
    here = Belongings(stores.identity, stores.keys, latest_seconds=0.01)
    (await here.of(ana)).joined("world")
    loop = asyncio.create_task(here.run())
    while (await opened(stores).of(ana)).own != ("world",):
        await asyncio.sleep(0)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def test_the_row_is_sealed_and_tells_the_day_only(stores: Stores, ana: str) -> None:
    here = opened(stores)
    (await here.of(ana)).joined("specialty/neurology")
    await here.close()
    async with stores.identity.reading() as connection:
        (row,) = await connection.execute(select(belongings))
    assert b"neurology" not in row.sealed
    assert row.updated % DAY_MS == 0


async def test_the_lists_are_bounded(stores: Stores, ana: str) -> None:
    shelf = await opened(stores).of(ana)
    for n in range(MOST_MARKS + 1):
        shelf.joined(f"bench/{n}")
        shelf.read(f"bench/{n}", 1, 1)
    assert len(shelf.own) == len(shelf.rooms) == MOST_OWN
    assert shelf.own[0] == f"bench/{MOST_MARKS}"
    assert len(shelf.marks) == MOST_MARKS
    assert "bench/0" not in shelf.marks


async def test_nobody_ignores_everybody(stores: Stores, ana: str) -> None:
    shelf = await opened(stores).of(ana)
    for n in range(MOST_IGNORED):
        shelf.ignore("world", str(n), True)
    with pytest.raises(Refusal):
        shelf.ignore("world", "one more", True)
    shelf.ignore("world", "0", False)
    shelf.ignore("world", "one more", True)


async def test_nobody_has_no_shelf(stores: Stores) -> None:
    with pytest.raises(Refusal):
        await opened(stores).of("nobody")


def _fails(*_: object) -> bytes:
    raise OSError
