"""A doctor gets her password back, takes her data with her, leaves; and what stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import LargeBinary, insert, select, update

from lounge.accounts import Accounts, open_accounts
from lounge.belongings import Belongings
from lounge.doctors import OWN, Doctors, Unrecognised
from lounge.errors import Refusal
from lounge.knocks import PER_ACCOUNT
from lounge.mail import Mail
from lounge.own_data import tables_of_hers
from lounge.passkeys import Site
from lounge.words import say
from storage import audit
from storage.identity_schema import IDENTITY, doctor, mail, mark
from storage.schema import persona, room
from tests.authenticator import Authenticator
from tests.stores import Clock, Stores, add_ana

SITE = "http://localhost:8000"
EMAIL, PASSWORD = "ana@clinic.test", "correct horse"
HERS, OTHERS = (b"hers-in-world", b"hers-in-france"), b"of-somebody-else"


class Boxes:
    """Officers' boxes, unlocked."""

    def seal(self, doctor_id: str) -> bytes | None:
        return doctor_id.encode().ljust(40)


@pytest.fixture
async def doctors(stores: Stores) -> AsyncIterator[Doctors]:
    doctors = stores.doctors(Clock())
    code = await add_ana(doctors)
    await doctors.set_password(EMAIL, code, PASSWORD, address="")
    yield doctors
    doctors.close()


@pytest.fixture
def accounts(stores: Stores, doctors: Doctors) -> Accounts:
    return open_accounts(
        stores.identity,
        stores.lounge,
        stores.keys,
        stores.settings,
        doctors,
        Belongings(stores.identity, stores.keys),
        Boxes(),
        lambda _doctor, _rooms: HERS,
        clock=Clock(),
    )


async def ana_id(doctors: Doctors) -> str:
    id = await doctors.id_of(EMAIL)
    assert id
    return id


async def letters(stores: Stores) -> list[Mail]:
    """What was written to anybody, but that her first password was set."""
    async with stores.identity.reading() as connection:
        rows = (await connection.execute(select(mail.c.id, mail.c.sealed))).all()
    opened = [stores.keys.identity.unseal("mail", sealed, id) for id, sealed in rows]
    written = [msgspec.json.decode(each, type=Mail) for each in opened]
    return [one for one in written if one.subject != say("mail.account.subject", "en")]


async def test_whoever_forgot_a_password_gets_a_code_by_mail(
    stores: Stores, doctors: Doctors, accounts: Accounts
) -> None:
    await accounts.recovery.ask(f" {EMAIL.upper()}", "fr", address="192.0.2.1")
    await accounts.recovery.write()
    (letter,) = await letters(stores)
    code = letter.text.split("\n\n")[2]
    await doctors.set_password(EMAIL, code, "battery staple", address="192.0.2.1")
    assert await doctors.password_is(await ana_id(doctors), "battery staple")


async def test_nobody_learns_who_is_known_by_asking_for_a_letter(
    stores: Stores, accounts: Accounts
) -> None:
    for email in (EMAIL, "nobody@clinic.test"):
        for _ in range(PER_ACCOUNT):
            await accounts.recovery.ask(email, "en", address=email)
        with pytest.raises(Refusal):
            await accounts.recovery.ask(email, "en", address=email)
    await accounts.recovery.write()
    to = [letter.to for letter in await letters(stores)]
    assert to.count(EMAIL) == to.count("nobody@clinic.test") == PER_ACCOUNT


