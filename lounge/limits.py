"""How often one doctor may do things, counted in this process's memory."""

from __future__ import annotations

import time

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from lounge.errors import Code, Refusal

TEXT_CODE_POINTS = 8000
FRAME_BYTES = 64 * 1024
HISTORY_ENTRIES = 200
IN_FLIGHT = 32
OWN_ROOMS = 50

SAYS = RateLimitItemPerSecond(20, 10, namespace="says")
CHANGES = RateLimitItemPerSecond(40, 10, namespace="changes")
READS = RateLimitItemPerSecond(200, 10, namespace="reads")
SEARCHES = RateLimitItemPerSecond(30, 10, namespace="searches")
REPORTS = RateLimitItemPerSecond(10, 60, namespace="reports")


class Limits:
    """Fixed windows a doctor. `lifted` is only ever true for a bench."""

    def __init__(self, *, lifted: bool) -> None:
        self._lifted = lifted
        self._windows = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, item: RateLimitItem, doctor_id: str) -> None:
        """Count one. Raises Refusal with the seconds until the next is allowed."""
        if self._lifted or self._windows.hit(item, doctor_id):
            return
        reset_at = self._windows.get_window_stats(item, doctor_id).reset_time
        wait = max(0.1, round(reset_at - time.time(), 1))
        raise Refusal(Code.RATE_LIMITED, "refusal.rate_limited", retry_after=wait)
