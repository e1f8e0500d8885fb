"""Every kind of identifier as doctors write it, and what they write that is none; one example a line.

The examples stand in `guard_examples.txt`, with ‹marks› round what is to be found; numbers and names are
invented, or the published examples of their formats.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lounge.guard import examine

_PARTS = Path(__file__).with_name("guard_examples.txt").read_text("utf-8").split("# ")[1:]
EXAMPLES = {
    head: body.strip().splitlines() for head, _, body in (p.partition("\n") for p in _PARTS)
}
SOFT = {"date", "age", "name", "place", "initials"}
NEITHER = {"phone", "address", "postcode", "handle"}  # soft where they could be something else


def marked(text: str, kind: str) -> str:
    for span in reversed(examine(text).spans):
        if span.kind == kind:
            text = f"{text[: span.start]}‹{text[span.start : span.end]}›{text[span.end :]}"
    return text


@pytest.mark.parametrize("kind", [each for each in EXAMPLES if each != "nothing"])
def test_an_identifier_is_found_where_it_stands(kind: str) -> None:
    missed = [each for each in EXAMPLES[kind] if marked(_bare(each), kind) != each]
    assert missed == []


@pytest.mark.parametrize("kind", [each for each in EXAMPLES if each not in NEITHER | {"nothing"}])
def test_its_level_is_that_of_its_kind(kind: str) -> None:
    spans = [span for each in EXAMPLES[kind] for span in examine(_bare(each)).spans]
    level = "soft" if kind in SOFT else "hard"
    assert {span.level for span in spans if span.kind == kind} == {level}


def test_what_is_no_identifier_is_not_marked() -> None:
    marks = {each: examine(each).spans for each in EXAMPLES["nothing"]}
    assert {text: spans for text, spans in marks.items() if spans} == {}


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("She was admitted on 12 March 2019 with a stroke.", "[date]"),
        ("The woman is 94 and lives with her son.", "[age 90+]"),
        ("La patiente est âgée de 94 ans et vit avec son fils.", "[90 ans ou plus]"),
        ("Write to the patient at ana@example.org.", "[e-mail]"),
        ("Écrire à la patiente par ana@example.org, elle est dans le service.", "[courriel]"),
        ("Her date of birth is 3 March 1931 and she is well.", "[age 90+]"),
    ],
)
def test_it_is_told_what_may_stand_there_instead_in_the_language_of_the_text(
    text: str, instead: str
) -> None:
    (span,) = examine(text).spans
    assert span.instead == instead


def test_a_date_of_birth_may_become_the_decade_of_an_age() -> None:
    (english,) = examine("The patient was born on 3 March 1950.").spans
    (french,) = examine("Le patient est né le 3 mars 1950 dans la région.").spans
    assert re.fullmatch(r"\[age \d0s\]", english.instead or "")
    assert re.fullmatch(r"\[\d0-\d9 ans\]", french.instead or "")


def test_a_name_is_soft_alone_and_hard_beside_a_date() -> None:
    (alone,) = examine("Mrs Tremblay is better today.").spans
    assert (alone.kind, alone.level) == ("name", "soft")
    name, date = examine("Mrs Tremblay was admitted on 12 March 2019.").spans
    assert (name.level, name.why) == ("hard", "guard.name_together")
    assert date.level == "soft"


def test_the_guard_of_the_scenario_marks_name_date_number_and_age_but_no_chamber_of_the_heart() -> (
    None
):
    text = "Mme Tremblay, née le 3 mars 1931, RAMQ TREM 3153 0312, OG dilatée"
    spans = examine(text).spans
    assert [text[span.start : span.end] for span in spans] == [
        "Tremblay",
        "3 mars 1931",
        "TREM 3153 0312",
    ]
    assert {span.level for span in spans} == {"hard"}
    assert spans[1].why == "guard.birth_date_old"  # the reason tells the age too


def _bare(example: str) -> str:
    return example.replace("‹", "").replace("›", "")
