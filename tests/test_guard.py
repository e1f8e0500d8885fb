"""The guard: what identifies a person is held, what a doctor measures is not.

The numbers are invented or the published examples of their formats.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from lounge.guard import Span, examine
from tests.hostile_texts import LENGTH, hostile_texts

TEXTS = [
    json.loads(line)
    for line in Path(__file__).with_name("texts.jsonl").read_text("utf-8").splitlines()
]
_TURNS = 24
LOUNGE = Path(__file__).parent.parent / "lounge"


def held(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in examine(text).spans]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to ana.silva@ward.example.org, please", "ana.silva@ward.example.org"),
        ("joignable à m-e.l'heureux+garde@chu.example.ca.", "m-e.l'heureux+garde@chu.example.ca"),
        ("<BEN@ER.EXAMPLE.COM>", "BEN@ER.EXAMPLE.COM"),
        ("(x1@a.fr)", "x1@a.fr"),
    ],
)
def test_an_email_address_is_held(text: str, address: str) -> None:
    assert held(text) == [("email", address)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call me at 514-555-0123", "514-555-0123"),
        ("Tel (514) 555-0123", "(514) 555-0123"),
        ("my cell is 5145550123", "5145550123"),
        ("appelez le 514 555 0123", "514 555 0123"),
        ("rappelez-moi au 06 12 34 56 78 ce soir", "06 12 34 56 78"),
        ("le 06.12.34.56.78", "06.12.34.56.78"),
        ("0612345678", "0612345678"),
        ("bleep 020 7946 0958", "020 7946 0958"),
        ("07400 123456 after six", "07400 123456"),
        ("+1 416 555 0199", "+1 416 555 0199"),
        ("ou +33 6 12 34 56 78", "+33 6 12 34 56 78"),
        ("+91 98765 43210", "+91 98765 43210"),
        ("044 668 18 00", "044 668 18 00"),
        ("0475 12 34 56", "0475 12 34 56"),
    ],
)
def test_a_telephone_number_is_held(text: str, number: str) -> None:
    assert held(text) == [("phone", number)]


def test_two_telephone_numbers_in_a_row_are_both_held() -> None:
    assert [number for _, number in held("06 12 34 56 78 / 06 98 76 54 32")] == [
        "06 12 34 56 78",
        "06 98 76 54 32",
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("NHS 9434765919", "9434765919"),
        ("seen as 943 476 5919 last week", "943 476 5919"),
        ("943-476-5919", "943-476-5919"),
        ("PHN 9698 658 215", "9698 658 215"),
        ("RAMQ TREM 7553 1418", "TREM 7553 1418"),
        ("TREM75531418", "TREM75531418"),
        ("OHIP 1234-567-897", "1234-567-897"),
        ("carte santé 1234567897", "1234567897"),
        ("1234-567-897-AB", "1234-567-897-AB"),
    ],
)
def test_a_patient_number_is_held(text: str, number: str) -> None:
    assert held(text) == [("patient_number", number)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("NIR 2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
        ("295109912611193", "295109912611193"),
        ("NAS 130 692 544", "130 692 544"),
        ("130-692-544", "130-692-544"),
        ("SSN 536 90 4399", "536 90 4399"),
        ("536-90-4399", "536-90-4399"),
        ("54362315K", "54362315K"),
        ("X2482300W", "X2482300W"),
        ("RCCMNL83S18D969H", "RCCMNL83S18D969H"),
        ("BOXW310820HNERXN09", "BOXW310820HNERXN09"),
        ("131052-308T", "131052-308T"),
        ("880320-0016", "880320-0016"),
        ("85.07.30-033.28", "85.07.30-033.28"),
        ("756.9217.0769.85", "756.9217.0769.85"),
        ("390.533.447-05", "390.533.447-05"),
        ("BSN 111222333", "111222333"),
    ],
)
def test_a_social_security_number_is_held(text: str, number: str) -> None:
    assert held(text) == [("social_number", number)]


@pytest.mark.parametrize(
    "text",
    [
        "295109912611194",
        "536 00 4399",
        "TREM 7599 1418",  # month 99 less 50 is none
        "9434765919 copies/mL",  # valid, but bare and beside no such word
        "130692544",
        "943 476 59 18",
    ],
)
def test_a_number_that_is_wrong_or_bare_is_let_through(text: str) -> None:
    assert held(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, HR 96, RR 22, SpO2 94%",
        "TA 120/80 mmHg, FC 96/min, T 38,4 °C",
        "platelets 150 000-400 000/mm3, WBC 12 500 / 13 400 / 9 800",
        "from 2010-2015 to 2016-2019",
        "glucose 110 125 143 150 mg/dL at 08:00 12:00 16:00 20:00",
        "doses 100-200-300 mg, then 7 13 20 25 30 35 40 45",
        "metoprolol 50mg @ 8h, HR 120@rest.Then it fell",
        "5000 IU/0.5 ml x 2 / 12 h, 12 500 000 UI",
        "NCT01234567, doi 10.1056/NEJMoa2034577, PMID 12345678",
        "1 000 000 copies/mL, ferritin 12345678 ng/mL",
        "IPP 40 mg, dossier revu en 2019, dossier n° 12",
        "0.05 0.10 0.15 0.20 0.25, pH 7.35-7.45",
        "CPR 30 min, ROSC at 10:45:30",
        "HLA-B*27:05:02, ICD 410.71, 250.00",
    ],
)
def test_what_doctors_measure_is_let_through(text: str) -> None:
    assert held(text) == []


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["id"])
def test_of_a_clinical_text_nothing_is_held_for_good(row: dict[str, str]) -> None:
    assert examine(row["text"]).hard == ()


def test_few_sentences_of_clinical_texts_are_marked_at_all() -> None:
    """One in fifty at most; what these are is told by `python -m tests.quality`."""
    marks = sum(len(examine(row["text"]).spans) for row in TEXTS)
    sentences = sum(row["text"].count(". ") + 1 for row in TEXTS)
    assert marks <= sentences / 50


@pytest.mark.parametrize("text", ["943 476 5918", "514 555 0123"])
def test_groups_as_of_a_telephone_between_spaces_may_be_posted_by_who_answers_for_it(
    text: str,
) -> None:
    assert [(span.kind, span.level) for span in examine(text).spans] == [("phone", "soft")]


def test_a_number_that_its_word_names_is_held_whatever_its_check_digits() -> None:
    assert held("NAS 130 692 545") == [("social_number", "130 692 545")]


@pytest.mark.parametrize("row", TEXTS[::4], ids=lambda row: row["id"])
def test_what_is_held_is_found_in_the_midst_of_a_clinical_text(row: dict[str, str]) -> None:
    text = f"{row['text']} (ana@ward.example.org, 514-555-0123) {row['text']}"
    found = [(span.kind, text[span.start : span.end]) for span in examine(text).hard]
    wanted = [("email", "ana@ward.example.org"), ("phone", "514-555-0123")]
    assert [each for each in found if each[0] != "name"] == wanted


def test_spans_count_code_points_and_come_in_order_without_overlap() -> None:
    text = "🙂 943 476 5919, ana@ward.example.org, 514-555-0123"
    spans = examine(text).spans
    assert [text[span.start] for span in spans] == ["9", "a", "5"]
    assert all(one.end <= next_.start for one, next_ in pairwise(spans))
    assert spans[0] == Span(2, 14, "patient_number", "guard.patient_number", "hard", "[number]")


def test_every_reason_has_words_in_both_languages() -> None:
    everything = "a@b.example.org 514-555-0123, 943 476 5919, 536-90-4399"
    reasons = {span.why for span in examine(everything).spans}
    assert len(reasons) == 4
    words: dict[str, dict[str, str]] = json.loads((LOUNGE / "words.json").read_text("utf-8"))
    assert all(words[reason].keys() == {"en", "fr"} for reason in reasons)


@pytest.mark.parametrize("turn", range(6))
def test_hostile_text_of_full_length_is_answered(turn: int) -> None:
    for text in hostile_texts()[turn::_TURNS]:
        _is_in_order(text)


@pytest.mark.long
@pytest.mark.parametrize("turn", range(6, 24))
def test_so_is_more_of_it(turn: int) -> None:
    for text in hostile_texts()[turn::_TURNS]:
        _is_in_order(text)


def _is_in_order(text: str) -> None:
    assert len(text) == LENGTH
    spans = examine(text).spans
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= next_.start for one, next_ in pairwise(spans))
