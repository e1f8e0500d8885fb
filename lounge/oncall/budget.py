"""The interruption budget: what each doctor was alerted to this hour and this night, and what still comes.

A sender is shown a word for it, calm or busy, never a count. Over the cap what is not urgent waits, and what
is needs a reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.told import Quiet
from storage import interruptions
from storage.consults import NOW, URGENCIES
from storage.database import Database
from storage.interruptions import KEPT_MS

HOUR_MS = 3_600_000
EXACT_MS = 10 * 60_000
"""So exactly is it known when: beside the lounge store's times an exact one would tell who was alerted."""
MOST_AN_HOUR = 6
MOST_A_NIGHT = 4
BUSY_FROM = 3
"""So many in an hour, or in a night, and she is shown as busy."""
REASON_CODE_POINTS = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What a doctor was alerted to in the hour and in the night that it is; by day `night` is 0.

    `free`: when another alert is within her cap, in ms; None when it is now. It is reckoned of the times
    `alerts` as they were `at` that time, both in ms.
    """

    hour: int = 0
    night: int = 0
    free: int | None = None
    alerts: tuple[int, ...] = field(default=(), compare=False, repr=False)
    at: int = field(default=0, compare=False, repr=False)

    @property
    def is_busy(self) -> bool:
        return max(self.hour, self.night) >= BUSY_FROM or self.free is not None

    @property
    def word(self) -> str:
        """What a sender is shown."""
        return "busy" if self.is_busy else "calm"

    def by(self, night: Quiet) -> Load:
        """The same where these hours are the night."""
        return weighed(self.alerts, self.at, night)


class Budget:
    """Counts alerts as they arrive. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        identity: Database,
        clock: Callable[[], int] = now_ms,
        *,
        lifted: bool = False,
    ) -> None:
        """`clock` gives ms since 1970. `lifted` is only ever true for a bench."""
        self._identity = identity
        self._lifted = lifted
        self._clock = clock

    async def load(
        self, doctor_ids: Collection[str], night: Quiet | None = None
    ) -> dict[str, Load]:
        """Of each of them; `night` are the hours by which a night is meant."""
        now = self._clock()
        async with self._identity.reading() as connection:
            found = await interruptions.since(connection, doctor_ids, now - KEPT_MS)
        return {each: weighed(found.get(each, ()), now, night) for each in doctor_ids}

    async def admit(
        self,
        doctor_ids: Collection[str],
        urgency: str,
        reason: str | None,
        night: Quiet | None = None,
    ) -> int | None:
        """When they may be alerted: None for now, else in ms, as soon as one of them may.

        All are over their cap only if each is. A reason lets it through at once; what is urgent needs one.
        """
        if self._lifted:
            return None
        free = [load.free for load in (await self.load(doctor_ids, night)).values()]
        waits = [at for at in free if at is not None]
        if len(waits) < len(free) or not waits or (reason and reason.strip()):
            return None
        if urgency == NOW:
            raise Refusal(Code.FORBIDDEN, "refusal.page_busy", field="override")
        return min(waits)

    async def noted(
        self, connection: AsyncConnection, doctor_id: str, notices: Collection[Mapping[str, object]]
    ) -> None:
        """Of these notices, in the transaction that brings them to her, each page is one alert."""
        for notice in notices:
            if notice.get("notice") == "page":
                urgency = str(notice.get("urgency"))
                known = urgency if urgency in URGENCIES else NOW
                id, at = secrets.token_bytes(16), self._clock() // EXACT_MS * EXACT_MS
                await interruptions.note(connection, doctor_id, id, at, known)

    async def forget(self) -> None:
        """What is more than a day ago."""
        async with self._identity.writing() as connection:
            await interruptions.forget(connection, self._clock())


def weighed(alerts: Sequence[int], now: int, night: Quiet | None) -> Load:
    """From the times (ms, ascending) at which a doctor was alerted."""
    hour = [at for at in alerts if now - HOUR_MS < at <= now]
    since = None if night is None else began(night, now)
    tonight = [] if since is None else [at for at in alerts if since <= at <= now]
    free = []
    if len(hour) >= MOST_AN_HOUR:
        free.append(hour[-MOST_AN_HOUR] + HOUR_MS)
    if night is not None and len(tonight) >= MOST_A_NIGHT:
        free.append(night.over(now))
    return Load(len(hour), len(tonight), max(free, default=None), tuple(alerts), now)


def began(night: Quiet, at: int) -> int | None:
    """When the night began that `at` is in (ms); None by day, and where there is no night at all."""
    if night.start == night.end or night.over(at) == at:
        return None
    zone = _zone(night.zone)
    local, start = datetime.fromtimestamp(at / 1000, zone), clock_time.fromisoformat(night.start)
    day = local.date() if local.time() >= start else local.date() - timedelta(days=1)
    return int(datetime.combine(day, start, zone).timestamp() * 1000)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC
