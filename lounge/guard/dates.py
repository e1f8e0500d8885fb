"""Dates with their day, and dates of birth.

Days alone, months with a year, and what is told from today ("three days ago") are let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.shape import set_of
from lounge.guard.span import Span

BIRTH = "birth_date"
DATE = "date"


def dates(text: str, words: frozenset[str], shape: bytes) -> Iterator[Span]:
    """The full dates in `text`, which has these `words`: those of a birth are hard, others soft."""
    for start, end in _written(text, words, shape):
        if _is_of_birth(text, start, end):
            yield Span(start, end, BIRTH, f"guard.{BIRTH}")
        else:
            yield Span(start, end, DATE, f"guard.{DATE}", "soft")
    for found in _SIX_FIGURES.finditer(text) if not words.isdisjoint(_BIRTHS) else ():
        if _is_date(found[2], found[3], found[1], "/") or _is_date(found[1], found[2], found[3]):
            yield Span(found.start(1), found.end(3), BIRTH, f"guard.{BIRTH}")


def _written(text: str, words: frozenset[str], shape: bytes) -> Iterator[tuple[int, int]]:
    if _IN_FIGURES.search(shape):
        yield from _in_figures(text)
    if _SHORT.search(shape):
        yield from _without_year(text)
    yield from _in_words(text, words & _MONTHS)


def _in_figures(text: str) -> Iterator[tuple[int, int]]:
    for found in _YEAR_FIRST.finditer(text):
        if not _goes_on(text, found) and _is_day(found[4], found[3]):
            yield found.span()
    for found in _NUMERIC.finditer(text):
        if not _goes_on(text, found) and _is_date(found[1], found[3], found[4], found[2]):
            yield found.span()


def _without_year(text: str) -> Iterator[tuple[int, int]]:
    """ "Vu le 12/03", "admitted on 3/12": beside who came or went, since scores read so too."""
    for found in _DAY_AND_MONTH.finditer(text):
        day, month = found[1], found[2]
        if not (_is_day(day, month) or _is_day(month, day)) or _COUNTED.match(text, found.end()):
            continue
        before = text[max(0, found.start() - 32) : found.start()]
        is_sure = "0" in (day[0], month[0])
        if _CAME_ON.search(before) or (is_sure and _ON.search(before)):
            yield found.span()


def _in_words(text: str, months: frozenset[str]) -> Iterator[tuple[int, int]]:
    for month in months:
        for place in re.finditer(month, text):
            start, end = place.span()
            is_part = text[max(0, start - 1) : start].isalpha() or text[end : end + 1].isalpha()
            if not is_part and (found := _with_day(text, start, end)):
                yield found


def _with_day(text: str, start: int, end: int) -> tuple[int, int] | None:
    """A month's day stands before or after it."""
    before = _DAY_BEFORE.search(text, max(0, start - 16), start)
    if before and 1 <= int(before[1]) <= 31 and _begins(text, before.start()):
        return before.start(), _with_year(text, end)
    after = _DAY_AFTER.match(text, end)
    if after and 1 <= int(after[1]) <= 31 and not _UNIT.match(text, after.end()):
        return start, _with_year(text, after.end())
    return None


def _begins(text: str, start: int) -> bool:
    return start == 0 or not (
        text[start - 1].isalnum() or _DECIMAL.search(text[max(0, start - 2) : start])
    )


def _goes_on(text: str, found: re.Match[str]) -> bool:
    """What stands in a longer row of figures is none."""
    before = text[max(0, found.start() - 12) : found.start()]
    return bool(_BEFORE.search(before) or _AFTER.match(text, found.end()))


def _is_date(one: str, two: str, year: str, between: str = "/") -> bool:
    """Day and month in either order; a short year between slashes, or dots with all six figures."""
    if len(year) == 2 and between != "/" and (between == "-" or len(one + two) < 4):
        return False
    return (_is_day(one, two) or _is_day(two, one)) and (len(year) == 2 or year[:2] in _CENTURIES)


