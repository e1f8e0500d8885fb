"""How often one doctor may do things, and how much one room takes, counted in this process's memory."""

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
CONNECTIONS_PER_DOCTOR = 20
CODE_POINTS_A_VERDICT = 500
"""A longer text counts as several: the guard's work grows with it."""

SAYS = RateLimitItemPerSecond(20, 10, namespace="says")
CHANGES = RateLimitItemPerSecond(40, 10, namespace="changes")
READS = RateLimitItemPerSecond(200, 10, namespace="reads")
SEARCHES = RateLimitItemPerSecond(30, 10, namespace="searches")
COMMANDS = RateLimitItemPerSecond(400, 10, namespace="commands")
STRIKES = RateLimitItemPerSecond(100, 10, namespace="strikes")
ROOM_ACTS = RateLimitItemPerSecond(500, 10, namespace="room")
EXAMINES = RateLimitItemPerSecond(6, 60, namespace="examines")
VERDICTS = RateLimitItemPerSecond(100, 10, namespace="verdicts")
REHEARSALS = RateLimitItemPerSecond(60, 60, namespace="rehearsals")
UPLOADS = RateLimitItemPerSecond(20, 60, namespace="uploads")
REPORTS = RateLimitItemPerSecond(10, 60, namespace="reports")
PAGES = RateLimitItemPerSecond(10, 60, namespace="pages")
ASKS = RateLimitItemPerSecond(6, 3600, namespace="asks")
CONSULTS = RateLimitItemPerSecond(10, 3600, namespace="consults")
POLLS = RateLimitItemPerSecond(10, 600, namespace="polls")
TESTS = RateLimitItemPerSecond(12, 3600, namespace="tests")
CONFIRMS = RateLimitItemPerSecond(10, 600, namespace="confirms")
MEMBERS = RateLimitItemPerSecond(60, 3600, namespace="members")
SIGNALS = RateLimitItemPerSecond(60, 10, namespace="signals")


class Limits:
    """Fixed windows a doctor. `lifted` is only ever true for a bench."""

    def __init__(self, *, lifted: bool) -> None:
        self._lifted = lifted
        self._windows = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, item: RateLimitItem, doctor_id: str, cost: int = 1) -> None:
        """Count one, or `cost`. Raises Refusal `rate_limited` with the seconds until the next is allowed."""
        if not self._lifted and not self._windows.hit(item, doctor_id, cost=cost):
            wait = self._wait(item, doctor_id)
            raise Refusal(Code.RATE_LIMITED, "refusal.rate_limited", retry_after=wait)

    def fill(self, room_id: str) -> None:
        """One act more in a room: it takes 50 a second. Raises Refusal `busy` with the seconds to wait."""
        if not self._lifted and not self._windows.hit(ROOM_ACTS, room_id):
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=self._wait(ROOM_ACTS, room_id))

    def _wait(self, item: RateLimitItem, key: str) -> float:
        reset_at = self._windows.get_window_stats(item, key).reset_time
        return float(max(0.1, round(reset_at - time.time(), 1)))
