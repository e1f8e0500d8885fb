"""Two officers: their keys, their enrolment, and what is sealed to them."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from nacl.public import PrivateKey
from nacl.pwhash import argon2id
from sqlalchemy import select

from lounge import officers as enrolling
from lounge.errors import Refusal
from lounge.keys import KeyFault
from lounge.officer_keys import Work, make_key, public_key, read_key
from lounge.officers import Enrolment, Officer, Officers, Seals, enrolled
from lounge.personas import Crowd, Personas
from lounge.rooms import open_catalogue
from lounge.sealing import Seal, WrongKey, box_of, opened
from storage import audit, officers
from storage.schema import persona, room
from tests.stores import Stores, add_ana, doctor_by
from tests.support import open_house, until

QUICK = Work(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
PHRASE = "four old boats at noon"
OLGA, OMAR, CHIARA = PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate()


def personas_of(stores: Stores) -> Personas:
    catalogue = open_catalogue(None)
    return Personas(stores.keys.persona.subkey("persona"), catalogue, Crowd.of((), catalogue, 5))


def enrolment_of(stores: Stores) -> Enrolment:
    return Enrolment(stores.identity, stores.lounge, stores.keys, personas_of(stores))


async def doctor(stores: Stores, name: str, **other: object) -> str:
    email = f"{name}@clinic.test"
    await add_ana(stores.doctors(), email=email, name=name.title(), **other)
    return (await doctor_by(stores, email)).id


async def the_two(stores: Stores) -> tuple[Officer, Officer]:
    """Olga opens last, Omar first."""
    return (
        Officer(await doctor(stores, "olga"), bytes(OLGA.public_key)),
        Officer(await doctor(stores, "omar"), bytes(OMAR.public_key)),
    )


async def spoken(stores: Stores, doctor_ids: Sequence[str], slug: str = "world") -> list[bytes]:
    """Personas of these doctors in a room, without a box."""
    ids = [personas_of(stores).id_of(doctor_id, slug) for doctor_id in doctor_ids]
    async with stores.lounge.writing() as connection:
        number = (
            await connection.execute(room.insert().values(slug=slug).returning(room.c.id))
        ).scalar_one()
        rows = [{"id": id, "face": "anonymous", "badge": "{}", "room_id": number} for id in ids]
        await connection.execute(persona.insert(), rows)
    return ids


async def box(stores: Stores, persona_id: bytes) -> bytes | None:
    async with stores.lounge.reading() as connection:
        return await officers.sealed_of(connection, persona_id)


def author(stores: Stores, sealed: bytes, first: PrivateKey, second: PrivateKey) -> str:
    seal = Seal(stores.keys)
    return seal.author(opened(seal.after_second(opened(box_of(sealed), second)), first))


def ignore(done: int, of: int) -> None:
    """No progress bar."""


# -- keys ----------------------------------------------------------------------------------------


def test_a_private_key_opens_with_its_passphrase_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "olga.key"
    public = make_key(file, PHRASE, QUICK)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes(read_key(file, PHRASE).public_key) == public_key(public)


def test_another_passphrase_a_short_one_and_a_file_that_is_there_are_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "olga.key"
    make_key(file, PHRASE, QUICK)
    before = file.read_bytes()
    with pytest.raises(KeyFault, match="passphrase of"):
        read_key(file, PHRASE + "!")
    with pytest.raises(KeyFault, match="cannot make"):
        make_key(file, PHRASE, QUICK)
    with pytest.raises(KeyFault, match="at least 12"):
        make_key(tmp_path / "other.key", "short", QUICK)
    assert file.read_bytes() == before


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text('{"kind": "notes"}')
    with pytest.raises(KeyFault, match="not an officer's key"):
        read_key(tmp_path / "notes", PHRASE)
    with pytest.raises(KeyFault, match="43"):
        public_key("not-a-key")


# -- boxes ---------------------------------------------------------------------------------------


async def test_a_box_opens_with_both_keys_in_their_order_and_with_nothing_less(
    stores: Stores,
) -> None:
    two = Officers(bytes(OLGA.public_key), bytes(OMAR.public_key))
    sealed = Seal(stores.keys).close("ana", two)
    assert author(stores, sealed, OLGA, OMAR) == "ana"
    for first, second in ((OMAR, OLGA), (OLGA, OLGA), (OMAR, OMAR), (OLGA, CHIARA)):
        with pytest.raises(WrongKey):
            author(stores, sealed, first, second)


async def test_boxes_are_all_of_one_size_and_never_the_same(stores: Stores) -> None:
    two = Officers(bytes(OLGA.public_key), bytes(OMAR.public_key))
    seal = Seal(stores.keys)
    boxes = {seal.close(id, two) for id in ("a", "ana", "a" * 64) for _ in range(2)}
    assert len(boxes) == 6
    assert len({len(each) for each in boxes}) == 1


async def test_without_the_houses_key_both_private_keys_find_no_author(stores: Stores) -> None:
    two = Officers(bytes(OLGA.public_key), bytes(OMAR.public_key))
    sealed = Seal(stores.keys).close("a-doctors-id", two)
    outer = opened(box_of(sealed), OMAR)
    with pytest.raises(WrongKey):  # what lies in it is locked by the house: it must be handed in
        opened(outer, OLGA)
    inner = opened(Seal(stores.keys).after_second(outer), OLGA)
    assert b"a-doctors-id" not in inner


async def test_nobody_puts_another_author_in_with_public_keys_alone(stores: Stores) -> None:
    seal = Seal(stores.keys)
    with pytest.raises(WrongKey):
        seal.after_second(b"made up by somebody who can write to the database")
    with pytest.raises(WrongKey):
        seal.author(b"")


# -- enrolment -----------------------------------------------------------------------------------


async def test_without_officers_nothing_is_sealed(stores: Stores) -> None:
    seals = Seals(stores.identity, stores.keys)
    await seals.refresh()
    assert seals.seal("ana") is None
    assert await enrolment_of(stores).seal_rest() == 0


async def test_enrolment_seals_whoever_has_spoken_and_whoever_speaks_after(stores: Stores) -> None:
    first, second = await the_two(stores)
    ana, ben = await doctor(stores, "ana"), await doctor(stores, "ben", verified=False)
    of_ana, of_ben = await spoken(stores, [ana, ben])
    enrolment = enrolment_of(stores)
    await enrolment.enrol(first, second)
    told: list[tuple[int, int]] = []
    assert await enrolment.seal_rest(lambda done, of: told.append((done, of))) == 2
    assert told == [(2, 2)]
    for persona_id, doctor_id in ((of_ana, ana), (of_ben, ben)):
        sealed = await box(stores, persona_id)
        assert sealed
        assert author(stores, sealed, OLGA, OMAR) == doctor_id
    seals = Seals(stores.identity, stores.keys)
    assert await seals.refresh()
    later = seals.seal(ana)
    assert later
    assert author(stores, later, OLGA, OMAR) == ana


async def test_sealing_goes_on_where_it_was_cut_off(stores: Stores) -> None:
    first, second = await the_two(stores)
    ana, ben = await doctor(stores, "ana"), await doctor(stores, "ben")
    await spoken(stores, [ana])
    enrolment = enrolment_of(stores)
    await enrolment.enrol(first, second)
    assert await enrolment.seal_rest() == 1
    await spoken(stores, [ben], "country/ca")
    assert await enrolment.seal_rest() == 1
    assert await enrolment.seal_rest() == 0


async def test_enrolment_is_audited_and_told_and_gives_the_role(stores: Stores) -> None:
    first, second = await the_two(stores)
    before = await stores.epoch()
    await enrolment_of(stores).enrol(first, second)
    assert await stores.epoch() > before
    assert "officer" in (await doctor_by(stores, "olga@clinic.test")).roles
    async with stores.identity.reading() as connection:
        assert await officers.names(connection) == ["Olga", "Omar"]
        assert (await audit.head(connection, "identity")).seq >= 2


@pytest.mark.parametrize("fault", ["one twice", "one key", "a registrar", "not verified", "again"])
async def test_officers_are_two_verified_doctors_apart(stores: Stores, fault: str) -> None:
    first, second = await the_two(stores)
    enrolment = enrolment_of(stores)
    if fault == "one twice":
        second = Officer(first.doctor_id, second.public_key)
    elif fault == "one key":
        second = Officer(second.doctor_id, first.public_key)
    elif fault == "a registrar":
        registrar = await doctor(stores, "rita", roles=["registrar"])
        second = Officer(registrar, second.public_key)
    elif fault == "not verified":
        second = Officer(await doctor(stores, "dan", verified=False), second.public_key)
    else:
        await enrolment.enrol(first, second)
    was = await enrolled(stores.identity)
    with pytest.raises(Refusal):
        await enrolment.enrol(first, second)
    assert await enrolled(stores.identity) == was


async def test_officers_hand_over_together(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolling, "_BATCH", 1)  # so that there is a next one
    first, second = await the_two(stores)
    ana, ben = await doctor(stores, "ana"), await doctor(stores, "ben")
    of_ana, _ = await spoken(stores, [ana, ben])
    enrolment = enrolment_of(stores)
    await enrolment.enrol(first, second)
    await enrolment.seal_rest()
    chiara = Officer(await doctor(stores, "chiara"), bytes(CHIARA.public_key))
    with pytest.raises(Refusal):  # one of the two does not suffice
        await enrolment.change([OLGA, CHIARA], first, chiara, ignore)
    assert await enrolment.change([OLGA, OMAR], first, chiara, ignore) == 2
    sealed = await box(stores, of_ana)
    assert sealed
    assert author(stores, sealed, OLGA, CHIARA) == ana
    with pytest.raises(WrongKey):
        author(stores, sealed, OLGA, OMAR)
    assert await enrolment.change([OLGA, OMAR], first, chiara, ignore) == 0
    assert "officer" not in (await doctor_by(stores, "omar@clinic.test")).roles


async def test_an_attempt_to_change_officers_with_wrong_keys_is_in_the_audit(
    stores: Stores,
) -> None:
    first, second = await the_two(stores)
    enrolment = enrolment_of(stores)
    await enrolment.enrol(first, second)
    async with stores.identity.reading() as connection:
        before = (await audit.head(connection, "identity")).seq
    with pytest.raises(Refusal):
        await enrolment.change([CHIARA, OMAR], second, first, ignore)
    async with stores.identity.reading() as connection:
        assert (await audit.head(connection, "identity")).seq == before + 1


# -- beside a lounge that is open ----------------------------------------------------------------


async def test_whoever_speaks_after_an_enrolment_is_sealed_at_her_first_say(
    tmp_path: Path, redis_url: str
) -> None:
    async with open_house(tmp_path, redis_url) as house:
        lounge = house.lounge
        two = [
            Officer(
                str(await lounge.doctors.id_of(await house.doctor(name))), bytes(key.public_key)
            )
            for name, key in (("olga", OLGA), ("omar", OMAR))
        ]
        before = await house.guest("ana", "world")
        await before.say("world", "Said before there are officers")
        await lounge.enrolment.enrol(*two)
        await until(lambda: lounge.seals.officers is not None)
        after = await house.guest("ben", "world")
        said = await after.say("world", "Said when there are")
        async with lounge.database.reading() as connection:
            rows = (await connection.execute(select(persona.c.sealed))).scalars().all()
        assert said["seq"] == 2
        boxes = [bytes(sealed) for sealed in rows if sealed]
        assert len(boxes) == 1
        ben = await lounge.doctors.id_of(house.doctors["ben"])
        seal = Seal(lounge.keys)
        assert seal.author(opened(seal.after_second(opened(box_of(boxes[0]), OMAR)), OLGA)) == ben
        lounge._seal_rest = True
        await lounge.each_minute()
        async with lounge.database.reading() as connection:
            rows = (await connection.execute(select(persona.c.sealed))).scalars().all()
        assert all(rows)


async def test_whoever_holds_an_officers_key_becomes_no_registrar(stores: Stores) -> None:
    first, second = await the_two(stores)
    await enrolment_of(stores).enrol(first, second)
    with pytest.raises(Refusal, match="invalid"):
        await stores.doctors().set_roles(first.doctor_id, ["registrar"])
    await stores.doctors().set_roles(first.doctor_id, ())
    assert "officer" in (await doctor_by(stores, "olga@clinic.test")).roles