def _is_day(day: str, month: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


def _with_year(text: str, end: int) -> int:
    year = _YEAR.match(text, end)
    return year.end() if year else end


def _is_of_birth(text: str, start: int, end: int) -> bool:
    return bool(_BORN.search(text[max(0, start - 60) : start]) or _BORN_AFTER.match(text, end))


def _cased(months: str) -> frozenset[str]:
    return frozenset(
        each for month in months.split() for each in (month.capitalize(), month.upper())
    )


_BIRTHS = set_of(
    "DOB DDN D birth naissance",
)
_IN_FIGURES = re.compile(rb"0(?:/00?/0|-00?-0|\.00?\.0| / 0| - 0)")
_SHORT = re.compile(rb" 00?/00?[^0/]| 00?/00?$")
_DAY_AND_MONTH = re.compile(r"(?<= )(\d\d?)/(\d\d?)(?![\d/]|[.,:-]\d)")
_CAME_ON = re.compile(
    r"\b(?:admitted|discharged|hospitali[sz]ed|operated|died|transferred|referred|delivered|readmitted"
    r"|admise?|hospitalisée?|opérée?|décédée?|transférée?|sortie?|entrée?|réadmise?|accouché)"
    r"(?: (?:here|again|ici|hier))? (?:on|le|du)(?: the)? $",
    re.IGNORECASE,
)
_ON = re.compile(
    r"\b(?:on|since|until|from|le|depuis le|du|au|seen|visit|admitted|discharged|born|vue?|dated?|datée?)"
    r"(?: the)? $",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r" ?(?:%|mm|cm|mg|kg|h\b|°|(?:occasion|scan|time|visit|film|slide|day|view|image|section|case"
    r"|patient|limb|joint|blade|exam|sample)s?\b|of\b|fois|jours|coupes|examens|clichés|cas\b"
    r"|prélèvements)"
)
_CENTURIES = ("18", "19", "20")
# English months begin with a capital, else "12 may" were one; those that mean nothing else need none.
_MONTHS = (
    _cased("january february march april may june july august september october november december")
    | _cased("jan feb mar apr jun jul aug sep sept oct nov dec")
    | _cased("janvier février fevrier mars avril mai juin juillet août aout septembre octobre")
    | _cased("novembre décembre decembre janv févr fevr avr juil déc")
    | set_of(
        "january february march april june july august september october",
    )
    | set_of(
        "november december janvier février fevrier mars avril mai juin juillet août",
    )
    | set_of(
        "aout septembre octobre novembre décembre decembre janv févr fevr avr juil",
    )
    | set_of(
        "déc sept oct nov feb aug",
    )
)
_S = "[ \u00a0\u202f]"
_YEAR_FIRST = re.compile(r"((?:18|19|20)\d\d)([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(\d{1,2})(?: ?([-/.]) ?)(\d{1,2}) ?\2 ?(\d{4}|\d\d)(?!\d)")
_DAY_BEFORE = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er)?(?:{_S}|-|\.{_S})(?:day of |of )?$"
)
_DAY_AFTER = re.compile(rf"\.?(?:{_S}|-)(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b(?![.,]\d)")
_YEAR = re.compile(
    rf"\.?(?:,?{_S}{{1,2}}|-|,|/)(?:(?:18|19|20)\d\d|(?<=[-/])\d\d)\b|{_S}?['’]\d\d\b"
)
_DECIMAL = re.compile(r"\d[.,]$")
_BEFORE = re.compile(r"(?i:apgar)[^a-z]{0,6}$|\d[ .,/-]?$|[./,-]$|[A-Za-z]$")
_UNIT = re.compile(
    rf"{_S}?(?:mg|g|kg|µg|mcg|m[lL]|mm|cm|%|UI|IU|U/|h\b|mmHg|(?:year|month|week|day|patient"
    rf"|case)s?\b"
    r"|ans?\b|jours?\b|mois\b|cas\b)"
)
_AFTER = re.compile(rf"[./-]\d|\d|,\d|/|{_UNIT.pattern}")
_BORN = re.compile(
    r"(?:\b(?:d\.?o\.?b|ddn|d\.d\.n|date of birth|birth ?dates?|birth ?day|born|date de naissance"
    r"|naissance|n[ée]es?|né|anniversaire|bday|birth|(?:into|entered) (?:the|this) world|(?:vue?"
    r"|voit) le jour|au monde|b\.)(?:\b|(?<=\.))|\bn[ée][(·.-]e\)?)[^\d;]{0,36}$",
    re.IGNORECASE,
)
_BORN_AFTER = re.compile(
    r"[ ,]{0,2}\(?(?:is |was |est |as |comme )?(?:the |her |his |their |sa |la )?"
    r"(?:dob|d\.o\.b|date of birth|birth ?date|birth ?day|ddn|date de naissance|anniversaire)\b",
    re.IGNORECASE,
)
_SIX_FIGURES = re.compile(
    r"(?:DOB|D\.O\.B\.?|DDN|D\.D\.N\.?|[Dd]ate of birth|[Dd]ate de naissance)[ :=]{1,3}"
    r"((?:19|20)?\d\d)(\d\d)((?:19|20)?\d\d)(?!\d)"
)
