"""Telephone numbers, by libphonenumber's own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from phonenumbers import Leniency, PhoneNumberMatcher

from lounge.guard.span import Span

# Where a number without its country code is looked for: those whose numbers begin with 0, and
# "US", which stands for all of North America.
_WITH_ZERO = ("FR", "GB", "BE", "CH", "IE", "AU")
_WITHOUT = ("US",)
_RUN = re.compile(r"\d(?:[ \u00a0\u202f.()/-]{0,3}\d){6,}")
_ZERO = re.compile(r"(?<!\d)0\d")
_JOINED = re.compile(r"\d[-.]\d")
_NAMES = re.compile(
    r"\b(?:t[ée]l|t[ée]l[ée]phone|phone|call|ring|mobile|cell|portable|fax|whatsapp|pager"
    r"|appel\w*|joindre|rappel\w*)\b",
    re.IGNORECASE,
)
# Reading is slow (a millisecond), so a text made of digits is not read to its end: of a long run,
# which is a table rather than a telephone number, its two ends, and so many runs a text.
_END = 64
_RUNS = 12


def telephones(text: str) -> Iterator[Span]:
    """The telephone numbers in `text`: international ones, and valid ones of several countries.

    A national number counts when it begins with 0 or has its groups joined ("514-555-0123"),
    bare digits and groups between spaces, which could be a row of results, only after a word
    such as "call".
    """
    for run in islice(_RUN.finditer(text), _RUNS):
        start, end = max(0, run.start() - 2), run.end()  # with its "+" or "("
        if end - start <= 2 * _END:
            yield from _between(text, start, end)
        else:
            yield from _between(text, start, start + _END)
            yield from _between(text, end - _END, end)


def _between(text: str, start: int, end: int) -> Iterator[Span]:
    written = text[start:end]
    for region in _regions(written):
        for match in PhoneNumberMatcher(written, region, Leniency.EXACT_GROUPING):
            span = Span(start + match.start, start + match.end, "phone", "guard.phone")
            if _is_meant(text, span):
                yield span


def _regions(written: str) -> tuple[str | None, ...]:
    if "+" in written:
        return (None,)
    return (*_WITHOUT, *_WITH_ZERO) if _ZERO.search(written) else _WITHOUT


def _is_meant(text: str, span: Span) -> bool:
    written = text[span.start : span.end]
    before = text[max(0, span.start - 40) : span.start]
    return written[0] in "+(0" or bool(_JOINED.search(written) or _NAMES.search(before))
