"""Something to say: letters only, since a number might look like a patient's and be held."""

from __future__ import annotations

import random

_SOME = [
    "patient",
    "was",
    "well",
    "at",
    "night",
    "slept",
    "while",
    "we",
    "waited",
    "for",
    "morning",
]
_SOME += [
    "nobody",
    "knew",
    "why",
    "it",
    "came",
    "back",
    "after",
    "so",
    "long",
    "and",
    "went",
    "away",
]


def words(letters: int) -> str:
    """About that many, a bit more."""
    said: list[str] = []
    size = 0
    while size < letters:
        said.append(random.choice(_SOME))
        size += len(said[-1]) + 1
    return " ".join(said)


def mark() -> str:
    """Sixteen letters that nobody else says."""
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=16))
