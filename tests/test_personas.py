"""Personas: the same in one room, strangers everywhere else, and never more to be seen than k share."""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import combinations, product
from unittest.mock import Mock

import pytest

from lounge.doctors import Doctor
from lounge.events import Badge
from lounge.personas import (
    ANONYMOUS,
    FACES,
    MOST_RETIRED,
    Crowd,
    Persona,
    Personas,
    decode_badge,
    encode_badge,
    exact_badge,
    persona_id,
    wire_id,
)
from lounge.rooms import open_catalogue
from storage.identities import Crowd as Share

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
FINEST = Badge(grade="specialist", specialty="cardiology", country="CA")
EVERYWHERE = Badge(grade="specialist", specialty="cardiology")
SPECIALTY = Badge(specialty="cardiology")
GROUP = Badge(group=CATALOGUE.group_of("cardiology") or "")
NOTHING = Badge()
LADDER = (FINEST, EVERYWHERE, SPECIALTY, GROUP, NOTHING)
# a colleague of the same group but another specialty
NEIGHBOUR = next(
    slug
    for slug in CATALOGUE.specialties
    if slug != "cardiology" and CATALOGUE.group_of(slug) == CATALOGUE.group_of("cardiology")
)
Count = tuple[str, str, str, int]


def crowd(*counts: Count) -> Crowd:
    """So many verified doctors of a grade, specialty and country."""
    shares = [Share(g, s, None, c, "doctor", count) for g, s, c, count in counts]
    return Crowd.of(shares, CATALOGUE, K)


def personas(*counts: Count, key: bytes = b"k" * 32) -> Personas:
    return Personas(key, CATALOGUE, crowd(*counts))


# -- ids -----------------------------------------------------------------------------------------


def test_a_persona_is_the_same_in_its_room_whenever_it_is_computed() -> None:
    assert personas().id_of("ana", "world") == personas().id_of("ana", "world")
    assert len(personas().id_of("ana", "world")) == 16


def test_no_two_personas_of_one_doctor_share_anything() -> None:
    """Neither the whole, nor a part, nor a name made from it; also not what she has retired."""
    rooms = ("world", "country/ca", "specialty/cardiology", "consult/1")
    ids = [id for room in rooms for id in personas().ids_of("ana", room, 2)]
    assert len(set(ids)) == len(ids) == 5 * len(rooms)
    for one, other in combinations(ids, 2):
        assert not {one[n : n + 4] for n in range(13)} & {other[n : n + 4] for n in range(13)}
    shown = [Persona(each, ANONYMOUS, NOTHING).by for each in ids]
    assert len({by.id for by in shown}) == len({by.name for by in shown}) == len(ids)


def test_what_a_doctor_is_counted_or_reacts_or_reports_as_is_none_of_her_personas() -> None:
    people = personas()
    others = {
        people.member_of("ana", "world"),
        people.reactor_of("ana", "world"),
        people.reporter_of("ana", "world"),
    }
    assert len(others) == 3
    assert others.isdisjoint(people.ids_of("ana", "world", MOST_RETIRED))
    assert people.member_of("ana", "world") == people.member_of("ana", "world")
    assert people.member_of("ana", "world") != people.member_of("ana", "country/ca")


def test_without_the_key_a_persona_cannot_be_computed() -> None:
    assert personas(key=b"a" * 32).id_of("ana", "w") != personas(key=b"b" * 32).id_of("ana", "w")


def test_what_others_see_holds_nothing_of_the_doctor() -> None:
    doctor = replace(ANA, id=secrets.token_urlsafe(12))
    people = personas(("specialist", "cardiology", "CA", K))
    by = Persona(people.id_of(doctor.id, "world"), ANONYMOUS, people.badge_of(doctor)).by
    assert (by.face, by.badge) == ("anonymous", FINEST)
    assert doctor.id not in repr(by)


def test_an_id_comes_back_from_the_wire_as_it_was_and_nothing_else_does() -> None:
    id = personas().id_of("ana", "world")
    assert persona_id(wire_id(id)) == id
    assert persona_id("short") is None
    assert persona_id("no base64 at all, is it") is None


