"""What the guard finds: a stretch of a text and why it is held."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Code points [start, end) of a text; `why` is the catalogue key of a reason a person reads."""

    start: int
    end: int
    kind: str
    why: str
