"""The recent end of one room's log, already framed: what joins and flushes are served from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

RING_ENTRIES = 512
RING_BYTES = 1024 * 1024

Framer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a room's log as the channel sees it: a place, an id and opaque bytes.

    `count` is a running total kept by whoever writes the log. `about` names an earlier entry whose bytes
    this one makes outdated; with `rewrites`, so are those of the other entries about it.
    """

    seq: int
    id: str
    count: int
    payload: bytes
    about: int | None = None
    rewrites: bool = False


@dataclass(slots=True)
class _Slot:
    item: Item
    stale: bool = False
    frames: dict[str, bytes] = field(default_factory=dict)


class Ring:
    """A contiguous run of entries that ends at `head`; bounded in entries and bytes, oldest leave first."""

    def __init__(self, framers: Mapping[str, Framer], head: int, count: int) -> None:
        self._framers = framers
        self._slots: deque[_Slot] = deque()
        self._bytes = 0
        self.head = head
        self.count = count

    @property
    def first(self) -> int:
        """The oldest seq held; head + 1 when nothing is."""
        return self.head + 1 - len(self._slots)

    def append(self, item: Item) -> None:
        """Take the next entry. Whatever it is about is stale from now on."""
        if item.seq != self.head + 1:
            raise ValueError(f"expected seq {self.head + 1}, got {item.seq}")
        if item.about is not None:
            self._outdate(item.about, item.rewrites)
        self._slots.append(_Slot(item))
        self._bytes += len(item.payload)
        self.head, self.count = item.seq, item.count
        while len(self._slots) > RING_ENTRIES or self._bytes > RING_BYTES:
            self._bytes -= len(self._slots.popleft().item.payload)

    def refresh(self, items: Iterable[Item]) -> None:
        """Replace outdated bytes by those just read from the log."""
        for item in items:
            slot = self._slot(item.seq)
            if slot is not None and slot.stale:
                self._bytes += len(item.payload) - len(slot.item.payload)
                slot.item, slot.stale = item, False
                slot.frames.clear()

    def take(self, after: int, dialect: str, most_bytes: int) -> tuple[bytes, int] | None:
        """Frames that follow `after`, joined, and the seq of the last; None when the log must be read.

        At least one frame, then as many as fit in `most_bytes`.
        """
        start = after + 1 - self.first
        if start < 0 or start >= len(self._slots):
            return None
        frames: list[bytes] = []
        size = 0
        for at in range(start, len(self._slots)):
            slot = self._slots[at]
            if slot.stale:
                break
            frame = slot.frames.get(dialect) or self._frame(slot, dialect)
            if frames and size + len(frame) > most_bytes:
                break
            frames.append(frame)
            size += len(frame)
        return (b"".join(frames), after + len(frames)) if frames else None

    def id_at(self, seq: int) -> str | None:
        """The entry id at `seq`; None when the ring does not reach there."""
        slot = self._slot(seq)
        return None if slot is None else slot.item.id

    def count_at(self, seq: int) -> int | None:
        """The running count at `seq`; None when the ring does not reach there."""
        slot = self._slot(seq)
        return None if slot is None else slot.item.count

    def seq_of_count(self, count: int) -> int | None:
        """The first seq at which the running count is `count`; None when that lies before the ring."""
        if not self._slots or self._slots[0].item.count >= count:
            return None
        low, high = 0, len(self._slots) - 1
        while low < high:
            middle = (low + high) // 2
            if self._slots[middle].item.count < count:
                low = middle + 1
            else:
                high = middle
        return self._slots[low].item.seq

    def is_quiet(self, after: int, upto: int) -> bool:
        """Whether all in (`after`, `upto`] is held, and none of it is about an earlier entry."""
        if after + 1 < self.first or upto > self.head:
            return False
        start = after + 1 - self.first
        return all(
            slot.item.about is None for slot in islice(self._slots, start, start + upto - after)
        )

    def _slot(self, seq: int) -> _Slot | None:
        at = seq - self.first
        return self._slots[at] if 0 <= at < len(self._slots) else None

    def _outdate(self, about: int, rewrites: bool) -> None:
        subject = self._slot(about)
        if subject is not None:
            subject.stale = True
        if rewrites:
            for slot in self._slots:
                slot.stale |= slot.item.about == about

    def _frame(self, slot: _Slot, dialect: str) -> bytes:
        frame = slot.frames[dialect] = self._framers[dialect](slot.item.payload)
        return frame