# -- the k-guard ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "badge"),
    [
        ([("specialist", "cardiology", "CA", K)], FINEST),
        ([("specialist", "cardiology", "CA", K - 1)], NOTHING),
        (
            [("specialist", "cardiology", "CA", K - 1), ("specialist", "cardiology", "GB", 1)],
            EVERYWHERE,
        ),
        (
            [("specialist", "cardiology", "CA", K - 1), ("trainee", "cardiology", "CA", 1)],
            SPECIALTY,
        ),
        (
            [("specialist", "cardiology", "CA", 1), ("specialist", "cardiology", "GB", K - 2)],
            NOTHING,
        ),
        ([("specialist", "cardiology", "CA", 1), ("trainee", NEIGHBOUR, "GB", K - 1)], GROUP),
        ([("specialist", "cardiology", "CA", 1), ("specialist", "psychiatry", "CA", 99)], NOTHING),
        ([], NOTHING),
    ],
)
def test_the_finest_badge_that_enough_doctors_share_is_shown(
    counts: list[Count], badge: Badge
) -> None:
    """The country goes first, then the grade; the specialty at most to its group."""
    assert personas(*counts).badge_of(ANA) == badge


def test_a_region_is_never_shown() -> None:
    people = personas(("specialist", "cardiology", "CA", 1_000))
    shown = '{"grade":"specialist","specialty":"cardiology","country":"CA"}'
    assert encode_badge(people.badge_of(ANA)) == shown
    assert encode_badge(exact_badge(ANA)) == shown


@pytest.mark.parametrize(("shown", "now"), list(product(LADDER, LADDER)))
def test_a_badge_once_shown_only_ever_coarsens(shown: Badge, now: Badge) -> None:
    met = personas().meet(shown, now)
    assert met == LADDER[max(LADDER.index(shown), LADDER.index(now))]


def test_of_a_badge_stays_only_what_is_still_so() -> None:
    moved = Badge(grade="specialist", specialty="cardiology", country="GB")
    promoted = Badge(grade="trainee", specialty="cardiology", country="CA")
    assert personas().meet(FINEST, moved) == EVERYWHERE
    assert personas().meet(promoted, FINEST) == Badge(specialty="cardiology", country="CA")
    assert personas().meet(FINEST, Badge(specialty="psychiatry")) == NOTHING
    assert personas().meet(FINEST, Badge(specialty=NEIGHBOUR)) == GROUP


def test_a_badge_is_kept_as_it_is_shown() -> None:
    for badge in LADDER:
        assert decode_badge(encode_badge(badge)) == badge
    assert decode_badge(None) == NOTHING


def test_the_members_of_a_room_are_those_whom_its_rule_admits() -> None:
    everybody = crowd(("specialist", "cardiology", "CA", 7), ("trainee", "psychiatry", "GB", 5))
    assert everybody.members("world") == everybody.members("talk/of-two") == 12


# -- owners --------------------------------------------------------------------------------------

EVERYBODY = [f"doctor {n}" for n in range(500)]


async def test_the_owner_is_found_by_trying_everybody() -> None:
    people = personas()
    persona = people.id_of("doctor 321", "world")
    assert await people.owner(persona, "world", EVERYBODY) == "doctor 321"
    assert await people.owner(persona, "country/ca", EVERYBODY) is None
    assert await people.owner(persona, "world", EVERYBODY[:321]) is None


async def test_an_owner_takes_as_long_to_find_whoever_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = personas()
    ids = [people.id_of(EVERYBODY[n], "world", generation=n) for n in (0, 9)]
    tried = Mock(side_effect=people.id_of)
    monkeypatch.setattr(people, "id_of", tried)
    counts = []
    for id in ids:
        assert await people.owner(id, "world", EVERYBODY[:20])
        counts.append(tried.call_count)
    assert counts[1] == 2 * counts[0]


@pytest.mark.parametrize("face", FACES)
async def test_the_owner_is_found_whatever_her_face(face: str) -> None:
    people = personas()
    persona = people.id_of("doctor 7", "world", face)  # type: ignore[arg-type]
    assert await people.owner(persona, "world", EVERYBODY) == "doctor 7"
    assert await people.owner(persona, "world", EVERYBODY, face) == "doctor 7"  # type: ignore[arg-type]


async def test_the_owner_of_what_was_said_by_one_who_is_retired_is_found() -> None:
    people = personas()
    ids = people.ids_of("doctor 7", "world", MOST_RETIRED)
    owners = await people.owners(ids, "world", EVERYBODY[:20])
    assert owners == dict.fromkeys(ids, "doctor 7")
