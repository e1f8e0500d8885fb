"""E-mail addresses, and the numbers that countries and hospitals give to people.

A number counts when its check digits are right (python-stdnum) and when it is written as such
numbers are: in the customary groups, or beside a word such as NHS, NIR, RAMQ, NAS or SSN. Bare
digits alone never count, since laboratories and trials write those too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn
from stdnum.be import nn as be_nn
from stdnum.br import cpf as br_cpf
from stdnum.ca import bc_phn, sin
from stdnum.ch import ssn as ch_ssn
from stdnum.dk import cpr as dk_cpr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.gb import nhs as gb_nhs
from stdnum.ie import pps as ie_pps
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.it import codicefiscale as it_cf
from stdnum.mx import curp as mx_curp
from stdnum.nl import bsn as nl_bsn
from stdnum.no import fodselsnummer as no_fnr
from stdnum.pl import pesel as pl_pesel
from stdnum.se import personnummer as se_pnr
from stdnum.us import ssn as us_ssn

from lounge.guard.span import Span


def emails(text: str) -> Iterator[Span]:
    """The e-mail addresses in `text`."""
    for domain in _DOMAIN.finditer(text):
        local = _LOCAL.match(text[max(0, domain.start() - 64) : domain.start()][::-1])
        if local and not local[0].isdecimal() and (domain[1].islower() or domain[1].isupper()):
            yield Span(domain.start() - len(local[0]), domain.end(), "email", "guard.email")


def numbers(text: str) -> Iterator[Span]:
    """The patient, social security and file numbers in `text`; two readings may overlap."""
    for stretch in _DIGITS.finditer(text):
        yield from _with_check_digits(text, max(0, stretch.start() - 8), stretch.end() + 9)
        if _FILE.search(text[max(0, stretch.start() - 30) : stretch.start()]):
            yield Span(*stretch.span(), _PATIENT, f"guard.{_PATIENT}")


def _with_check_digits(text: str, start: int, end: int) -> Iterator[Span]:
    for number in _NUMBERS:
        for found in number.pattern.finditer(text, start, end):
            if number.is_meant(text, found):
                yield Span(*found.span(), number.kind, f"guard.{number.kind}")


@dataclass(frozen=True, slots=True)
class _Number:
    """How one country writes one number: `alone` is the form that needs no word beside it."""

    kind: str
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    alone: re.Pattern[str] | None
    names: re.Pattern[str] | None

    def is_meant(self, text: str, found: re.Match[str]) -> bool:
        plain = re.sub(r"[\s\u00a0\u202f]", "", found[0])
        return self.is_valid(plain) and (
            bool(self.alone and self.alone.fullmatch(found[0]))
            or bool(self.names and self.names.search(_beside(text, found)))
        )


def _beside(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 40) : found.start()] + " " + text[found.end() :][:20]


def _is_ramq(number: str) -> bool:
    """Four letters of the name, then year, month (plus 50 for women), day and two more digits."""
    month, day = int(number[6:8]), int(number[8:10])
    return month % 50 in range(1, 13) and month < 63 and day in range(1, 32)


def _is_ontario(number: str) -> bool:
    return bool(luhn.is_valid("".join(filter(str.isdecimal, number))))


def _number(
    kind: str, pattern: str, is_valid: Callable[[str], bool], alone: str = "", names: str = ""
) -> _Number:
    return _Number(
        kind,
        re.compile(rf"(?<!\w)(?<!\d[ .,/-])(?:{pattern})(?!\w)(?![ .,/-]\d)".replace("~", _GAP)),
        is_valid,
        re.compile(alone.replace("~", _GAP)) if alone else None,
        re.compile(rf"\b(?:{names})\b", re.IGNORECASE) if names else None,
    )


_GAP = "[ \u00a0\u202f-]"
_DOMAIN = re.compile(r"@(?:[\w-]{1,63}\.){1,8}([^\W\d_]{2,24})\b")
_LOCAL = re.compile(r"[\w.+%'-]*\w")  # read backwards from the "@"
_DIGITS = re.compile(r"\d(?:[ \u00a0\u202f.A-Z-]{0,2}\d){4,}")
_FILE = re.compile(
    r"\b(?:MRN|IPP|dossier|(?:hospital|patient|chart|file|record|admission) (?=n|id\b))"
    r" ?(?:n[°ºo]\.?|number|num[ée]ro|id)? ?[:#]? ?[a-z]{0,3}-?$",
    re.IGNORECASE,
)
_PATIENT, _SOCIAL = "patient_number", "social_number"
_ANY = ".*"
_NUMBERS = (
    _number(_PATIENT, r"\d{3}~?\d{3}~?\d{4}", gb_nhs.is_valid, r"\d+~\d+~\d+", "NHS|CHI|H&C"),
    _number(
        _PATIENT, r"9\d{3}~?\d{3}~?\d{3}", bc_phn.is_valid, r"\d+~\d+~\d+", "PHN|MSP|care ?card"
    ),
    _number(
        _PATIENT,
        r"\d{4}~?\d{3}~?\d{3}(?:~?[A-Z]{2})?",
        _is_ontario,
        r"\d+~\d+~\d+~[A-Z]{2}",
        "OHIP|HIN|health (?:card|number)|carte (?:de )?santé",
    ),
    _number(_PATIENT, r"[A-Z]{4}~?\d{4}~?\d{4}", _is_ramq, _ANY),
    _number(
        _SOCIAL,
        r"\d{3}~?\d{3}~?\d{3}",
        sin.is_valid,
        r"\d+-\d+-\d+",
        "SIN|NAS|social insurance|assurance sociale",
    ),
    _number(
        _SOCIAL,
        r"\d{3}~?\d{2}~?\d{4}",
        us_ssn.is_valid,
        r"\d+-\d+-\d+",
        "SSN|social security",
    ),
    _number(
        _SOCIAL,
        r"[1-478]~?\d\d~?\d\d~?(?:\d\d|2[AB])~?\d{3}~?\d{3}~?\d\d",
        fr_nir.is_valid,
        _ANY,
    ),
    _number(_SOCIAL, r"\d{8}-?[A-Z]", es_dni.is_valid, _ANY),
    _number(_SOCIAL, r"[XYZ]-?\d{7}-?[A-Z]", es_nie.is_valid, _ANY),
    _number(_SOCIAL, r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]", it_cf.is_valid, _ANY),
    _number(_SOCIAL, r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d", mx_curp.is_valid, _ANY),
    _number(_SOCIAL, r"\d{6}[-+A-FU-Y]\d{3}[\dA-Y]", fi_hetu.is_valid, _ANY),
    _number(_SOCIAL, r"(?:\d\d)?\d{6}[-+]\d{4}", se_pnr.is_valid, _ANY),
    _number(_SOCIAL, r"\d{6}-\d{4}", dk_cpr.is_valid, _ANY),
    _number(_SOCIAL, r"\d{6} ?\d{5}", no_fnr.is_valid, _ANY),
    _number(_SOCIAL, r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d", be_nn.is_valid, _ANY),
    _number(_SOCIAL, r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d", ch_ssn.is_valid, _ANY),
    _number(_SOCIAL, r"\d{3}\.\d{3}\.\d{3}-\d\d", br_cpf.is_valid, _ANY),
    _number(_SOCIAL, r"\d{9}", nl_bsn.is_valid, "", "BSN|burgerservicenummer"),
    _number(_SOCIAL, r"\d{11}", pl_pesel.is_valid, "", "PESEL"),
    _number(_SOCIAL, r"\d{7}[A-W][AW]?", ie_pps.is_valid, "", "PPSN?"),
    _number(_SOCIAL, r"\d{4}~?\d{4}~?\d{4}", in_aadhaar.is_valid, "", "aadhaar"),
)
