"""The numbers that countries give to people, and those of their bank accounts and cards.

A number counts when its check digits are right (python-stdnum) and when it is written as such
numbers are: in the customary groups, or beside a word such as NHS, NIR, RAMQ, NAS or SSN. Bare
digits alone never count, since laboratories and trials write those too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import iban, luhn
from stdnum.be import nn as be_nn
from stdnum.br import cpf as br_cpf
from stdnum.ca import bc_phn, sin
from stdnum.ch import ssn as ch_ssn
from stdnum.cl import rut as cl_rut
from stdnum.cn import ric as cn_ric
from stdnum.cz import rc as cz_rc
from stdnum.de import idnr as de_idnr
from stdnum.dk import cpr as dk_cpr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.gb import nhs as gb_nhs
from stdnum.ie import pps as ie_pps
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.it import codicefiscale as it_cf
from stdnum.kr import rrn as kr_rrn
from stdnum.mx import curp as mx_curp
from stdnum.nl import bsn as nl_bsn
from stdnum.no import fodselsnummer as no_fnr
from stdnum.pl import pesel as pl_pesel
from stdnum.ro import cnp as ro_cnp
from stdnum.se import personnummer as se_pnr
from stdnum.tr import tckimlik as tr_id
from stdnum.us import itin as us_itin
from stdnum.us import ssn as us_ssn
from stdnum.za import idnr as za_id

from lounge.guard.reach import within
from lounge.guard.span import Span


def numbers(text: str) -> Iterator[Span]:
    """The patient, social security, account and card numbers in `text`; two readings may overlap.

    Raises OutOfReachError where there are too many.
    """
    for stretch in within(_DIGITS.finditer(text), _STRETCHES):
        digits = sum(map(str.isdecimal, stretch[0]))
        start, end = max(0, stretch.start() - 24), stretch.end() + 12
        for number in _NUMBERS:
            if number.digits <= digits:
                yield from number.within(text, start, end)


def unique(text: str) -> Iterator[Span]:
    """Identifiers that are made so that no two are the same (RFC 9562)."""
    for found in _UNIQUE.finditer(text) if text.count("-") >= _HYPHENS else ():
        start = found.start() - 8
        if _EIGHT.fullmatch(text, max(0, start), found.start()):
            yield Span(start, found.end(), "file_number", "guard.file_number")


@dataclass(frozen=True, slots=True)
class _Number:
    """How one country writes one number: `alone` is the form that needs no word beside it."""

    kind: str
    digits: int
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    alone: re.Pattern[str] | None
    names: re.Pattern[str] | None

    def within(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Those of its kind between two places."""
        for found in self.pattern.finditer(text, start, end):
            if self._is_meant(text, found):
                yield Span(*found.span(), self.kind, f"guard.{self.kind}")

    def _is_meant(self, text: str, found: re.Match[str]) -> bool:
        return bool(
            (self.alone and self.alone.fullmatch(found[0]))
            or (self.names and self.names.search(_beside(text, found)))
        ) and self._is_right(_SPACE.sub("", found[0]).upper())

    def _is_right(self, number: str) -> bool:
        """One that the check itself stumbles over, such as a Chinese one of no known county, is not."""
        try:
            return self.is_valid(number)
        except (LookupError, ValueError):
            return False


def _beside(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 40) : found.start()] + " " + text[found.end() :][:20]


def _is_ramq(number: str) -> bool:
    """Four letters of the name, then year, month (plus 50 for women), day and two more digits."""
    digits = "".join(filter(str.isdecimal, number))
    month, day = int(digits[2:4]), int(digits[4:6])
    return month % 50 in range(1, 13) and month < 63 and day in range(1, 32)


def _is_luhn(number: str) -> bool:
    return bool(luhn.is_valid("".join(filter(str.isdecimal, number))))


def _is_australian(number: str) -> bool:
    """Eight digits weighed 1, 3, 7, 9 give the ninth (Services Australia)."""
    digits = [int(each) for each in number if each.isdecimal()]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 9) * 2, strict=False))
    return digits[0] in range(2, 7) and total % 10 == digits[8]


def _is_shaped(_: str) -> bool:
    """The shape says enough: no check digits are published."""
    return True


def _number(
    kind: str,
    digits: int,
    pattern: str,
    is_valid: Callable[[str], bool],
    alone: str = "",
    names: str = "",
) -> _Number:
    return _Number(
        kind,
        digits,
        re.compile(rf"(?<!\w)(?<!\d[ .,/-])(?:{pattern})(?!\w)(?![ .,/-]\d)".replace("~", _GAP)),
        is_valid,
        re.compile(alone.replace("~", _GAP)) if alone else None,
        re.compile(rf"\b(?:{names})\b", re.IGNORECASE) if names else None,
    )


