"""The privacy guard: what in a text could lead to a patient or a doctor, before it is stored.

Now: addresses, telephone numbers, and patient and social security numbers whose check digits are
right. It only points; it never changes a text.
"""

from __future__ import annotations

from lounge.guard.identifiers import emails, numbers
from lounge.guard.phones import telephones
from lounge.guard.span import Span

__all__ = ["Span", "examine"]

_FEWEST_DIGITS = 6  # of anything looked for here


def examine(text: str) -> tuple[Span, ...]:
    """The stretches of `text` that must not be posted, ascending, none overlapping.

    Nearly free for a text without an "@" and with fewer than six digits.
    """
    found: list[Span] = []
    if "@" in text:
        found += emails(text)
    if sum(map(text.count, "0123456789")) >= _FEWEST_DIGITS:
        found += numbers(text)
        found += telephones(text)
    return _apart(found) if found else ()


def _apart(found: list[Span]) -> tuple[Span, ...]:
    """Of two that overlap the one named first stays: a number with check digits is no telephone."""
    kept: list[Span] = []
    for span in found:
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda span: span.start))
