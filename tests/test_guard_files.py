"""A file's name is read as a text is, whatever stands between its words. The names are invented."""

from __future__ import annotations

import pytest

from lounge.guard import examine_name


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        (
            "IMG_Tremblay_Marie_1931-03-03.pdf",
            [("name", "Tremblay"), ("name", "Marie"), ("date", "1931-03-03")],
        ),
        ("patient_smith_2024.jpg", [("name", "smith")]),
        ("okafor-ct-abdomen.dcm", [("name", "okafor")]),
        ("MRN_4471829.pdf", [("file_number", "4471829")]),
        ("labs.514-555-0123.txt", [("phone", "514-555-0123")]),
        ("TREM_7553_1418.jpg", [("patient_number", "TREM_7553_1418")]),
    ],
)
def test_who_is_named_in_a_files_name_is_found(name: str, marks: list[tuple[str, str]]) -> None:
    found = [(span.kind, name[span.start : span.end]) for span in examine_name(name).spans]
    joined = {kind: "".join(part for each, part in found if each == kind) for kind, _ in found}
    assert {kind for kind, _ in marks} == set(joined)
    assert all(part in joined[kind] for kind, part in marks)


def test_a_name_with_a_date_is_hard_there_too() -> None:
    assert examine_name("IMG_Tremblay_Marie_1931-03-03.pdf").hard
    assert not examine_name("patient_smith_2024.jpg").hard


@pytest.mark.parametrize(
    "name",
    [
        "CT_abdomen_2024.png",
        "ecg.jpg",
        "chest-xray-left.png",
        "IMG_0042.HEIC",
        "Rapport_IRM_genou.pdf",
        "Screenshot 2.png",
        "wound_day_3.jpg",
        "guideline.v2.1.pdf",
    ],
)
def test_a_files_name_that_names_nobody_passes(name: str) -> None:
    assert examine_name(name).spans == ()
