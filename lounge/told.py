"""What a doctor wishes to be told while her browser is closed, and when not: kept sealed, reckoned purely."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from lounge.errors import Code, Refusal
from lounge.events import Urgency

KINDS = (
    *("consult_opinion", "consult_question", "consult_closed", "consult_changed"),
    *("consult_asked", "consult_outcome", "replied"),
)
"""Notices that may be told by e-mail as well."""
ON_DUTY = ("report_urgent",)
"""Notices of which a moderator on duty has an e-mail whatever she wishes: to be on duty is to wish it."""
URGENCIES = ("routine", "today", "now")
MOST = 50
"""The most that anybody can wish for in a day."""

Kind = Literal[
    "consult_opinion",
    "consult_question",
    "consult_closed",
    "consult_changed",
    "consult_asked",
    "consult_outcome",
    "replied",
]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", max_length=5)]
ADay = Annotated[int, Meta(ge=1, le=MOST)]


class Quiet(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Hours of the day by a wall clock, over midnight where `to` is earlier; `zone` as IANA names it."""

    start: Clock
    end: Clock
    zone: Annotated[str, Meta(min_length=1, max_length=64)]

    def over(self, at: int) -> int:
        """`at` itself, or the end of the quiet hours that it is within; both in ms since 1970."""
        local = datetime.fromtimestamp(at / 1000, _zone(self.zone))
        begins, ends, clock = _time(self.start), _time(self.end), local.time()
        if begins < ends:
            is_quiet, later = begins <= clock < ends, 0
        else:
            is_quiet, later = clock >= begins or clock < ends, int(clock >= begins)
        return self._moment(local, ends, later, at) if is_quiet else at

    def day(self, at: int) -> int:
        """Which day it is there, as a count."""
        return datetime.fromtimestamp(at / 1000, _zone(self.zone)).toordinal()

    def _moment(self, local: datetime, ends: time, days: int, at: int) -> int:
        """When clocks go back, an hour comes twice: it ends with the one that is still to come."""
        end = datetime.combine(local.date() + timedelta(days), ends, local.tzinfo)
        both = (int(end.replace(fold=fold).timestamp() * 1000) for fold in (0, 1))
        return next((moment for moment in both if moment > at), at)


class Told(msgspec.Struct, frozen=True):
    """What she wishes: at first nothing by e-mail, and not to be asked.

    `mail`: of which notices she gets a letter, at most `most` a day. `asked`: from which urgency on she is
    told of cases that ask her specialty, at most `asked_most` a day.
    """

    mail: tuple[Kind, ...] = ()
    quiet: Quiet | None = None
    most: ADay = 10
    asked: Urgency | None = None
    asked_most: ADay = 3

    def wants_asking(self, urgency: str) -> bool:
        """Whether a case of that urgency is for her."""
        return self.asked is not None and URGENCIES.index(urgency) >= URGENCIES.index(self.asked)

    def day(self, now: int) -> int:
        """Which day it is for her."""
        return self.quiet.day(now) if self.quiet else _utc(now)


class Spent(msgspec.Struct, frozen=True):
    """What she was told on a day; `next`: when the last letter to her goes out, in ms; `urgent`: the last
    that waited for nothing.
    """

    day: int = 0
    mails: int = 0
    asked: int = 0
    next: int = 0
    urgent: int = 0

    def on(self, day: int) -> Spent:
        """Each day begins at nothing."""
        return self if self.day == day else Spent(day, next=self.next, urgent=self.urgent)


def checked(told: Told) -> Told:
    """Raises Refusal for a zone that nobody knows, and hours that never begin or never end."""
    quiet = told.quiet
    if quiet is None:
        return told
    if quiet.start == quiet.end:
        raise Refusal(Code.INVALID, "refusal.told_hours", field="quiet")
    try:
        ZoneInfo(quiet.zone)
    except (ValueError, OSError, LookupError):
        raise Refusal(Code.INVALID, "refusal.told_zone", field="zone") from None
    return told


def of_hers(notice: Mapping[str, object]) -> str | None:
    """The notice's kind, if it is one of those that can be wished for."""
    kind = notice.get("notice")
    return str(kind) if kind in KINDS else None


def _zone(name: str) -> tzinfo:
    """One that this machine does not know any more must not hold up everybody's letters."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC


def _time(clock: str) -> time:
    return time.fromisoformat(clock)


def _utc(at: int) -> int:
    return datetime.fromtimestamp(at / 1000, UTC).toordinal()
