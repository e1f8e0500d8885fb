"""Personas: the same in one room, strangers everywhere else, and never more to be seen than k share."""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import combinations, product

import pytest

from lounge.doctors import Doctor
from lounge.events import Badge
from lounge.personas import ANONYMOUS, Crowd, Face, Persona, Personas, decode_badge, encode_badge
from lounge.rooms import open_catalogue

K = 5
CATALOGUE = open_catalogue()
ANA = Doctor(
    id="ana",
    country="CA",
    region="NS",
    specialty="cardiology",
    grade="specialist",
    language="en",
    roles=frozenset({"doctor"}),
    verified=True,
)
FINEST = Badge(specialty="cardiology", country="CA")
SPECIALTY = Badge(specialty="cardiology")
GROUP = Badge(group=CATALOGUE.group_of("cardiology") or "")
NOTHING = Badge()
LADDER = (FINEST, SPECIALTY, GROUP, NOTHING)
# a colleague of the same group but another specialty
NEIGHBOUR = next(
    slug
    for slug in CATALOGUE.specialties
    if slug != "cardiology" and CATALOGUE.group_of(slug) == CATALOGUE.group_of("cardiology")
)


def personas(*counts: tuple[str, str, int], key: bytes = b"k" * 32) -> Personas:
    """With so many verified doctors of a specialty and country."""
    return Personas(key, CATALOGUE, Crowd.of(counts, CATALOGUE, K))


# -- ids -----------------------------------------------------------------------------------------


def test_a_persona_is_the_same_in_its_room_whenever_it_is_computed() -> None:
    assert personas().id_of("ana", "world") == personas().id_of("ana", "world")
    assert len(personas().id_of("ana", "world")) == 16


def test_no_two_personas_of_one_doctor_share_anything() -> None:
    """Neither the whole, nor a part, nor a name made from it."""
    faces: tuple[Face, ...] = ("anonymous", "screen", "named")
    rooms = ("world", "country/ca", "specialty/cardiology", "consult/1")
    ids = [personas().id_of("ana", room, face) for room, face in product(rooms, faces)]
    assert len(set(ids)) == len(ids)
    for one, other in combinations(ids, 2):
        assert not {one[n : n + 4] for n in range(13)} & {other[n : n + 4] for n in range(13)}
    shown = [Persona(each, ANONYMOUS, NOTHING).by for each in ids]
    assert len({by.id for by in shown}) == len({by.name for by in shown}) == len(ids)


def test_what_a_doctor_is_counted_as_is_none_of_her_personas() -> None:
    people = personas()
    faces: tuple[Face, ...] = ("anonymous", "screen", "named")
    counted = people.member_of("ana", "world")
    assert counted == people.member_of("ana", "world")
    assert counted != people.member_of("ana", "country/ca")
    assert counted not in {people.id_of("ana", "world", face) for face in faces}


def test_without_the_key_a_persona_cannot_be_computed() -> None:
    assert personas(key=b"a" * 32).id_of("ana", "w") != personas(key=b"b" * 32).id_of("ana", "w")


def test_what_others_see_holds_nothing_of_the_doctor() -> None:
    doctor = replace(ANA, id=secrets.token_urlsafe(12))
    people = personas(("cardiology", "CA", K))
    by = Persona(people.id_of(doctor.id, "world"), ANONYMOUS, people.badge_of(doctor)).by
    assert (by.face, by.badge) == ("anonymous", FINEST)
    assert doctor.id not in repr(by)


# -- the k-guard ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "badge"),
    [
        ([("cardiology", "CA", K)], FINEST),
        ([("cardiology", "CA", K - 1)], NOTHING),
        ([("cardiology", "CA", K - 1), ("cardiology", "GB", 1)], SPECIALTY),
        ([("cardiology", "CA", 1), ("cardiology", "GB", K - 2)], NOTHING),
        ([("cardiology", "CA", 1), (NEIGHBOUR, "GB", K - 1)], GROUP),
        ([("cardiology", "CA", 1), ("psychiatry", "CA", 100)], NOTHING),
        ([], NOTHING),
    ],
)
def test_the_finest_badge_that_enough_doctors_share_is_shown(
    counts: list[tuple[str, str, int]], badge: Badge
) -> None:
    """The country goes first, the specialty at most to its group."""
    assert personas(*counts).badge_of(ANA) == badge


def test_neither_grade_nor_region_is_ever_shown() -> None:
    shown = encode_badge(personas(("cardiology", "CA", 1_000)).badge_of(ANA))
    assert shown == '{"specialty":"cardiology","country":"CA"}'


@pytest.mark.parametrize(("shown", "now"), list(product(LADDER, LADDER)))
def test_a_badge_once_shown_only_ever_coarsens(shown: Badge, now: Badge) -> None:
    met = personas().meet(shown, now)
    assert met == LADDER[max(LADDER.index(shown), LADDER.index(now))]


def test_a_badge_of_a_specialty_left_behind_does_not_become_another() -> None:
    met = personas().meet(FINEST, Badge(specialty="neurology"))
    assert met == SPECIALTY


def test_a_badge_is_kept_as_it_is_shown() -> None:
    for badge in LADDER:
        assert decode_badge(encode_badge(badge)) == badge
    assert decode_badge(None) == NOTHING


# -- owners --------------------------------------------------------------------------------------


async def test_the_owner_is_found_by_trying_everybody() -> None:
    people = personas()
    everybody = [f"doctor {n}" for n in range(500)]
    persona = people.id_of("doctor 321", "world")
    assert await people.owner(persona, "world", everybody) == "doctor 321"
    assert await people.owner(persona, "country/ca", everybody) is None
    assert await people.owner(persona, "world", everybody[:321]) is None
