"""Rooms: which there are, what they are called, what the rooms file changes, who may enter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lounge.rooms import Catalogue, RoomsFileError, open_catalogue
from lounge.rules import Rule
from lounge.titles import COUNTRIES, GROUP_OF, GROUPS, SPECIALTIES

ANA = {
    "country": "CA",
    "specialty": "cardiology",
    "group": "medicine",
    "grade": "specialist",
    "roles": frozenset({"doctor"}),
}
BEN = {
    "country": "US",
    "specialty": "emergency-medicine",
    "group": "emergency-and-critical-care",
    "grade": "trainee",
    "roles": frozenset({"doctor"}),
}
EXAMPLE = Path(__file__).parent.parent / "docs" / "rooms.example.toml"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return open_catalogue()


def opened(folder: Path, content: str) -> Catalogue:
    path = folder / "rooms.toml"
    path.write_text(content, "utf-8")
    return open_catalogue(path)


def test_there_is_the_world_and_a_room_for_each_specialty_and_country(catalogue: Catalogue) -> None:
    kinds = [room.kind for room in catalogue.rooms()]
    assert kinds.count("world") == 1
    assert kinds.count("specialty") == len(SPECIALTIES)
    assert kinds.count("country") == len(COUNTRIES)
    assert len({room.id for room in catalogue.rooms()}) == len(kinds)


def test_the_specialties_of_the_cast_and_of_the_list_are_there() -> None:
    expected = """cardiology emergency-medicine neurology family-medicine neurosurgery paediatrics
        psychiatry dermatology anaesthesiology radiology infectious-diseases nephrology
        gastroenterology respiratory-medicine endocrinology obstetrics-and-gynaecology orthopaedics
        ophthalmology general-surgery internal-medicine intensive-care geriatrics oncology
        haematology rheumatology urology pathology public-health"""
    assert set(expected.split()) <= SPECIALTIES.keys()
    assert 38 <= len(SPECIALTIES) <= 50


def test_every_specialty_belongs_to_a_group_and_no_group_is_nearly_empty() -> None:
    assert GROUP_OF.keys() == SPECIALTIES.keys()
    assert set(GROUP_OF.values()) == GROUPS.keys()
    assert min(list(GROUP_OF.values()).count(group) for group in GROUPS) >= 2


def test_slugs_and_titles_are_well_formed_and_unlike_each_other() -> None:
    for titles in (SPECIALTIES, GROUPS, COUNTRIES):
        assert len({title.en for title in titles.values()}) == len(titles)
        assert len({title.fr for title in titles.values()}) == len(titles)
        for title in titles.values():
            assert title.en == title.en.strip() != ""
            assert title.fr == title.fr.strip() != ""
            assert "'" not in title.fr
    for slug in [*SPECIALTIES, *GROUPS]:
        assert re.fullmatch("[a-z]+(-[a-z]+)*", slug)


def test_countries_are_those_of_iso_3166(catalogue: Catalogue) -> None:
    assert len(COUNTRIES) == 249
    assert {"CA", "US", "GB", "FR", "TW", "PS", "VA"} <= COUNTRIES.keys()
    assert not {"EU", "UN", "XK", "ZZ", "AC"} & COUNTRIES.keys()
    title = catalogue.country_title("gb")
    assert title is not None
    assert (title.en, title.fr) == ("United Kingdom", "Royaume-Uni")
    assert catalogue.country_title("ZZ") is None


def test_a_room_is_found_by_its_id_with_its_titles(catalogue: Catalogue) -> None:
    room = catalogue.find("specialty/cardiology")
    assert room is not None
    assert (room.title.en, room.title.fr, room.kind) == ("Cardiology", "Cardiologie", "specialty")
    assert room.title == catalogue.specialty_title("cardiology")
    assert catalogue.group_of("cardiology") == "medicine"
    assert catalogue.group_of("astrology") is None
    assert catalogue.specialty_title("astrology") is None


@pytest.mark.parametrize("room_id", ["", "specialty", "country/CA", "country/zz", "house/coffee"])
def test_a_room_that_is_not_there_is_not_found(catalogue: Catalogue, room_id: str) -> None:
    assert catalogue.find(room_id) is None


def test_the_private_log_is_found_but_not_listed(catalogue: Catalogue) -> None:
    room = catalogue.find("me")
    assert room is not None
    assert (room.kind, room.listed) == ("me", False)
    assert room not in catalogue.rooms()


def test_bench_rooms_are_found_only_when_opened_with_bench(catalogue: Catalogue) -> None:
    assert catalogue.find("bench/7") is None
    with_bench = open_catalogue(bench=True)
    room = with_bench.find("bench/7")
    assert room is not None
    assert (room.id, room.kind, room.listed) == ("bench/7", "bench", False)
    for odd in ("bench/", "bench/x", "bench/7/8", "bench/-1"):
        assert with_bench.find(odd) is None
    assert with_bench.rooms() == catalogue.rooms()


def test_everyone_is_admitted_where_no_rule_stands(catalogue: Catalogue) -> None:
    assert all(catalogue.admits(room.id, {}) for room in catalogue.rooms())


def test_the_example_hides_adds_and_rules() -> None:
    catalogue = open_catalogue(EXAMPLE)
    assert catalogue.find("country/aq") is None
    coffee = catalogue.find("house/coffee")
    assert coffee is not None
    assert (coffee.title.fr, coffee.kind, coffee.rule, coffee.listed) == (
        "Café",
        "house",
        None,
        True,
    )
    assert coffee in catalogue.rooms()
    assert catalogue.admits("house/coffee", {})
    assert catalogue.admits("house/trainees", BEN)
    assert not catalogue.admits("house/trainees", ANA)
    assert catalogue.admits("specialty/intensive-care", BEN)
    assert not catalogue.admits("specialty/intensive-care", ANA)


@pytest.mark.parametrize(
    ("rule", "ana", "ben"),
    [
        ('specialty == "cardiology" and country in ["CA", "GB"]', True, False),
        ('group != "surgery"', True, True),
        ('"moderator" in roles', False, False),
        ('"doctor" in roles and not (grade == "trainee")', True, False),
        ('region == "NS"', False, False),
        ("region == null", True, True),
    ],
)
def test_a_rule_reads_verified_attributes(rule: str, ana: bool, ben: bool) -> None:
    assert (Rule(rule).admits(ANA), Rule(rule).admits(BEN)) == (ana, ben)


def test_what_is_not_known_of_a_doctor_meets_no_rule() -> None:
    assert not Rule('country == "CA"').admits({})
    assert not Rule('"doctor" in roles').admits({"roles": None})


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("specialty ==", "cannot be read"),
        ('age == "9"', "no attribute 'age'"),
        ("country", "a yes or a no"),
        ("country < 3", "cannot be read"),
        ("__import__('os')", "no attribute"),
        ("", "cannot be read"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_when_it_is_read(rule: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Rule(rule)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("hide = [", "cannot be read"),
        ("hidden = []", "'hidden': expected only hide, room, rule"),
        ('hide = ["country/xx"]', "hide 'country/xx': expected the id of a room that exists"),
        ('hide = "world"', "hide: expected a list"),
        ("hide = ['me']", "hide 'me'"),
        ("[room]\nid = 'house/a'", r"room: expected \[\[room\]\]"),
        ("[[room]]\nid = 'coffee'", r"id 'coffee': expected one such as \"house/coffee\""),
        ("[[room]]\ntitle.en = 'A'", "id None"),
        ("[[room]]\nid = 'house/a'", "house/a: title: expected a table"),
        ("[[room]]\nid = 'house/a'\ntitle.en = 'A'", "house/a: title: expected words for both"),
        (
            "[[room]]\nid='house/a'\ntitle={en='A',fr='A'}\ncolour='red'",
            "house/a: 'colour': expected only id, rule, title",
        ),
        (
            2 * "[[room]]\nid='house/a'\ntitle={en='A',fr='A'}\n",
            "house/a: expected each id once",
        ),
        ("[rule]\n'house/b' = 'true'", r"\[rule\] 'house/b': expected the id of a room"),
        ("[rule]\nworld = 3", "world: rule: expected an expression in quotes"),
        ("[rule]\nworld = 'nope == 1'", "world: rule 'nope == 1': no attribute 'nope'"),
        ("[rule]\nworld = 'country == \"UK\"'", "'UK': expected a code that the lounge knows"),
    ],
)
def test_a_mistake_in_the_rooms_file_names_the_file_the_place_and_what_was_expected(
    tmp_path: Path, content: str, complaint: str
) -> None:
    with pytest.raises(RoomsFileError, match=complaint) as raised:
        opened(tmp_path, content)
    assert str(tmp_path / "rooms.toml") in str(raised.value)


def test_a_rooms_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RoomsFileError, match=r"absent\.toml: it cannot be read"):
        open_catalogue(tmp_path / "absent.toml")


def test_a_region_in_a_rule_may_be_any_code(tmp_path: Path) -> None:
    rule = "[rule]\n'country/ca' = 'region == \"NS\"'"
    catalogue = opened(tmp_path, rule)
    assert catalogue.admits("country/ca", {"region": "NS"})
    assert not catalogue.admits("country/ca", {"region": "QC"})
