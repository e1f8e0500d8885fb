"""Whose turn it is: one moderator looks at a thing, for a quarter of an hour, and nobody reads off who.

A row holds a keyed hash of what it is and the moderator; whose it is can be told with her in hand only.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Literal, Protocol

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.keys import Keys

CLAIM_MS = 15 * 60_000


class Claimable(Protocol):
    """A row that one moderator at a time works on."""

    @property
    def id(self) -> str: ...

    @property
    def claim(self) -> bytes | None: ...

    @property
    def claimed_until(self) -> int | None: ...


class Claims:
    """Pure, but for the clock."""

    def __init__(self, keys: Keys, *, clock: Callable[[], int] = now_ms) -> None:
        self._key = keys.persona.subkey("claim")
        self._clock = clock

    def whose(self, doctor_id: str, row: Claimable) -> Literal["mine", "other"] | None:
        """None: nobody's, or no longer."""
        if row.claim is None or (row.claimed_until or 0) <= self._clock():
            return None
        is_mine = hmac.compare_digest(bytes(row.claim), self.mark(doctor_id, row.id))
        return "mine" if is_mine else "other"

    def mark(self, doctor_id: str, id: str) -> bytes:
        """What the row holds while it is hers."""
        return hmac.digest(self._key, f"{id}\n{doctor_id}".encode(), hashlib.sha256)

    def until(self) -> int:
        """When a claim made now ends, in ms."""
        return self._clock() + CLAIM_MS

    def is_free_for(self, doctor_id: str, row: Claimable) -> None:
        """It is hers or nobody's. Raises Refusal, saying how long at most to wait."""
        if self.whose(doctor_id, row) == "other":
            left = max(1, math.ceil(((row.claimed_until or 0) - self._clock()) / 1000))
            raise Refusal(Code.FROZEN, "refusal.claimed", retry_after=left)

    def is_hers(self, doctor_id: str, row: Claimable) -> None:
        """Raises Refusal when it is not hers now."""
        self.is_free_for(doctor_id, row)
        if self.whose(doctor_id, row) is None:
            raise Refusal(Code.FROZEN, "refusal.not_claimed")
