"""Licence numbers: who issues them, how they look, and whether their check digit is right.

A well-formed number proves nothing: anybody can make one up, or copy one. A wrong one is refused at
once, before anybody else is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stdnum import ean, luhn

from lounge.credentials.claims import CHECK_DIGIT
from lounge.errors import Code, Refusal
from lounge.titles import Title


@dataclass(frozen=True, slots=True)
class Body:
    """Who licenses doctors in a country, or in a region of it. `shape`: what a number looks like."""

    id: str
    country: str
    title: Title
    shape: re.Pattern[str]
    example: str
    region: str | None = None
    is_right: Callable[[str], bool] = lambda number: True
    """Whether the check digit is; always for bodies whose numbers have none."""
    core: Callable[[str], str] = str
    """What of a number tells its holder from all others: the same however else it may be written."""


def normalised(body_id: str, number: str) -> str:
    """The number as it is kept and compared. Raises Refusal `invalid` saying what is wrong."""
    body = BODIES.get(body_id)
    if body is None:
        raise Refusal(Code.INVALID, "licence.body", value=body_id)
    plain = re.sub(r"[\s./\-]", "", number).upper()
    if not body.shape.fullmatch(plain):
        raise Refusal(Code.INVALID, "licence.shape", example=body.example)
    if not body.is_right(plain):
        raise Refusal(Code.INVALID, f"standing.{CHECK_DIGIT}")
    return plain


def core(body_id: str, number: str) -> str:
    """What of a normalised number tells its holder."""
    body = BODIES.get(body_id)
    return number if body is None else body.core(number)


def hint_of(number: str | None) -> str | None:
    """Enough for its owner to know it again."""
    return None if number is None else "…" + number[-2:]


def _npi(number: str) -> bool:
    """Luhn with the prefix 80840 (45 CFR 162.406; ISO/IEC 7812-1)."""
    return bool(luhn.is_valid("80840" + number))


def _lanr(number: str) -> bool:
    """The seventh digit: the first six by 4 and 9 in turn, up to the next ten (§ 75 (7) SGB V)."""
    total = sum(int(digit) * (4, 9)[n % 2] for n, digit in enumerate(number[:6]))
    return -total % 10 == int(number[6])


def _plain(number: str) -> str:
    """Where numbers differ in length, zeros in front are nobody's."""
    return number.lstrip("0")


def _body(
    id: str,
    titles: str | tuple[str, str],
    shape: str,
    example: str,
    is_right: Callable[[str], bool] = lambda number: True,
    core: Callable[[str], str] = str,
) -> Body:
    country, _, region = id.partition(".")[0].upper().partition("-")
    title = Title(titles, titles) if isinstance(titles, str) else Title(*titles)
    pattern = re.compile(shape, re.ASCII)
    return Body(id, country, title, pattern, example, region or None, is_right, core)


def _college(id: str, english: str, french: str) -> Body:
    """One of a Canadian province: its numbers have four to six digits and no check digit."""
    titles = (
        f"College of Physicians and Surgeons of {english}",
        f"Collège des médecins et chirurgiens {french}",
    )
    return _body(id, titles, r"\d{4,6}", "12345", core=_plain)


BODIES: Mapping[str, Body] = {
    body.id: body
    for body in (
        _body("au.ahpra", "Ahpra", r"MED\d{10}", "MED0001234567"),
        _college("ca-ab.cpsa", "Alberta", "de l’Alberta"),
        _college("ca-bc.cpsbc", "British Columbia", "de la Colombie-Britannique"),
        _college("ca-mb.cpsm", "Manitoba", "du Manitoba"),
        _college("ca-nb.cpsnb", "New Brunswick", "du Nouveau-Brunswick"),
        _college("ca-nl.cpsnl", "Newfoundland and Labrador", "de Terre-Neuve-et-Labrador"),
        _college("ca-ns.cpsns", "Nova Scotia", "de la Nouvelle-Écosse"),
        _college("ca-on.cpso", "Ontario", "de l’Ontario"),
        _college("ca-pe.cpspei", "Prince Edward Island", "de l’Île-du-Prince-Édouard"),
        _body("ca-qc.cmq", "Collège des médecins du Québec", r"\d{5}", "12345"),
        _college("ca-sk.cpss", "Saskatchewan", "de la Saskatchewan"),
        _body(
            "ch.medreg",
            "MedReg (GLN)",
            r"7601\d{9}",
            "7601000000002",
            lambda number: bool(ean.is_valid(number)),
        ),
        _body(
            "de.lanr",
            "Lebenslange Arztnummer",
            r"\d{9}",
            "123456601",
            _lanr,
            lambda number: number[:7],  # the last two are her specialty
        ),
        _body(
            "fr.rpps",
            "RPPS",
            r"\d{11}",
            "12345678903",
            lambda number: bool(luhn.is_valid(number)),
        ),
        _body("gb.gmc", "General Medical Council", r"\d{7}", "1234567"),
        _body("ie.imc", "Medical Council", r"\d{5,6}", "123456", core=_plain),
        _body(
            "nl.big",
            "BIG-register",
            r"\d{11}",
            "19012345601",
            core=lambda number: number[:9],  # the last two are her profession
        ),
        _body("nz.mcnz", "Medical Council", r"\d{4,6}", "12345", core=_plain),
        _body("us.npi", "National Provider Identifier", r"[12]\d{9}", "1234567893", _npi),
    )
}
