"""How long cases wait for a first opinion: medians and 90th percentiles, from the log's own times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from statistics import median
from typing import TypeVar

from storage.consults import Timed

__all__ = ["DAYS", "DAY_MS", "Timed", "Wait", "by_day", "by_hour", "hour", "wait"]

K = TypeVar("K", bound=Hashable)

DAY_MS = 24 * 3600 * 1000
DAYS = 90
"""So far back cases count."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until a first opinion was told, over the `n` cases that had one; `unanswered` had none."""

    n: int
    unanswered: int
    median_s: float | None
    p90_s: float | None


def wait(cases: Iterable[Timed]) -> Wait:
    """The median is that of the middle two where they are even; the percentile is the nearest rank."""
    seconds, unanswered = [], 0
    for each in cases:
        if each.first is None:
            unanswered += 1
        else:
            seconds.append((each.first - each.opened) / 1000)
    seconds.sort()
    if not seconds:
        return Wait(0, unanswered, None, None)
    ninth = seconds[ceil(len(seconds) * 9 / 10) - 1]
    return Wait(len(seconds), unanswered, round(median(seconds), 3), ninth)


def by_hour(cases: Sequence[Timed]) -> dict[int, Wait]:
    """By the hour of the day, UTC, at which they were opened; of the hours in which any was."""
    return _by(cases, hour)


def by_day(cases: Sequence[Timed]) -> dict[str, Wait]:
    """By the day, UTC, as 2026-11-23."""
    return _by(cases, lambda at: _time(at).date().isoformat())


def hour(at: int) -> int:
    """The hour of the day, UTC, of a time in ms."""
    return _time(at).hour


def _by(cases: Sequence[Timed], key: Callable[[int], K]) -> dict[K, Wait]:
    among: dict[K, list[Timed]] = defaultdict(list)
    for each in cases:
        among[key(each.opened)].append(each)
    return {each: wait(among[each]) for each in sorted(among)}  # type: ignore[type-var]


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
