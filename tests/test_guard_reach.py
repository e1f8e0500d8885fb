"""However many numbers stand before it, no identifier is let through because nobody looked.

The numbers are invented or the published examples of their formats.
"""

from __future__ import annotations

import pytest

from lounge.guard import examine

DECOYS = {
    "rows of figures": "1234567 b " * 500,
    "rows that begin with 0": "0123456 b " * 500,
    "one long row": "5145550123 " * 500,
    "words of codes": "serial " * 500,
    "plates": "plate A1 " * 500,
}
IDENTIFIERS = {
    "social": "Then SSN 123-45-6789",
    "patient": "NHS 943 476 5919",
    "French": "NIR 2 95 10 99 126 111 93",
    "RAMQ": "RAMQ TREM 7553 1418",
    "file": "MRN 4471829",
    "account": "policy number 88120934",
    "card": "4111 1111 1111 1111",
    "device": "serial number SN-448210",
    "plate": "plate AB-123-CD",
    "phone": "call 514-555-0123",
    "international": "+44 7911 123456",
    "address": "12 Elm Street",
    "postcode": "H2X 1Y4",
    "e-mail": "ana@ward.example.org",
    "link": "https://portal.example.org/patients/48213",
    "birth": "born on 3 March 1931",
}


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_behind_five_hundred_decoys_an_identifier_is_held(identifier: str) -> None:
    for decoys in DECOYS.values():
        text = f"{decoys}. {IDENTIFIERS[identifier]}"
        spans = examine(text).hard
        assert spans, text[-40:]
        assert spans[-1].end > len(decoys) + 2


def test_from_where_nobody_looked_the_rest_is_one_hard_mark_that_says_so() -> None:
    text = DECOYS["rows of figures"] + ". Then SSN 123-45-6789"
    (span,) = examine(text).spans
    assert (span.kind, span.why, span.level) == ("unread", "guard.unread", "hard")
    assert (span.start, span.end, span.instead) == (2_000, len(text), None)


def test_what_was_found_before_is_still_told() -> None:
    text = "Call 514-555-0123. " + DECOYS["rows of figures"]
    assert [span.kind for span in examine(text).spans] == ["phone", "unread"]


@pytest.mark.parametrize("rows", [1, 50, 190])
def test_a_long_table_of_results_is_read_to_its_end(rows: int) -> None:
    table = "WBC 12 500 / 13 400 / 9 800, Na 140; ".replace(";", ".\n") * rows
    assert examine(table[:8_000]).spans == ()
