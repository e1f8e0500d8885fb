"""Who may do what, for every kind of doctor in every kind of room."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from lounge import policy
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.rooms import Catalogue, open_catalogue

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
BEN = replace(ANA, id="ben", country="US", specialty="emergency-medicine")
DENIS = replace(ANA, id="denis", specialty="family-medicine", grade="generalist", language="fr")
MOIRA = replace(ANA, id="moira", country="GB", roles=frozenset({"doctor", "moderator"}))
OLGA = replace(ANA, id="olga", country="GB", roles=frozenset({"doctor", "officer"}))
DOCTORS = {"ana": ANA, "ben": BEN, "denis": DENIS, "moira": MOIRA, "olga": OLGA}

RULED = """
[[room]]
id = "house/coffee"
title = {en = "Coffee", fr = "Café"}

[[room]]
id = "house/canada"
title = {en = "Canada", fr = "Canada"}
rule = 'country == "CA"'

[[room]]
id = "house/moderators"
title = {en = "Moderators", fr = "Modération"}
rule = '"moderator" in roles'

[rule]
"specialty/cardiology" = 'specialty == "cardiology"'
"""
ADMITTED = {
    "world": "ana ben denis moira olga",
    "specialty/neurology": "ana ben denis moira olga",
    "country/ca": "ana ben denis moira olga",
    "country/us": "ana ben denis moira olga",
    "house/coffee": "ana ben denis moira olga",
    "house/canada": "ana denis",
    "house/moderators": "moira",
    "specialty/cardiology": "ana moira olga",
    "bench/7": "ana ben denis moira olga",
}
UNKNOWN = [
    "consult/7",
    "house/nowhere",
    "specialty/astrology",
    "country/xx",
    "WORLD",
    "",
    "bench/x",
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    path: Path = tmp_path_factory.mktemp("policy") / "rooms.toml"
    path.write_text(RULED, "utf-8")
    return open_catalogue(path, bench=True)


@pytest.mark.parametrize(("room", "name"), list(product(ADMITTED, DOCTORS)))
def test_a_verified_doctor_enters_every_room_whose_rule_admits_her(
    catalogue: Catalogue, room: str, name: str
) -> None:
    if name in ADMITTED[room].split():
        assert policy.admit(DOCTORS[name], room, catalogue).id == room
        return
    with pytest.raises(Refusal) as refused:
        policy.admit(DOCTORS[name], room, catalogue)
    assert (refused.value.code, refused.value.key) == (Code.FORBIDDEN, "refusal.room_rule")


@pytest.mark.parametrize(("room", "name"), list(product([*ADMITTED, *UNKNOWN], DOCTORS)))
def test_who_is_not_verified_enters_nothing_and_learns_nothing_of_what_there_is(
    catalogue: Catalogue, room: str, name: str
) -> None:
    with pytest.raises(Refusal) as refused:
        policy.admit(replace(DOCTORS[name], verified=False), room, catalogue)
    assert (refused.value.code, refused.value.key) == (Code.FORBIDDEN, "refusal.not_verified")


@pytest.mark.parametrize("room", UNKNOWN)
def test_a_room_that_there_is_not_is_not_found(catalogue: Catalogue, room: str) -> None:
    with pytest.raises(Refusal) as refused:
        policy.admit(ANA, room, catalogue)
    assert refused.value.code is Code.NOT_FOUND


def test_bench_rooms_are_there_only_for_a_bench() -> None:
    with pytest.raises(Refusal) as refused:
        policy.admit(ANA, "bench/7", open_catalogue())
    assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "is_own", "edits", "redacts"),
    [
        ("ana", True, True, True),
        ("ana", False, False, False),
        ("olga", False, False, False),
        ("moira", True, True, True),
        ("moira", False, False, True),
    ],
)
def test_an_author_corrects_and_takes_back_and_a_moderator_only_hides(
    name: str, is_own: bool, edits: bool, redacts: bool
) -> None:
    assert policy.may_edit(is_own) is edits
    assert policy.may_redact(DOCTORS[name], is_own) is redacts


def test_only_a_verified_moderator_moderates() -> None:
    assert {name for name, doctor in DOCTORS.items() if policy.may_moderate(doctor)} == {"moira"}
    assert not policy.may_moderate(replace(MOIRA, verified=False))
