"""What a run is worth: the first promise that was broken, and how often what was to happen did."""

from __future__ import annotations

from collections import Counter


class Violation(AssertionError):
    """A promise that did not hold."""


Tally = Counter[str]
"""How often each kind of thing happened."""

LEAST = {  # over 1,000 seeds of 200 steps; a world in which less happens proves little
    "crashes": 200,
    "acks": 10_000,
    "duplicates answered": 500,
    "in doubt, committed": 100,
    "in doubt, not committed": 100,
    "bad rows": 100,
    "store faults": 300,
    "locked": 200,
    "stale": 50,
    "missed": 50,
    "hints dropped": 500,
    "hints doubled": 500,
    "hints late": 500,
    "backfills": 500,
    "pages": 300,
    "reads failed": 100,
    "held": 100,
    "resets": 50,
    "lost": 50,
    "divergences": 30,
    "restores": 30,
    "revocations": 200,
    "redactions": 200,
    "stalls": 300,
    "returns": 1_000,
    "queue full": 20,
    "rooms forgotten": 20,
}
