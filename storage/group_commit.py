"""Group commit as a state machine: what is queued goes into one transaction, and everyone is answered.

No I/O: whoever drives it takes a batch, runs it in one transaction, and says how that ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

from storage.acts import Act, Answer, QueueFull

BATCH_ACTS = 256
BATCH_BYTES = 256 * 1024
QUEUE_ACTS = 4096
QUEUE_BYTES = 8 * 1024 * 1024

Reply = Callable[[Answer], None]
_Queued = tuple[Act, Reply]


class Fault(Enum):
    """Why a batch was not committed."""

    UNKNOWN = "unknown"
    """The line broke: it may be committed or not."""
    ROW = "row"
    """One act's own values are at fault."""
    STORE = "store"
    """The database is away, full, locked or broken."""


class GroupCommit:
    """A bounded queue of acts and at most one batch under way."""

    def __init__(self) -> None:
        self._queue: deque[_Queued] = deque()
        self._bytes = 0
        self._parts: list[list[_Queued]] = []
        self._under_way: list[_Queued] | None = None
        self._again = False

    def submit(self, act: Act, reply: Reply) -> None:
        """Queue an act; `reply` hears its answer once. Raises QueueFull at once when too much waits."""
        if len(self._queue) >= QUEUE_ACTS or self._bytes + act.bytes > QUEUE_BYTES:
            raise QueueFull
        self._queue.append((act, reply))
        self._bytes += act.bytes

    @property
    def waiting(self) -> int:
        """Acts queued and not yet taken into a transaction."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """True when everybody was answered."""
        return not (self._queue or self._parts or self._under_way)

    @property
    def rooms(self) -> set[int]:
        """Those of the transaction that is under way, by number."""
        batch = self._under_way or ()
        return {part.room_id for act, _ in batch for part in act.parts}

    def next(self) -> Sequence[Act] | None:
        """The acts of the next transaction, in order; None while one is under way or nothing waits."""
        if self._under_way is not None:
            return None
        self._under_way = self._parts.pop() if self._parts else self._taken()
        return None if self._under_way is None else [act for act, _ in self._under_way]

    def committed(self, answers: Sequence[Answer]) -> None:
        """The transaction was committed; one answer an act."""
        self._settle(answers)

    def failed(self, fault: Fault, error: Exception) -> None:
        """The transaction was not committed, or nobody knows: each act is tried again or refused."""
        batch = self._under_way or []
        if fault is Fault.UNKNOWN and not self._again:
            self._again = True  # the same batch in a new transaction: receipts decide
            self._parts.append(batch)
            self._under_way = None
        elif fault is Fault.ROW and len(batch) > 1:
            half = len(batch) // 2
            self._parts += [batch[half:], batch[:half]]
            self._under_way, self._again = None, False
        else:
            self._settle([error] * len(batch))

    def _taken(self) -> list[_Queued] | None:
        batch: list[_Queued] = []
        size = 0
        while self._queue and len(batch) < BATCH_ACTS and (size < BATCH_BYTES or not batch):
            queued = self._queue.popleft()
            size += queued[0].bytes
            batch.append(queued)
        self._bytes -= size
        return batch or None

    def _settle(self, answers: Sequence[Answer]) -> None:
        batch, self._under_way, self._again = self._under_way or [], None, False
        for (_, reply), answer in zip(batch, answers, strict=True):
            reply(answer)
