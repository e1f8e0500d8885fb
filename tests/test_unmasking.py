"""Unmasking takes two officers, a reason and a day; whoever tries with less is refused, and noted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from nacl.public import PrivateKey
from sqlalchemy import select, update

from lounge.errors import Refusal, StorageError
from lounge.house import House, look
from lounge.notices import Notices, Relay
from lounge.officers import Seals
from lounge.sealing import opened
from lounge.unmasking import (
    DAY_MS,
    Case,
    Opener,
    Unmasked,
    Unmasking,
)
from storage import audit
from storage.database import Database
from storage.identity_schema import officer
from storage.schema import card, entry, lounge_audit, persona, room, talk
from tests.stores import Clock, Stores
from tests.test_officers import OLGA, OMAR, doctor, enrolment_of, personas_of, the_two

ROOM, SEQ = "specialty/cardiology", 58
REASON = "A threat against a colleague"
STRANGER = PrivateKey.generate()


@dataclass(slots=True)
class Hall:
    """A say of Ana's, two officers, and the way to her name."""

    stores: Stores
    ana: str
    clock: Clock
    unmasking: Unmasking

    async def acts(self) -> list[tuple[str, str | None]]:
        """The audit: what was done, about what."""
        async with self.stores.lounge.reading() as connection:
            assert await audit.verify(connection, "lounge") is None
            query = select(lounge_audit.c.act, lounge_audit.c.about).order_by(lounge_audit.c.seq)
            return [(row.act, row.about) for row in await connection.execute(query)]

    async def told(self) -> list[dict[str, object]]:
        """What Ana's own log says."""

        async def nobody(_: str, __: object) -> None: ...

        await Relay(self.stores.identity, self.stores.lounge, self.stores.keys, nobody).carry()
        found = await Notices(self.stores.identity, self.stores.keys).page(self.ana)
        return [each.notice for each in found]

    async def approved(self) -> Case:
        case = await self.unmasking.request(ROOM, SEQ, REASON)
        return await self.unmasking.approve(case.id, by(OMAR))

    async def refused(self, attempt: object, key: str) -> None:
        """The attempt is refused for that, and the log shows it."""
        before = len(await self.acts())
        with pytest.raises(Refusal) as refusal:
            await attempt  # type: ignore[misc]
        assert refusal.value.key == key
        assert [act for act, _ in (await self.acts())[before:]] == ["unmask.refused"]


async def told_of(hall: Hall) -> House:
    """What every doctor may know before she writes."""
    return await look(hall.stores.settings, hall.stores.identity, hall.stores.lounge)


def by(key: PrivateKey) -> Opener:
    return lambda box: opened(box, key)


async def say(
    stores: Stores, doctor_id: str, sealed: bytes | None, slug: str = ROOM, home: str = ROOM
) -> None:
    """An entry, as a say would have left it. `home`: where its persona is who it is."""
    id = personas_of(stores).id_of(doctor_id, home)
    async with stores.lounge.writing() as connection:
        new = room.insert().values(slug=slug, last_seq=SEQ).returning(room.c.id)
        number = (await connection.execute(new)).scalar_one()
        await connection.execute(
            persona.insert().values(
                id=id, face="anonymous", badge="{}", room_id=number, sealed=sealed
            )
        )
        await connection.execute(
            entry.insert().values(
                room_id=number,
                seq=SEQ,
                id="an-entry",
                kind="say",
                at=1,
                persona=id,
                says=1,
                digest=b"",
                body=b'{"text":"words"}',
            )
        )


@pytest.fixture
async def hall(stores: Stores) -> Hall:
    await enrolment_of(stores).enrol(*await the_two(stores))
    seals = Seals(stores.identity, stores.keys)
    await seals.refresh()
    ana, clock = await doctor(stores, "ana"), Clock()
    await say(stores, ana, seals.seal(ana))
    unmasking = Unmasking(
        stores.identity, stores.lounge, stores.keys, personas_of(stores), clock=clock
    )
    return Hall(stores, ana, clock, unmasking)


