"""The verdict on a text: what each recogniser found, put in order."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from lounge.guard.addresses import addresses, postcodes
from lounge.guard.ages import ages
from lounge.guard.contacts import emails, links, network_addresses, spelled
from lounge.guard.dates import BIRTH, dates
from lounge.guard.handles import biometrics, handles
from lounge.guard.identifiers import numbers, unique
from lounge.guard.labelled import coded, labelled, plates
from lounge.guard.language import language_of, words_of
from lounge.guard.names import names
from lounge.guard.phones import telephones
from lounge.guard.places import places
from lounge.guard.reach import UNREAD, told
from lounge.guard.shape import shape_of
from lounge.guard.span import Language, Span, Verdict
from lounge.words import say

_TOGETHER = 200  # code points within which a name and what is told besides are of one person
_FEWEST_DIGITS = 6  # of what has check digits
_FEWEST_OF_PHONES = 7
# begun with a literal, which is found ten times sooner than a digit of the text itself
_IN_A_ROW = re.compile(rb"0(?:[ .A/-]{0,3}0){4}")
_LIKE_PHONES = re.compile(rb"0(?:[ .()/-]{0,3}0){6}")
_BORN_IN = re.compile(r"(?:18|19|20)\d\d")
_OLDEST_TOLD = 90


def examine(text: str) -> Verdict:
    """What of `text` must not be posted, or only by an author who says that it is no patient's.

    Names and places are looked for in English and French.
    """
    words = words_of(text)
    read = language_of(words)
    language = None if read == "other" else read
    found = [*_contacts(text, words)]
    shape = shape_of(text)
    if b"0" in shape:
        found += _numbered(text, words, shape)
    found += ages(text, words)
    if read != "other":
        found += names(text, words, language)
        found += places(text, words, language)
    spans = in_order(found, text, language or "en") if found else ()
    return Verdict(spans, language, names_checked=read != "other")


def in_order(found: list[Span], text: str, language: Language) -> tuple[Span, ...]:
    """What was `found`, ascending, none overlapping, with levels and what may stand there instead."""
    return _judged(_apart(found, len(text)), text, language)


def _contacts(text: str, words: frozenset[str]) -> Iterator[Span]:
    if "@" in text:
        yield from emails(text)
    yield from links(text)
    yield from spelled(text)
    yield from handles(text, words)


def _numbered(text: str, words: frozenset[str], shape: bytes) -> Iterator[Span]:
    """What is written with figures. The first to name a stretch keeps it."""
    yield from network_addresses(text, shape)
    yield from unique(text)
    digits = shape.count(b"0")
    if digits >= _FEWEST_DIGITS and _IN_A_ROW.search(shape):
        yield from told(numbers(text), len(text))
    yield from told(plates(text, words, shape), len(text))
    yield from biometrics(text, words)
    yield from told(labelled(text), len(text))
    yield from told(coded(text, words), len(text))
    yield from dates(text, words, shape)
    if digits >= _FEWEST_OF_PHONES and _LIKE_PHONES.search(shape):
        yield from told(telephones(text), len(text))
    yield from addresses(text, words)
    yield from postcodes(text, shape)


def _apart(found: list[Span], length: int) -> list[Span]:
    """Of two that overlap the one named first stays: a number with check digits is no telephone."""
    taken, kept = bytearray(length), []
    for span in _read(found):
        if taken.find(1, span.start, span.end) < 0:
            taken[span.start : span.end] = b"\x01" * (span.end - span.start)
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def _read(found: list[Span]) -> list[Span]:
    """What was found before the first place where a recogniser stopped, and the unread rest as one mark."""
    unread = min(filter(_is_unread, found), key=lambda span: span.start, default=None)
    if unread is None:
        return found
    read = [span for span in found if span.end <= unread.start]
    return [*read, unread]


def _is_unread(span: Span) -> bool:
    return span.kind == UNREAD


def _judged(spans: list[Span], text: str, language: Language) -> tuple[Span, ...]:
    others = [span for span in spans if span.kind not in _NAMES]
    return tuple(_worded(_weighed(span, others), text, language) for span in spans)


def _weighed(span: Span, others: list[Span]) -> Span:
    """A name is hard beside anything else that is told of whoever bears it; `others` ascend."""
    if span.kind != "name" or not others:
        return span
    at = bisect_left(others, span.start, key=lambda other: other.start)
    before, after = others[max(0, at - 1)], others[min(at, len(others) - 1)]
    if min(_gap(before, span), _gap(after, span)) > _TOGETHER:
        return span
    return replace(span, level="hard", why="guard.name_together")


def _gap(one: Span, other: Span) -> int:
    return max(one.start - other.end, other.start - one.end)


def _worded(span: Span, text: str, language: Language) -> Span:
    """With what may stand there instead."""
    if span.kind == BIRTH and (year := _BORN_IN.search(text, span.start, span.end)):
        years = datetime.now(UTC).year - int(year[0])
        why = "guard.birth_date_old" if years >= _OLDEST_TOLD else span.why
        return replace(span, why=why, instead=_age(years, language))
    if span.kind == UNREAD:
        return span  # nobody knows what stands there
    return replace(span, instead=say(f"guard.instead.{span.kind}", language))


def _age(years: int, language: Language) -> str:
    if years >= _OLDEST_TOLD:
        return say("guard.instead.age", language)
    if years < 10:
        return say("guard.instead.child", language)
    return say("guard.instead.decade", language, decade=years // 10 * 10, last=years // 10 * 10 + 9)


_NAMES = frozenset({"name", "initials"})
