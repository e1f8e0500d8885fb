"""Telephone numbers: by their groups, by a word beside them, or by libphonenumber's own"
" metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phonenumbers import Leniency, PhoneNumberMatcher

from lounge.guard.reach import OutOfReachError, within
from lounge.guard.span import Level, Span

_KIND = "phone"


def telephones(text: str) -> Iterator[Span]:
    """The telephone numbers in `text`: grouped as in North America, after a word such as "call",
    international ones, and valid ones of several countries.

    Groups between spaces, which could be a row of results, are soft without such a word.
    Raises OutOfReachError where there are too many to look at.
    """
    read = 0
    for run in within(_RUN.finditer(text), _RUNS):
        start = run.start() - _lead(text[max(0, run.start() - 2) : run.start()])
        found = [*_grouped(text, start, run.end())] or [*_called(text, start, run.end())]
        if not found and _regions(text[start : run.end()]):
            if read == _READ:
                raise OutOfReachError(start)
            read += 1
            found = [*_international(text, start, run.end())]
        yield from found


def _lead(before: str) -> int:
    """How many signs before its first digit are the number's own."""
    return len(before) - len(before.rstrip("+("))


def _grouped(text: str, start: int, end: int) -> Iterator[Span]:
    for found in within(_ZERO_LED.finditer(text, start, end), _RUNS):
        if sum(map(str.isdigit, found[0])) in _ZERO_LENGTHS:
            yield _span(*found.span())
    for found in within(_AMERICAN.finditer(text, start, end), _RUNS):
        is_told = _is_called(text, found.start())
        if found[1] == " " == found[2] and not is_told and found[0][0] not in "+(":
            if not _FIGURE.search(text[max(0, found.start() - 12) : found.start()]):
                yield _span(*found.span(), "soft")
        elif found[1] or found[2] or is_told:
            yield _span(*found.span())


def _called(text: str, start: int, end: int) -> Iterator[Span]:
    """Whatever has as many digits, after a word that says what it is."""
    digits = sum(map(str.isdigit, text[start:end]))
    if digits > _MOST or _FIGURES.search(text[start:end]) or _UNIT.match(text, end):
        return
    if _is_called(text, start) or (digits <= _FEWEST + 4 and _CALLED_AFTER.match(text, end)):
        yield _span(start, end)


def _is_called(text: str, start: int) -> bool:
    return bool(_NAMES.search(text[max(0, start - 48) : start]))


def _span(start: int, end: int, level: Level = "hard") -> Span:
    return Span(start, end, _KIND, f"guard.{_KIND}", level)


def _international(text: str, start: int, end: int) -> Iterator[Span]:
    """Reading is slow (a millisecond): only what begins with "+", "(" or 0; of a long run its ends."""
    if end - start <= 2 * _END:
        yield from _between(text, start, end)
    else:
        yield from _between(text, start, start + _END)
        yield from _between(text, end - _END, end)


def _between(text: str, start: int, end: int) -> Iterator[Span]:
    written = text[start:end]
    for region in _regions(written):
        for match in PhoneNumberMatcher(written, region, Leniency.VALID):
            if written[match.start] in "+(0":
                yield _span(start + match.start, start + match.end)


def _regions(written: str) -> tuple[str | None, ...]:
    if "+" in written:
        return (None,)
    return _WITH_ZERO if _ZERO.search(written) else ()


# Where a number without its country code is looked for.
_WITH_ZERO = ("FR", "GB", "BE", "CH", "IE", "AU", "DE")
_FEWEST = 7
_MOST = 15
_END = 64
_RUNS = 200
_READ = 6  # libphonenumber takes a millisecond for each
_RUN = re.compile(r"\d(?:[ \u00a0\u202f.()/-]{0,3}\d){6,}")
_AMERICAN = re.compile(
    r"(?<![\d.,])(?:\+?1[ .-]?)?\(?[2-9]\d\d(\) ?|[ .\u00a0/-])?[2-9]\d\d([ .\u00a0-])?\d{4}(?!\d"
    r"|[.,-]\d)"
)
_ZERO_LENGTHS = (10, 11)
_ZERO_LED = re.compile(
    r"(?<![\d.,])(?:\(0[1-9]\d{0,4}\)|0[1-9]\d{0,4})(?:[ .\u00a0\u202f-]?\d{2,4}){2,5}(?!\d"
    r"|[.,/-]\d)"
)
_ZERO = re.compile(r"(?<![\d.,])\(?0\d")
_FIGURES = re.compile(
    r"\([^)]*$|^[^(]*\)|(?:19|20)\d\d[-/ ]{1,3}(?:19|20)\d\d|^\d{4}-\d\d-\d\d|^\d\d?/\d\d?/"
)
_UNIT = re.compile(
    r"[ \u00a0\u202f]?(?:mg|g|kg|µg|mcg|ng|m[lL]|d[lL]|mm|cm|%|UI|IU|U/|copies|cells?|cellules|/"
    r"|µ|[mnµp]?mol|leu[ck]o|plaq|plate)"
)
_FIGURE = re.compile(r"\d[ ,/.-]{1,3}$|[=<>≥≤]\s?$")
_NAMES = re.compile(
    r"\b(?:t[ée]l|t[ée]l[ée]phone[sr]?|phone[sd]?|call(?:ed|s|ing)?|ring|rang|mobile|(?:my|his"
    r"|her|their|the|['’]s|by|on|own) cell|cell(?:phone|ulaire)|portable|land ?line|fixe|fax"
    r"|whatsapp|signal|pager|bleep|bip|sms|texto|(?:text|reach|contact)(?:ed|s|ing)?|appel\w*"
    r"|joi(?:ndre|gnable|gnez|nt)|rappel\w*"
    r"|contact(?:er|ez)|voice ?mail|répondeur|hotline|dial|numbers?|numéros?|n°|coordonnées"
    r"|(?:direct|home|his|her|my) line|ligne|(?:at|his|her|their) (?:home|work)|maison"
    r"|daughter|son|wife|husband|mother|father|mum|mom|dad|fils|fille|mère|père|épouse|mari"
    r"|conjointe?|sœur|frère|sister|brother"
    r"|neighbou?r|voisine?|famille|family|pharmacy|pharmacie|gp)\b[^\d]{0,28}$",
    re.IGNORECASE,
)
_CALLED_AFTER = re.compile(
    r"[ ,]{0,2}\(?(?:is |was |est |as )?(?:the |her |his |their |le |la |son "
    r"|sa )?(?:[\w'’]{2,12} )?"
    r"(?:phone|mobile|cell|portable|téléphone|landline|fixe|fax|home number|work number"
    r"|whatsapp)\b",
    re.IGNORECASE,
)
