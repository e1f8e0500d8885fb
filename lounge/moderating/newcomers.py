"""New accounts: for their first hours they say little in each room, and post no links."""

from __future__ import annotations

from collections.abc import Callable

from limits import RateLimitItemPerSecond

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.limits import Limits
from lounge.moderating.rules import Text

MOST_SAYS = 5
SAYS = RateLimitItemPerSecond(MOST_SAYS, 600, namespace="newcomer")
HOUR_MS = 3_600_000


class Newcomers:
    """`hours` 0: nobody is one."""

    def __init__(self, hours: int, limits: Limits, *, clock: Callable[[], int] = now_ms) -> None:
        self._hours = hours
        self._limits = limits
        self._clock = clock

    def is_one(self, doctor: Doctor) -> bool:
        """By the age of her account."""
        return self._clock() - doctor.created < self._hours * HOUR_MS

    def may_say(self, doctor: Doctor, room_id: str, text: str) -> None:
        """One say more there.

        Raises Refusal: `blocked` for links, `rate_limited` at the sixth in ten minutes.
        """
        if not self.is_one(doctor):
            return
        self.may_write(doctor, text)
        try:
            self._limits.spend(SAYS, f"{doctor.id}\n{room_id}")
        except Refusal as refusal:
            raise Refusal(
                Code.RATE_LIMITED,
                "refusal.newcomer_says",
                retry_after=refusal.retry_after,
                hours=self._hours,
                most=MOST_SAYS,
            ) from None

    def may_write(self, doctor: Doctor, text: str) -> None:
        """The same of what is no say of its own. Raises Refusal `blocked`."""
        if self.is_one(doctor) and Text(text).hosts:
            raise Refusal(Code.BLOCKED, "refusal.newcomer_links", hours=self._hours)
