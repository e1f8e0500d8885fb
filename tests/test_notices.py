"""Letters to one doctor: carried over once, in order, whatever dies between the two stores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import func, insert, select

from lounge.keys import Keyring, Keys
from lounge.notices import Notice, Notices, Relay, letter
from storage import outbox as outbox_of
from storage.acts import Letter
from storage.database import StorageError
from storage.identity_schema import me_entry
from storage.me_log import Bounds
from storage.schema import outbox
from tests.stores import Stores, add_ana, doctor_by


@pytest.fixture
async def ana(stores: Stores) -> str:
    return await _doctor(stores, "ana@clinic.test")


@pytest.fixture
async def ben(stores: Stores) -> str:
    return await _doctor(stores, "ben@clinic.test")


class Hall:
    """Collects what a relay delivers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, list[object]]] = []
        self.something = asyncio.Event()

    async def __call__(self, doctor_id: str, notices: Sequence[Notice]) -> None:
        self.heard.append((doctor_id, [each.notice["n"] for each in notices]))
        self.something.set()


def relay(stores: Stores, hall: Hall | None = None) -> Relay:
    return Relay(stores.identity, stores.lounge, stores.keys, hall or Hall())


async def post(stores: Stores, doctor_id: str, *numbers: int) -> list[Letter]:
    letters = [letter(stores.keys, doctor_id, {"n": n}, at=1_000 + n) for n in numbers]
    async with stores.lounge.writing() as connection:
        await connection.execute(
            insert(outbox), [{"id": each.id, "sealed": each.sealed} for each in letters]
        )
    return letters


async def left_over(stores: Stores) -> int:
    async with stores.lounge.reading() as connection:
        query = select(func.count()).select_from(outbox)
        return int((await connection.execute(query)).scalar_one())


async def log_of(stores: Stores, doctor_id: str) -> list[tuple[int, object]]:
    notices = await Notices(stores.identity, stores.keys).page(doctor_id)
    return [(each.seq, each.notice["n"]) for each in notices]


async def test_letters_arrive_in_order_and_leave_the_outbox(
    stores: Stores, ana: str, ben: str
) -> None:
    hall = Hall()
    await post(stores, ana, 2, 1, 3)
    await post(stores, ben, 9)
    await relay(stores, hall).carry()
    assert await log_of(stores, ana) == [(1, 1), (2, 2), (3, 3)]
    assert await log_of(stores, ben) == [(1, 9)]
    assert await left_over(stores) == 0
    assert sorted(hall.heard) == sorted([(ana, [1, 2, 3]), (ben, [9])])


async def test_the_log_counts_on(stores: Stores, ana: str) -> None:
    for n in range(3):
        await post(stores, ana, n)
        await relay(stores).carry()
    assert await log_of(stores, ana) == [(1, 0), (2, 1), (3, 2)]
    assert await Notices(stores.identity, stores.keys).head(ana) == 3


async def test_killed_between_the_stores_it_delivers_once(
    stores: Stores, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(stores, ana, 1)
    with monkeypatch.context() as killed:
        killed.setattr(outbox_of, "drop", _killed)
        with pytest.raises(StorageError):
            await relay(stores).carry()
    assert await left_over(stores) == 1
    await post(stores, ana, 2)
    await relay(stores).carry()
    assert await log_of(stores, ana) == [(1, 1), (2, 2)]
    assert await left_over(stores) == 0


async def test_two_relays_at_once_carry_each_letter_once(
    stores: Stores, ana: str, ben: str
) -> None:
    await post(stores, ana, *range(150))
    await post(stores, ben, *range(150))
    await asyncio.gather(relay(stores).carry(), relay(stores).carry())
    for doctor_id in (ana, ben):
        notices = await Notices(stores.identity, stores.keys).page(doctor_id, limit=1_000)
        assert [each.seq for each in notices] == list(range(1, 151))
        assert len({each.notice["n"] for each in notices}) == 150
    assert await left_over(stores) == 0


async def test_pages_go_both_ways(stores: Stores, ana: str) -> None:
    await post(stores, ana, *range(1, 8))
    await relay(stores).carry()
    notices = Notices(stores.identity, stores.keys)

    async def seqs(**where: int) -> list[int]:
        return [each.seq for each in await notices.page(ana, **where)]

    assert await seqs(after=2, limit=3) == [3, 4, 5]
    assert await seqs(before=6, limit=2) == [4, 5]
    assert await seqs(limit=2) == [6, 7]
    assert await seqs(after=7) == []


async def test_an_empty_log_has_head_0(stores: Stores, ana: str) -> None:
    notices = Notices(stores.identity, stores.keys)
    assert await notices.bounds(ana) == Bounds(oldest=1, head=0)
    assert await notices.page(ana) == []


async def test_what_a_letter_says_and_for_whom_cannot_be_read(stores: Stores, ana: str) -> None:
    short = letter(stores.keys, ana, {"notice": "hidden"}, at=1)
    long = letter(stores.keys, ana, {"notice": "hidden", "room": "world", "target": 12}, at=1)
    assert ana.encode() not in short.sealed
    assert b"hidden" not in short.sealed
    assert len(short.sealed) == len(long.sealed)
    await post(stores, ana, 1)
    await relay(stores).carry()
    async with stores.identity.reading() as connection:
        (row,) = await connection.execute(select(me_entry))
    assert b'"n"' not in row.sealed


async def test_a_letter_that_no_key_opens_does_not_hold_up_the_others(
    stores: Stores, ana: str
) -> None:
    stranger = Keys(Keyring([b"s" * 32]), Keyring([b"s" * 32]))
    async with stores.lounge.writing() as connection:
        for n in range(120):
            sealed = letter(stranger, ana, {"n": n}).sealed
            await connection.execute(
                insert(outbox).values(id=bytes(15) + bytes([n]), sealed=sealed)
            )
    await post(stores, ana, 1)
    await relay(stores).carry()
    assert await log_of(stores, ana) == [(1, 1)]
    assert await left_over(stores) == 120


async def test_a_letter_to_somebody_who_is_gone_is_dropped(stores: Stores, ana: str) -> None:
    await post(stores, "nobody", 1)
    await post(stores, ana, 2)
    await relay(stores).carry()
    assert await log_of(stores, ana) == [(1, 2)]
    assert await left_over(stores) == 0


async def test_a_woken_relay_carries_at_once(stores: Stores, ana: str) -> None:
    hall = Hall()
    running = relay(stores, hall)
    loop = asyncio.create_task(running.run())
    for n in range(3):
        hall.something.clear()
        await post(stores, ana, n)
        running.wake()
        await hall.something.wait()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert await log_of(stores, ana) == [(1, 0), (2, 1), (3, 2)]


async def _doctor(stores: Stores, email: str) -> str:
    doctors = stores.doctors()
    await add_ana(doctors, email=email)
    doctors.close()
    return (await doctor_by(stores, email)).id


async def _killed(*_: object) -> None:
    raise OSError