async def test_two_officers_learn_who_it_was_and_she_is_told(hall: Hall) -> None:
    case = await hall.unmasking.request(ROOM, SEQ, REASON)
    assert await hall.acts() == [("unmask.requested", f"{ROOM} {SEQ}")]
    handed = await hall.unmasking.approve(case.id, by(OMAR))
    found = await hall.unmasking.open(case.id, handed.box, by(OLGA))
    assert found == Unmasked(ROOM, SEQ, hall.ana, "ana@clinic.test", "Ana")
    assert [act for act, _ in await hall.acts()] == [
        "unmask.requested",
        "unmask.approved",
        "unmask.opened",
    ]
    assert await hall.told() == [
        {"notice": "unmasked", "about": ROOM, "target": SEQ, "reason": REASON}
    ]


async def test_each_officer_may_open_her_box_elsewhere_and_hand_in_a_line(hall: Hall) -> None:
    case = await hall.unmasking.request(ROOM, SEQ, REASON)
    outer = opened(case.box, OMAR)
    handed = await hall.unmasking.approve(case.id, lambda _: outer)
    inner = opened(handed.box, OLGA)
    assert (await hall.unmasking.open(case.id, b"", lambda _: inner)).doctor_id == hall.ana


async def test_the_house_can_say_who_the_officers_are_and_how_often_it_happened(
    hall: Hall,
) -> None:
    assert (await told_of(hall)).officers == ("Olga", "Omar")
    handed = await hall.approved()
    assert (await told_of(hall)).unmaskings == 0
    await hall.unmasking.open(handed.id, handed.box, by(OLGA))
    assert (await told_of(hall)).unmaskings == 1


async def test_in_a_talk_an_author_is_who_she_was_where_the_two_met(hall: Hall) -> None:
    async with hall.stores.lounge.writing() as connection:
        met = {"asker": b"one", "asked": b"other", "state": "open"}
        await connection.execute(talk.insert().values(slug="talk/x", origin="world", **met))
    ben = await doctor(hall.stores, "ben")
    await say(hall.stores, ben, None, "talk/x", "world")
    assert await enrolment_of(hall.stores).seal_rest() == 1
    case = await hall.unmasking.request("talk/x", SEQ, REASON)
    handed = await hall.unmasking.approve(case.id, by(OMAR))
    assert (await hall.unmasking.open(case.id, handed.box, by(OLGA))).doctor_id == ben


async def test_of_a_card_the_author_is_who_she_is_in_the_consult(hall: Hall) -> None:
    ben = await doctor(hall.stores, "ben")
    await say(hall.stores, ben, None, "consult/x", "consult/x")
    assert await enrolment_of(hall.stores).seal_rest() == 1
    async with hall.stores.lounge.writing() as connection:
        persona_id = personas_of(hall.stores).id_of(ben, "consult/x")
        await connection.execute(update(entry).values(persona=persona_id, kind="consult.card"))
        number = select(room.c.id).where(room.c.slug == ROOM).scalar_subquery()
        announced = {"room_id": number, "seq": SEQ, "consult": "consult/x"}
        await connection.execute(card.insert().values(**announced))
    case = await hall.unmasking.request(ROOM, SEQ, REASON)
    handed = await hall.unmasking.approve(case.id, by(OMAR))
    assert (await hall.unmasking.open(case.id, handed.box, by(OLGA))).doctor_id == ben


async def test_one_key_does_not_suffice(hall: Hall) -> None:
    case = await hall.unmasking.request(ROOM, SEQ, REASON)
    open_ = hall.unmasking.open(case.id, case.box, by(OLGA))
    await hall.refused(open_, "unmask.not_approved")
    await hall.refused(hall.unmasking.approve(case.id, by(OLGA)), "unmask.wrong_key")
    handed = await hall.unmasking.approve(case.id, by(OMAR))
    await hall.refused(hall.unmasking.open(case.id, handed.box, by(OMAR)), "unmask.wrong_key")
    assert await hall.told() == []


async def test_a_wrong_key_opens_nothing(hall: Hall) -> None:
    case = await hall.unmasking.request(ROOM, SEQ, REASON)
    await hall.refused(hall.unmasking.approve(case.id, by(STRANGER)), "unmask.wrong_key")
    await hall.refused(hall.unmasking.approve(case.id, lambda _: b"a line"), "unmask.wrong_key")
    handed = await hall.unmasking.approve(case.id, by(OMAR))
    await hall.refused(hall.unmasking.open(case.id, handed.box, by(STRANGER)), "unmask.wrong_key")


