"""Screen names: nobody is taken for a colleague, for somebody of the house, or for a made-up persona."""

from __future__ import annotations

import asyncio

import pytest

from lounge.doctors import Doctor
from lounge.errors import Refusal
from lounge.names import candidates
from lounge.screen_names import LONGEST, MOST_TAKEN, ScreenNames, fit, skeleton
from storage.identity_schema import doctor
from tests.stores import Stores, add_ana, doctor_by


@pytest.mark.parametrize(
    "name",
    ["Nightshift", "Ana Silva", "O’Brien", "St. John-Smith", "ana.silva", "Élodie 7", "Олег"],
)
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert fit(name) == name


def test_spaces_around_and_between_are_put_in_order() -> None:
    assert fit("  Ana   Silva ") == "Ana Silva"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Al", "shape"),
        ("x" * (LONGEST + 1), "shape"),
        ("ana@clinic.test", "shape"),
        ("Ben_O", "shape"),
        ("Ben!", "shape"),
        ("Be\u200bn", "shape"),
        ("Ben\u202e", "shape"),
        ("An\u0430 Silva", "confusable"),  # a Cyrillic letter among Latin ones
        ("\u0441\u0435\u043e\u0440\u0430", "confusable"),  # all Cyrillic, all read as Latin
        ("Moderator", "house"),
        ("M0derat0r Moira", "house"),
        ("Modératrice", "house"),
        ("The Officer", "house"),
        ("Lounge Support", "house"),
        ("Registrar 2", "house"),
        ("Admin", "house"),
        ("Équipe", "house"),
        ("Anonymous 7", "house"),
        ("Lynx Indigo", "made_up"),
        ("lynxindigo", "made_up"),
        ("Lynx-lndigo", "made_up"),
        ("Kiwi Agile Mauve 123456", "made_up"),
    ],
)
def test_what_deceives_is_refused_with_its_reason(name: str, key: str) -> None:
    with pytest.raises(Refusal) as refusal:
        fit(name)
    assert refusal.value.key == f"screen_name.{key}"


def test_no_name_that_the_lounge_makes_up_can_be_chosen() -> None:
    for persona in range(200):
        for name in candidates(persona.to_bytes(16, "big")):
            with pytest.raises(Refusal):
                fit(name)


@pytest.mark.parametrize(
    "alike",
    [
        "ana silva",
        "ANA SILVA",
        "AnaSilva",
        "Ana Si1va",
        "Ana SiIva",
        "Ana Sílva",
        "Ana-Silva",
        "ａna Silva",
    ],
)
def test_names_that_look_alike_have_one_skeleton(alike: str) -> None:
    assert skeleton(alike) == skeleton("Ana Silva")


def test_names_that_do_not_look_alike_have_two() -> None:
    names = ["Ana Silva", "Ana Silvo", "Anna Silva", "Ben", "Moira", "Mora", "Nova", "Олег", "Oleg"]
    assert len({skeleton(name) for name in names}) == len(names)
    assert skeleton("rnoira") == skeleton("Moira")


# -- in the store --------------------------------------------------------------------------------


@pytest.fixture
async def names(stores: Stores) -> ScreenNames:
    doctors = stores.doctors()
    for who in ("ana", "ben"):
        await add_ana(doctors, email=f"{who}@clinic.test", name=who.title())
    return ScreenNames(stores.identity, doctors)


async def refused(names: ScreenNames, who: Doctor, name: str) -> str:
    with pytest.raises(Refusal) as refusal:
        await names.choose(who, name)
    return refusal.value.key


async def test_a_name_is_ones_own_on_every_later_visit(stores: Stores, names: ScreenNames) -> None:
    ana, epoch = await doctor_by(stores, "ana@clinic.test"), await stores.epoch()
    assert await names.choose(ana, " Night  Owl ") == "Night Owl"
    assert await stores.epoch() > epoch, "who is connected elsewhere learns it"
    async with stores.identity.reading() as connection:
        kept = (await connection.execute(doctor.select().order_by(doctor.c.email))).all()
    assert [row.screen_name for row in kept] == ["Night Owl", None]


async def test_what_looks_like_anothers_name_is_nobodys(stores: Stores, names: ScreenNames) -> None:
    ana, ben = (
        await doctor_by(stores, "ana@clinic.test"),
        await doctor_by(stores, "ben@clinic.test"),
    )
    await names.choose(ana, "Night Owl")
    assert await refused(names, ben, "N1GHT-0WL") == "screen_name.taken"
    await names.choose(ana, "Night owl")  # her own, otherwise written
    await names.choose(ana, "Morning Lark")
    assert await refused(names, ben, "Night Owl") == "screen_name.taken", (
        "also once she has left it"
    )
    await names.choose(ana, "Night Owl")


async def test_of_two_who_choose_at_once_one_has_it(stores: Stores, names: ScreenNames) -> None:
    both = [await doctor_by(stores, f"{who}@clinic.test") for who in ("ana", "ben")]
    chosen = [names.choose(each, "Night Owl") for each in both]
    answers = await asyncio.gather(*chosen, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Refusal", "str"]


async def test_nobody_collects_names(stores: Stores, names: ScreenNames) -> None:
    ana = await doctor_by(stores, "ana@clinic.test")
    for n in range(MOST_TAKEN):
        await names.choose(ana, f"Night Owl {'abcdefgh'[n]}")
    assert await refused(names, ana, "Morning Lark") == "screen_name.often"


async def test_a_doctor_who_is_not_verified_has_none(stores: Stores, names: ScreenNames) -> None:
    await add_ana(stores.doctors(), email="dan@clinic.test", verified=False)
    dan = await doctor_by(stores, "dan@clinic.test")
    assert await refused(names, dan, "Night Owl") == "refusal.not_verified"
