"""What a run is worth: the first promise that was broken, and how often what was to happen did."""

from __future__ import annotations

from collections import Counter


class Violation(AssertionError):  # noqa: N818 - the promise is named, not the error
    """A promise that did not hold."""


Tally = Counter[str]
"""How often each kind of thing happened."""

LEAST = {  # over 10,000 seeds of 200 steps; a world in which less happens proves little
    "acks": 100_000,
    "duplicates answered": 30_000,
    "in doubt, committed": 500,
    "in doubt, not committed": 500,
    "bad rows": 2_000,
    "store faults": 1_000,
    "locked": 3_000,
    "stale": 10_000,
    "missed": 2_000,
    "queue full": 3_000,
    "crashes": 2_000,
    "stops": 1_000,
    "held": 1_000,
    "revocations": 3_000,
    "redactions": 3_000,
    "hints dropped": 5_000,
    "hints doubled": 5_000,
    "hints late": 20_000,
    "backfills": 30_000,
    "pages": 20_000,
    "reads failed": 500,
    "returns": 10_000,
    "stalls": 5_000,
    "lost": 500,
    "resets": 500,
    "divergences": 300,
    "restores": 500,
    "rooms forgotten": 20,
}
