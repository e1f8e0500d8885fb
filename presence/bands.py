"""What is shown of a count: a band that follows it so slowly that nobody's coming can be read from it.

The band moves by one step at a time, at a moment that is drawn. How soon depends on how far off it is: the
chance of a step in a round grows by ROUND_SECONDS / SLOW_SECONDS with each person. So one person more or
less during ten minutes changes the odds of anything that can be seen by at most 600 / 7200 = 0.083, whatever
else is known, however many accounts look on, and whoever else comes and goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

BOUNDS = (5, 10, 20, 50, 100)
ROUND_SECONDS = 2.0
SLOW_SECONDS = 7_200.0
"""So long, on average, until one person too many or too few shows; a hundred show within some two minutes."""
HOLD_SECONDS = (30.0, 120.0)
"""After a step the band stands at least so long: a time drawn between the two."""


@dataclass(frozen=True, slots=True)
class Band:
    """At least `min` people, at most `max`; no `max` means no upper bound."""

    min: int
    max: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is shown of a room: which band, counted from the lowest, and until when it stands (seconds)."""

    level: int = 0
    until: float = 0.0

    @property
    def band(self) -> Band:
        return BANDS[self.level]


LOWEST = Held()
BANDS = (
    Band(0, BOUNDS[0]),
    *(Band(lower + 1, upper) for lower, upper in pairwise(BOUNDS)),
    Band(BOUNDS[-1] + 1, None),
)


def moved(held: Held, people: int, now: float, uniform: Callable[[float, float], float]) -> Held:
    """One round later: as it was, or one step nearer to the count of people; `uniform(a, b)` draws."""
    off = _off(held.level, people)
    if now < held.until or uniform(0, 1) >= -math.expm1(-abs(off) * ROUND_SECONDS / SLOW_SECONDS):
        return held
    return Held(held.level + (1 if off > 0 else -1), now + uniform(*HOLD_SECONDS))


def _off(level: int, people: int) -> int:
    """How many people too many (or, below zero, too few) for the band, its margins included."""
    if level < len(BOUNDS) and (over := people - BOUNDS[level] - _margin(level)) > 0:
        return over
    if level > 0 and (under := BOUNDS[level - 1] + 1 - _margin(level - 1) - people) > 0:
        return -under
    return 0


def _margin(bound: int) -> int:
    """A count that hovers about a bound moves nothing."""
    return max(1, BOUNDS[bound] // 10)
