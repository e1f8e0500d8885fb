"""The verdict on a file's name, in which people and dates stand between "_", "-" and "."."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.examining import examine, in_order
from lounge.guard.reading import is_clinical, is_doubtful, is_given, is_surname
from lounge.guard.shape import set_of
from lounge.guard.span import Span, Verdict


def examine_name(name: str) -> Verdict:
    """What of a file's `name` must not be posted, or only by an author who says that it is no patient's.

    Read as written, and with "_", "-" and "." for spaces. Whatever is a name on the lists counts,
    in small letters too, since nobody is spoken of in a file's name.
    """
    read = name.translate(_SPACED)
    parts = examine(name.replace("_", " ")).spans, examine(read).spans, tuple(_listed(read))
    return Verdict(in_order([span for part in parts for span in part], read, "en"))


def _listed(read: str) -> Iterator[Span]:
    before = ""
    for word in _WORD.finditer(read):
        is_name = _is_name(word[0].capitalize(), before)
        if is_name:
            yield Span(*word.span(), "name", "guard.name", "soft")
        before = "name" if is_name else word[0].lower()


def _is_name(word: str, before: str) -> bool:
    if not (is_given(word) or is_surname(word)) or len(word) < _SHORTEST:
        return False
    return before in _CALLING or not (is_doubtful(word) or is_clinical(word))


_SPACED = str.maketrans("_-.", "   ")
_SHORTEST = 3
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CALLING = set_of("patient patiente pt pte mr mrs ms mme mlle m dr name nom client")