async def test_after_a_day_nothing_is_opened(hall: Hall) -> None:
    handed = await hall.approved()
    hall.clock.now += DAY_MS
    await hall.refused(hall.unmasking.approve(handed.id, by(OMAR)), "unmask.expired")
    await hall.refused(hall.unmasking.open(handed.id, handed.box, by(OLGA)), "unmask.expired")
    assert await hall.told() == []


async def test_without_a_request_nothing_is_opened(hall: Hall) -> None:
    await hall.refused(hall.unmasking.approve("0123456789abcdef", by(OMAR)), "unmask.unknown")
    open_ = hall.unmasking.open("0123456789abcdef", b"", by(OLGA))
    await hall.refused(open_, "unmask.unknown")


async def test_a_request_is_opened_once(hall: Hall) -> None:
    handed = await hall.approved()
    await hall.unmasking.open(handed.id, handed.box, by(OLGA))
    await hall.refused(hall.unmasking.open(handed.id, handed.box, by(OLGA)), "unmask.done")
    assert len(await hall.told()) == 1


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("  ", "unmask.reason"),
        ("x" * 501, "unmask.reason"),
        ("write to ana@clinic.test", "unmask.reason_private"),
    ],
)
async def test_a_request_needs_a_reason_that_names_nobody(
    hall: Hall, reason: str, key: str
) -> None:
    await hall.refused(hall.unmasking.request(ROOM, SEQ, reason), key)


async def test_an_entry_that_is_not_there_cannot_be_asked_for(hall: Hall) -> None:
    await hall.refused(hall.unmasking.request(ROOM, 59, REASON), "unmask.no_such_entry")
    await hall.refused(hall.unmasking.request("world", 1, REASON), "unmask.no_such_entry")


async def test_an_author_that_is_not_sealed_cannot_be_asked_for(hall: Hall) -> None:
    async with hall.stores.lounge.writing() as connection:
        await connection.execute(update(persona).values(sealed=None))
    await hall.refused(hall.unmasking.request(ROOM, SEQ, REASON), "unmask.unsealed")


async def test_without_officers_unmasking_is_off(hall: Hall) -> None:
    async with hall.stores.identity.writing() as connection:
        await connection.execute(officer.delete())
    await hall.refused(hall.unmasking.request(ROOM, SEQ, REASON), "unmask.no_officers")


async def test_a_box_that_was_put_into_another_persona_names_nobody(hall: Hall) -> None:
    seals = Seals(hall.stores.identity, hall.stores.keys)
    await seals.refresh()
    ben = await doctor(hall.stores, "ben")
    async with hall.stores.lounge.writing() as connection:
        await connection.execute(update(persona).values(sealed=seals.seal(ben)))
    handed = await hall.approved()
    await hall.refused(hall.unmasking.open(handed.id, handed.box, by(OLGA)), "unmask.mismatch")


class Gone(Database):
    """An audit store that is not there any more."""

    def writing(self) -> object:  # type: ignore[override]
        raise StorageError("away")


async def test_without_the_audit_nothing_is_opened(hall: Hall) -> None:
    handed = await hall.approved()
    before = await hall.acts()
    away = Gone(hall.stores.lounge.url.render_as_string(hide_password=False))
    without = Unmasking(
        hall.stores.identity, away, hall.stores.keys, personas_of(hall.stores), clock=hall.clock
    )
    with pytest.raises(StorageError):
        await without.request(ROOM, SEQ, REASON)
    with pytest.raises(StorageError):
        await without.open(handed.id, handed.box, by(OLGA))
    await away.close()
    assert await hall.acts() == before
    assert (await told_of(hall)).unmaskings == 0
    assert await hall.told() == []


async def test_the_lounge_store_never_learns_who_it_was(hall: Hall) -> None:
    handed = await hall.approved()
    await hall.unmasking.open(handed.id, handed.box, by(OLGA))
    async with hall.stores.lounge.reading() as connection:
        for table in (lounge_audit, *persona.metadata.sorted_tables):
            for row in await connection.execute(select(table)):
                assert hall.ana not in repr(tuple(row)), table.name
