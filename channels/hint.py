"""What one process tells the others after a commit: a room's new head, and its newest entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from channels.ring import Item

JOINED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Hint:
    """A room's new head, its running count, and the newest entries as far as the sender had them."""

    room: str
    head: int
    count: int
    items: tuple[Item, ...] = ()


def size(hint: Hint) -> int:
    """How many bytes its entries have."""
    return sum([len(item.payload) for item in hint.items])


def joined(hints: Sequence[Hint]) -> list[Hint]:
    """One hint a room, however many acts were committed in it meanwhile; too many bytes: just the head."""
    rooms: dict[str, list[Hint]] = {}
    for hint in hints:
        rooms.setdefault(hint.room, []).append(hint)
    return [_one(group) for group in rooms.values()]


def pack(hint: Hint) -> bytes:
    """The hint without its room, which the channel says."""
    rows = [(i.seq, i.id, i.count, i.payload, i.about, i.rewrites) for i in hint.items]
    return msgspec.msgpack.encode((hint.head, hint.count, rows))


def unpack(room: str, packed: bytes) -> Hint:
    """What was packed. Raises msgspec.DecodeError when it is no hint."""
    head, count, rows = _PACKED.decode(packed)
    return Hint(room, head, count, tuple(Item(*row) for row in rows))


def _one(group: Sequence[Hint]) -> Hint:
    last = group[-1]
    fits = sum(map(size, group)) <= JOINED_BYTES
    items = tuple(item for hint in group for item in hint.items) if fits else ()
    return Hint(last.room, last.head, last.count, items)


_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Row = tuple[_Whole, str, _Whole, bytes, _Whole | None, bool]
_PACKED = msgspec.msgpack.Decoder(tuple[_Whole, _Whole, list[_Row]])