_SPACE = re.compile(r"[\s\u00a0\u202f]")
_STRETCHES = 200
_GAP = "[ \u00a0\u202f-]"
_DIGITS = re.compile(r"\d(?:[ \u00a0\u202f.A-Z/-]{0,3}\d){4,}")
_HYPHENS = 4
_UNIQUE = re.compile(r"-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}(?![\w-])")
_EIGHT = re.compile(r"[\da-fA-F]{8}")
_PATIENT, _SOCIAL, _ACCOUNT = "patient_number", "social_number", "account_number"
_ANY = ".*"
_M = "[AC-HJKMNP-RT-Y]"
_NUMBERS = (
    _number(_PATIENT, 10, r"\d{3}~?\d{3}~?\d{4}", gb_nhs.is_valid, r"\d+~\d+~\d+", "NHS|CHI|H&C"),
    _number(
        _PATIENT, 10, r"9\d{3}~?\d{3}~?\d{3}", bc_phn.is_valid, r"\d+~\d+~\d+", "PHN|MSP|care ?card"
    ),
    _number(
        _PATIENT,
        10,
        r"\d{4}~?\d{3}~?\d{3}(?:~?[A-Z]{2})?",
        _is_luhn,
        r"\d+~\d+~\d+~[A-Z]{2}",
        "OHIP|HIN|health (?:card|number)|carte (?:de )?santé",
    ),
    _number(_PATIENT, 8, r"[A-Z]{4}~?\d{4}~?\d{4}", _is_ramq, _ANY),
    _number(
        _SOCIAL,
        9,
        r"\d{3}~?\d{3}~?\d{3}",
        sin.is_valid,
        r"\d+-\d+-\d+",
        "SIN|NAS|social insurance|assurance sociale",
    ),
    _number(
        _SOCIAL,
        9,
        r"\d{3}~?\d{2}~?\d{4}",
        us_ssn.is_valid,
        r"\d+-\d+-\d+",
        "SSN|social security",
    ),
    _number(
        _SOCIAL,
        13,
        r"[1-478]~?\d\d~?\d\d~?(?:\d\d|2[AB])~?\d{3}~?\d{3}~?\d\d",
        fr_nir.is_valid,
        _ANY,
    ),
    _number(_SOCIAL, 8, r"\d{8}-?[A-Z]", es_dni.is_valid, _ANY),
    _number(_SOCIAL, 7, r"[XYZ]-?\d{7}-?[A-Z]", es_nie.is_valid, _ANY),
    _number(_SOCIAL, 7, r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]", it_cf.is_valid, _ANY),
    _number(_SOCIAL, 6, r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d", mx_curp.is_valid, _ANY),
    _number(_SOCIAL, 8, r"\d{6}[-+A-FU-Y]\d{3}[\dA-Y]", fi_hetu.is_valid, _ANY),
    _number(_SOCIAL, 10, r"(?:\d\d)?\d{6}[-+]\d{4}", se_pnr.is_valid, _ANY),
    _number(_SOCIAL, 10, r"\d{6}-\d{4}", dk_cpr.is_valid, _ANY),
    _number(_SOCIAL, 11, r"\d{6} ?\d{5}", no_fnr.is_valid, _ANY),
    _number(_SOCIAL, 11, r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d", be_nn.is_valid, _ANY),
    _number(_SOCIAL, 13, r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d", ch_ssn.is_valid, _ANY),
    _number(_SOCIAL, 11, r"\d{3}\.\d{3}\.\d{3}-\d\d", br_cpf.is_valid, _ANY),
    _number(_SOCIAL, 9, r"\d{9}", nl_bsn.is_valid, "", "BSN|burgerservicenummer"),
    _number(_SOCIAL, 11, r"\d{11}", pl_pesel.is_valid, "", "PESEL"),
    _number(_SOCIAL, 7, r"\d{7}[A-W][AW]?", ie_pps.is_valid, "", "PPSN?"),
    _number(_SOCIAL, 12, r"\d{4}~?\d{4}~?\d{4}", in_aadhaar.is_valid, "", "aadhaar"),
    _number(
        _PATIENT,
        5,
        rf"[1-9]{_M}[\dAC-HJKMNP-RT-Y]\d-?{_M}[\dAC-HJKMNP-RT-Y]\d-?{_M}{_M}\d\d",
        _is_shaped,
        _ANY,
    ),
    _number(
        _PATIENT,
        10,
        r"[2-6]\d{3}~?\d{5}~?\d(?:[/~]?\d)?",
        _is_australian,
        r"\d{4}~\d{5}~\d(?:[/~]?\d)?",
        "medicare|IRN",
    ),
    _number(_PATIENT, 4, r"[A-HJ-NP-Z]{3}~?(?:\d{4}|\d\d[A-HJ-NP-Z]{2})", _is_shaped, "", "NHI"),
    _number(
        _SOCIAL,
        6,
        r"(?:QQ|(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]) ?\d\d ?\d\d ?\d\d ?[A-D]",
        _is_shaped,
        r".*[A-Z]",
    ),
    _number(_SOCIAL, 9, r"\d{3}-\d\d-\d{4}", _is_shaped, _ANY),
    _number(_SOCIAL, 9, r"9\d\d-\d\d-\d{4}", us_itin.is_valid, _ANY),
    _number(_SOCIAL, 9, r"\d{6}/\d{3,4}", cz_rc.is_valid, _ANY),
    _number(_SOCIAL, 13, r"\d{6}-\d{7}", kr_rrn.is_valid, _ANY),
    _number(_SOCIAL, 7, r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", cl_rut.is_valid, _ANY),
    _number(_SOCIAL, 17, r"\d{17}[\dX]", cn_ric.is_valid, _ANY),
    _number(_SOCIAL, 13, r"[1-9]\d{12}", ro_cnp.is_valid, "", "CNP"),
    _number(_SOCIAL, 13, r"\d{13}", za_id.is_valid, "", "ID|RSA"),
    _number(_SOCIAL, 11, r"\d{2} ?\d{3} ?\d{3} ?\d{3}", de_idnr.is_valid, "", "IdNr|Steuer-?ID"),
    _number(_SOCIAL, 11, r"\d{11}", tr_id.is_valid, "", "TC|TCKN|kimlik"),
    _number(
        _ACCOUNT,
        8,
        r"[A-Z]{2}\d\d(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?",
        iban.is_valid,
        _ANY,
    ),
    _number(_ACCOUNT, 16, r"[3-6]\d{3}~?\d{4}~?\d{4}~?\d{4}", _is_luhn, _ANY),
    _number(_ACCOUNT, 15, r"3[47]\d{2}~?\d{6}~?\d{5}", _is_luhn, _ANY),
)
