"""From a wall clock to the moment that it is, through every change of the clocks."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


def zone_of(name: str) -> ZoneInfo:
    """An IANA zone by its name. Raises ValueError for one that nobody knows."""
    try:
        return ZoneInfo(name)
    except (OSError, LookupError) as fault:
        raise ValueError(f"no zone of that name: {fault}") from fault


@lru_cache(maxsize=4096)  # who is on now is asked again and again of the same few days
def moment(zone: tzinfo, day: date, clock: time) -> int:
    """In ms since 1970. A time that is skipped is the moment of the jump; one that comes twice, its first.

    So a later time is never an earlier moment, and two shifts that meet on the clock meet (PEP 495).
    """
    local = datetime.combine(day, clock, zone)
    after = int(local.timestamp())
    if datetime.fromtimestamp(after, zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return after * 1000
    before = int(local.replace(fold=1).timestamp())
    new = _offset(zone, after)
    seconds = range(before, after + 1)
    jump = bisect_left(seconds, True, key=lambda second: _offset(zone, second) == new)
    return seconds[jump] * 1000


def day_at(zone: tzinfo, at: int) -> date:
    """Which day it is there, at a moment in ms."""
    return datetime.fromtimestamp(at / 1000, zone).date()


def _offset(zone: tzinfo, second: int) -> object:
    return datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
