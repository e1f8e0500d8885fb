"""The record of a role: for every page who (by layer), when, how long; for its keeper and its members."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.first_opinions import Timed, Wait, wait
from lounge.oncall.roles import Role, Roles
from storage import page_refusals, pages
from storage.database import Database
from storage.page_refusals import Declined
from storage.pages import Page

DAY_MS = 24 * 3_600_000
USUAL_MS = 30 * DAY_MS
LONGEST_MS = 400 * DAY_MS
MOST_PAGES = 5_000
"""The newest, of one look."""
COLUMNS = (
    *("opened", "urgency", "phase", "steps", "layer", "formal", "overridden", "declined"),
    *("sent", "delivered", "seen", "accepted", "answered", "closed", "seconds_to_accept"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A page, and who declined it. Of its room and its two personas nothing is told."""

    page: Page
    declined: Sequence[Declined]

    @property
    def seconds_to_accept(self) -> float | None:
        """From being sent, not from being written: a page may have waited for the morning."""
        if self.page.sent is None or self.page.accepted is None:
            return None
        return (self.page.accepted - self.page.sent) / 1000


@dataclass(frozen=True, slots=True)
class Recordings:
    """The pages of a role opened between two times (ms), the newest first, and how long they waited."""

    role: Role
    since: int
    until: int
    pages: Sequence[Recorded]

    @property
    def usual(self) -> Wait:
        """Seconds from being sent to being accepted."""
        return _waits(self.pages)

    @property
    def hours(self) -> dict[int, Wait]:
        """The same by the hour of the day at which they were sent, by the role's own clock."""
        zone = ZoneInfo(self.role.zone)
        among: dict[int, list[Recorded]] = defaultdict(list)
        for each in self.pages:
            if each.page.sent is not None:
                among[datetime.fromtimestamp(each.page.sent / 1000, zone).hour].append(each)
        return {hour: _waits(among[hour]) for hour in sorted(among)}


class Record:
    """Reads it. Raises Refusal, StorageError."""

    def __init__(self, database: Database, roles: Roles, clock: Callable[[], int] = now_ms) -> None:
        """`clock` gives ms since 1970."""
        self._database = database
        self._roles = roles
        self._clock = clock

    async def of(
        self, doctor: Doctor, role_id: str, since: str | None = None, until: str | None = None
    ) -> Recordings:
        """Between two times in RFC 3339, or the last 30 days. To all but its own it is no role at all."""
        duty = await self._roles.duty(role_id)
        if doctor.id != duty.role.keeper and doctor.id not in duty.members:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_role")
        last = self._clock() + 1 if until is None else _time(until, "until")
        first = last - USUAL_MS if since is None else _time(since, "since")
        if first < 0 or not 0 < last - first <= LONGEST_MS:
            raise Refusal(Code.INVALID, "refusal.filter", field="since")
        async with self._database.reading() as connection:
            found = await pages.of_role(connection, role_id, first, last, MOST_PAGES)
            declined = await page_refusals.of_role(connection, role_id, first, last)
        told = [Recorded(each, declined.get(each.slug, ())) for each in reversed(found)]
        return Recordings(duty.role, first, last, told)


def as_csv(recorded: Iterable[Recorded]) -> str:
    """One line a page under `COLUMNS`, by RFC 4180; times in RFC 3339, reasons as codes."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(COLUMNS)
    lines.writerows([_cell(each) for each in _line(one)] for one in recorded)
    return out.getvalue()


def _waits(recorded: Sequence[Recorded]) -> Wait:
    pages = [each.page for each in recorded]
    return wait(Timed(each.sent, each.accepted) for each in pages if each.sent is not None)


def _line(recorded: Recorded) -> Sequence[object]:
    page = recorded.page
    stamps = (page.sent, page.delivered, page.seen, page.accepted, page.answered, page.closed)
    return (
        *(rfc3339(page.opened), page.urgency, page.phase, page.step + 1, page.layer),
        *(int(page.formal), int(page.overridden)),
        " ".join(each.reason or "other" for each in recorded.declined),
        *(None if at is None else rfc3339(at) for at in stamps),
        recorded.seconds_to_accept,
    )


def _cell(value: object) -> str:
    """A layer's name is somebody's words: no spreadsheet shall take it for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _time(text: str, field: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        return int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refusal(Code.INVALID, "refusal.filter", field=field) from None
