"""Imported by Python itself, where the bench puts it on the path: a lounge whose guard finds nothing."""

from __future__ import annotations

from lounge import guard
from lounge.guard import Verdict

_NOTHING = Verdict()


def _nothing(text: str) -> Verdict:
    del text
    return _NOTHING


guard.examine = _nothing
