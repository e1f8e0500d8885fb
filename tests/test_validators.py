"""Licence numbers as doctors type them."""

from __future__ import annotations

import pytest

from lounge.credentials.validators import BODIES, core, hint_of, normalised
from lounge.errors import Refusal
from lounge.titles import COUNTRIES


@pytest.mark.parametrize("body", BODIES.values(), ids=lambda body: body.id)
def test_the_example_of_every_body_is_right(body: object) -> None:
    known = BODIES[body.id]  # type: ignore[attr-defined]
    assert normalised(known.id, known.example) == known.example
    assert known.country in COUNTRIES


@pytest.mark.parametrize(
    ("body", "typed", "kept"),
    [
        ("us.npi", " 1234-567 893", "1234567893"),
        ("au.ahpra", "med 0001234567", "MED0001234567"),
        ("fr.rpps", "12345 678903", "12345678903"),
        ("ca-qc.cmq", "12-345", "12345"),
    ],
)
def test_spaces_dashes_and_small_letters_do_not_matter(body: str, typed: str, kept: str) -> None:
    assert normalised(body, typed) == kept


@pytest.mark.parametrize(
    ("body", "typed", "key"),
    [
        ("us.npi", "1234567890", "standing.licence_check_digit"),
        ("us.npi", "1243567893", "standing.licence_check_digit"),
        ("fr.rpps", "12345678901", "standing.licence_check_digit"),
        ("ch.medreg", "7601000000003", "standing.licence_check_digit"),
        ("de.lanr", "123456501", "standing.licence_check_digit"),
        ("us.npi", "3234567893", "licence.shape"),
        ("gb.gmc", "123456", "licence.shape"),
        ("gb.gmc", "١٢٣٤٥٦٧", "licence.shape"),
        ("xx.none", "1", "licence.body"),
    ],
)
def test_a_wrong_number_is_refused_with_what_is_wrong(body: str, typed: str, key: str) -> None:
    with pytest.raises(Refusal) as refusal:
        normalised(body, typed)
    assert refusal.value.key == key


def test_every_single_wrong_digit_of_an_npi_is_found() -> None:
    right = "1234567893"
    for place in range(1, 10):
        for digit in set("0123456789") - {right[place]}:
            with pytest.raises(Refusal):
                normalised("us.npi", right[:place] + digit + right[place + 1 :])


def test_a_hint_shows_the_last_two_only() -> None:
    assert hint_of("1234567893") == "…93"
    assert hint_of(None) is None


@pytest.mark.parametrize(
    ("body", "one", "other"),
    [
        ("de.lanr", "123456601", "123456602"),
        ("ca-on.cpso", "12345", "012345"),
        ("nl.big", "19012345601", "19012345602"),
    ],
)
def test_one_licence_written_otherwise_is_the_same_licence(body: str, one: str, other: str) -> None:
    assert core(body, normalised(body, one)) == core(body, normalised(body, other))
    assert core("gb.gmc", "0123456") != core("gb.gmc", "1234560")
