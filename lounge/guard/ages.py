"""Ages over 89, which few enough reach to be found by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from lounge.guard.shape import set_of
from lounge.guard.span import Span

_KIND = "age"
OLDEST_TOLD = 89
"""HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): all ages over 89 are one."""


def ages(text: str, words: frozenset[str]) -> Iterator[Span]:
    """The ages over 89 in `text`, which has these `words`; also years of birth that tell as much."""
    for found in _FIGURES.finditer(text):
        if _is_meant(text, found):
            yield _span(*found.span(1))
    for found in _YEAR.finditer(text) if not words.isdisjoint(_BIRTHS) else ():
        if datetime.now(UTC).year - int(found[1]) > OLDEST_TOLD:
            yield _span(*found.span(1))
    if not words.isdisjoint(_NUMERALS):
        for found in _IN_WORDS.finditer(text):
            yield _span(*found.span())


def _span(start: int, end: int) -> Span:
    return Span(start, end, _KIND, f"guard.{_KIND}", "soft")


def _is_meant(text: str, found: re.Match[str]) -> bool:
    """Of somebody: not a stretch of time, nor a bound of a study."""
    before = text[max(0, found.start() - 24) : found.start()]
    if _OLD.match(text, found.end()):
        is_meant = True
    elif _SEX.match(text, found.end()):
        is_meant = not _TEMPERATURE.search(before)
    elif _YEARS.match(text, found.end()):
        is_meant = not _TIME.search(before)
    elif _UNIT.match(text, found.end()):
        return False
    else:
        is_meant = bool(_AGED.search(before) or _AT.search(before))
    return is_meant and not (_BOUND.search(before) or _OURS.search(before))


_BIRTHS = set_of(
    "born Born née Née né Né DOB naissance birth DDN",
)
_S = "[ \u00a0\u202f]"
_FIGURES = re.compile(r"((?:9\d|1[0-2]\d))(?!\d|/\d|[.,]\d)")
_OLD = re.compile(
    rf"(?:{_S}|-)?(?:years?|yrs?|yr)(?:{_S}|-)(?:old|of{_S}age|young)\b|{_S}?-?y[./ ]?o(?:[mf]|\b)"
    rf"|{_S}?y(?:rs?)?{_S}(?:[mf]|old)\b|(?:st|nd|rd|th|e|è?me){_S}(?:birthday|year\b"
    rf"|anniversaire|année)|{_S}?/{_S}?[MF]\b",
    re.IGNORECASE,
)
_SEX = re.compile(rf"[MF]\b|{_S}(?:ans{_S})?[MF]\b")
_TEMPERATURE = re.compile(
    r"\b(?:t|temp\w*|fever|febrile|fièvre|[a-z]+ of|at) ?[:=]? ?$|\d[ °]*$", re.IGNORECASE
)
_YEARS = re.compile(
    rf"(?:{_S}|-)?(?:years?|yrs?|ans)\b"
    rf"(?!{_S}(?:ago|later|earlier|before|after|since|follow|of|plus|ou{_S}plus|et{_S}plus|and|or"
    rf"|avant|après|d['’]))",
    re.IGNORECASE,
)
_OURS = re.compile(r"\[(?:age |âge )?$")  # what the guard itself put there
_BOUND = re.compile(
    r"(?:\d|[<>≤≥=±–/]|\d ?-|(?:\d|years|ans) (?:to|and|or|à|et|ou)|\b(?:than|over|above|under"
    r"|below|at least|up to|until"
    r"|to|and|plus de|moins de|jusqu['’]à)) ?$|(?<![\d.,])\w$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:il y a|last|past|for|within|dans|depuis|pendant|après|after|suivi (?:de|à)|every"
    r"|median|mean|médian|moyen) ?$",
    re.IGNORECASE,
)
_PEOPLE = (
    "she|he|they|who|patiente?|mother|father|grandmother|grandfather|grandma|grandpa|husband|wife"
    "|widow|widower|lady|gentleman|man"
    "|woman|male|female|resident|resident[es]?|mère|père|mari|épouse|femme|homme|dame|monsieur"
)
_AGED = re.compile(
    rf"\b(?:aged?|âge|âgée?s?|age (?:is|of|was)|turn(?:ed|s|ing)|(?:will|would|to|just|nearly"
    rf"|almost) (?:be|turn)|reach(?:ed|ing)"
    rf"|(?:lived|survived|made it) to(?: be)?|(?:nearly|almost|approaching)|(?:{_PEOPLE})(?:['’]s"
    rf"| is| was)(?: now| only| already| just)?)"
    rf" ?[:=]? ?(?:de |of )?$|\b(?:{_PEOPLE})(?:, | ?\()$",
    re.IGNORECASE,
)
_AT = re.compile(r"(?:^|[.!?] )At $|\b(?:died|passed away|still \w+) at $")
_UNIT = re.compile(
    rf"/|{_S}?(?:%|mm|cm|kg|bpm|mg|ml|[°º]|degrees|months?|mois|weeks?|days?|jours|min|on\b|at\b"
    rf"|over\b)",
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"(?:\b[Bb]orn|\b[Nn]ée?|\bDOB|\bnaissance|\bof birth|\bDDN)[ :]{1,2}(?:in |en |de "
    r"|as early as )?"
    r"(?:[A-Za-zéèûô]{3,9}[ ,]{1,2})?((?:18|19)\d\d)\b"
)
_NUMERALS = set_of(
    "ninety Ninety centenarian Centenarian nonagenarian Nonagenarian nonagénaire",
    "Nonagénaire centenaire Centenaire nonante vingt Nonante hundred",
)
_IN_WORDS = re.compile(
    r"\b(?:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?[- ]years?(?:[- ]old)?"
    r"|(?:one|a) hundred(?: and)?(?:[- ](?:one|two|three|four|five|six))?[- ]years?[- ]old"
    r"|(?:nonagenarian|centenarian)s?\b|nonagénaire\b|(?<=une )centenaire\b|(?<=un )centenaire\b"
    r"|(?<=patiente )centenaire\b"
    r"|(?:quatre[- ]vingt[s]?[- ](?:dix(?:[- ](?:sept|huit|neuf))?|onze|douze|treize|quatorze"
    r"|quinze|seize)"
    r"|nonante(?:[- ](?:et[- ]un|deux|trois|quatre|cinq|six|sept|huit|neuf))?) ans\b)",
    re.IGNORECASE,
)