async def test_her_data_holds_a_row_of_every_table_and_no_secret(
    stores: Stores, doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    await doctors.add_token(id, "program")
    await doctors.enter_as(id, label="Firefox", kind=OWN, device="device")
    taken = json.loads(await accounts.own_data.take(id))
    pointing = {
        table.name
        for table in IDENTITY.sorted_tables
        if any(key.target_fullname == "doctor.id" for key in table.foreign_keys)
    }
    assert pointing - {"me_entry"} | {"doctor"} <= set(taken)
    (her,) = taken["doctor"]
    assert (her["name"], her["email"]) == ("Ana", EMAIL)
    assert taken["belongings"]["pinned"]
    assert taken["me"][-1]["notice"] == "data_taken"
    for table in tables_of_hers():
        kept_back = {column.name for column in table.c if _is_secret(column.type)}
        for row in taken[table.name]:
            assert not ({"password", *kept_back} & set(row))


def _is_secret(kind: object) -> bool:
    return isinstance(kind, LargeBinary)


async def test_leaving_ends_everything_at_once_and_erases_who_she_was(
    stores: Stores, doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    _, token = await doctors.add_token(id, "program")
    _, session = await doctors.enter_as(id, label="Firefox")
    await _said(stores, id)
    await accounts.leaving.leave(id)
    assert await doctors.by_session(session) is None
    assert await doctors.by_token(token) is None
    assert not await doctors.password_is(id, PASSWORD)
    await accounts.leaving.erase_due()
    async with stores.identity.reading() as connection:
        for table in IDENTITY.sorted_tables:
            if "doctor" in table.c or table is doctor:
                assert (await connection.execute(select(table))).first() is None, table.name
        assert await audit.verify(connection, "identity") is None


async def test_boxes_of_her_personas_hold_nobody_and_look_as_all_others(
    stores: Stores, doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    await _said(stores, id)
    await accounts.leaving.leave(id)
    await accounts.leaving.erase_due()
    async with stores.lounge.reading() as connection:
        rows = await connection.execute(select(persona.c.id, persona.c.sealed))
        boxes = {bytes(row.id): bytes(row.sealed) for row in rows}
    assert boxes[OTHERS] == Boxes().seal("another")
    opened = {boxes[each].strip() for each in HERS}
    assert id.encode() not in opened
    assert len(opened) == 2  # not even the same nobody
    assert len({len(box) for box in boxes.values()}) == 1


async def test_nothing_is_erased_while_it_is_on_hold(
    stores: Stores, doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    await doctors.hold(id, True)
    await accounts.leaving.leave(id)
    await accounts.leaving.erase_due()
    assert await doctors.id_of(EMAIL) == id
    await accounts.recovery.ask(EMAIL, "en", address="")
    await accounts.recovery.write()
    assert "{code}" not in (await letters(stores))[-1].text
    assert len((await letters(stores))[-1].text.split("\n\n")) == 2  # as for somebody unknown
    await doctors.hold(id, False)
    await accounts.leaving.erase_due()
    assert await doctors.id_of(EMAIL) is None


@pytest.mark.parametrize("state", ["suspended", "verified"])
async def test_who_leaves_while_suspended_leaves_the_mark_of_her_licence(
    stores: Stores, doctors: Doctors, accounts: Accounts, state: str
) -> None:
    id = await ana_id(doctors)
    async with stores.identity.writing() as connection:
        values = {"state": state, "reason": "by_house", "licence_mark": b"mark"}
        await connection.execute(update(doctor).values(**values))
    await accounts.leaving.leave(id)
    await accounts.leaving.erase_due()
    async with stores.identity.reading() as connection:
        marks = list((await connection.execute(select(mark.c.mark))).scalars())
    assert [bytes(each) for each in marks] == ([b"mark"] if state == "suspended" else [])


async def test_whoever_has_left_is_signed_in_by_nobody_while_her_rows_are_on_hold(
    doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    await doctors.hold(id, True)
    await accounts.leaving.leave(id)
    with pytest.raises(Unrecognised):
        await doctors.enter_as(id, label="")


async def test_an_officer_hands_the_key_over_before_leaving(
    doctors: Doctors, accounts: Accounts
) -> None:
    id = await ana_id(doctors)
    await doctors.set_roles(id, ["officer"])
    with pytest.raises(Refusal) as refusal:
        await accounts.leaving.leave(id)
    assert refusal.value.key == "leaving.officer"


async def test_passkeys_and_codes_work_on_either_database(
    doctors: Doctors, accounts: Accounts
) -> None:
    id, site, device = await ana_id(doctors), Site(SITE), Authenticator(SITE)
    options = json.loads(await accounts.passkeys.options_to_add(id, site, "phone"))
    await accounts.passkeys.add(id, site, device.create(options), "phone")
    asked = json.loads(await accounts.passkeys.options(site))
    answer = device.get(asked)
    assert await accounts.passkeys.prove(site, answer) == id
    with pytest.raises(Refusal):
        await accounts.passkeys.prove(site, answer)
    codes = await accounts.codes.make(id)
    assert await accounts.codes.left(id) == len(codes)


async def _said(stores: Stores, doctor_id: str) -> None:
    """Ana has spoken in two rooms, and somebody else in one."""
    async with stores.lounge.writing() as connection:
        await connection.execute(insert(room).values(slug="world", last_seq=0, oldest=1, says=0))
        boxes = {**dict.fromkeys(HERS, doctor_id), OTHERS: "another"}
        for id, whose in boxes.items():
            values = {"face": "anonymous", "badge": "{}", "sealed": Boxes().seal(whose)}
            await connection.execute(insert(persona).values(id=id, name=id.hex(), **values))
