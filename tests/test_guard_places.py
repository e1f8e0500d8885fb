"""Small places by what is said of them; a disease's, a school's and a large town's name are nobody's."""

from __future__ import annotations

import pytest

from lounge.guard import examine


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hospitalisé à Rimouski", "Rimouski"),
        ("Elle est suivie à Chibougamau depuis un an.", "Chibougamau"),
        ("vue à Baie-Comeau hier", "Baie-Comeau"),
        ("A man near Moosonee was hurt.", "Moosonee"),
        ("Il vit près de Kuujjuaq.", "Kuujjuaq"),
        ("She is from a village called Nain.", "Nain"),
        ("The nursing station in Attawapiskat called.", "Attawapiskat"),
        ("The band office in Kenora knows.", "Kenora"),
        ("She is a teacher at St Mary's School in Kenora.", "St Mary's School"),
    ],
)
def test_a_small_place_is_marked_softly(text: str, place: str) -> None:
    (span,) = examine(text).spans
    assert (span.kind, span.level, text[span.start : span.end]) == ("place", "soft", place)


@pytest.mark.parametrize(
    "text",
    [
        "Dr Parkinson's disease",
        "He has Dr Parkinson's disease.",
        "suivi à Montréal",
        "a village in Ontario",
        "pain near Achilles tendon",
        "revu à J15, hospitalisée en Maladies Infectieuses",
        "a node near T4",
    ],
)
def test_what_is_no_small_place_passes(text: str) -> None:
    assert examine(text).spans == ()


def test_a_post_box_is_held_with_its_branch_and_a_dose_is_none() -> None:
    (box,) = examine("CP 123 succ. B").spans
    assert (box.kind, box.level) == ("address", "hard")
    assert examine("CP 123 mg").spans == ()
