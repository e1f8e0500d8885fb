"""What was said lately, room by room, for a dry run: words and personas, nothing of who is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import entry, room


@dataclass(frozen=True, slots=True)
class Span:
    """A room's says from `first`, a seq, to its head: how many."""

    room_id: int
    room: str
    first: int
    says: int


@dataclass(frozen=True, slots=True)
class Said:
    """A say as it was last edited: `body` is JSON, `at` in ms."""

    seq: int
    at: int
    persona: bytes
    body: bytes


async def since(connection: AsyncConnection, at: int) -> list[Span]:
    """Of every room in which something was said since, by number; found without an index by time."""
    query = select(room.c.id, room.c.slug, room.c.last_seq, room.c.says).where(room.c.says > 0)
    spans = []
    for row in (await connection.execute(query.order_by(room.c.id))).all():
        first = await _first_since(connection, row.id, row.last_seq, at)
        if first <= row.last_seq:
            before = await _says_before(connection, row.id, first)
            spans.append(Span(row.id, row.slug, first, row.says - before))
    return [span for span in spans if span.says]


async def after(connection: AsyncConnection, room_id: int, seq: int, limit: int) -> list[Said]:
    """The next says that stand and are shown."""
    query = _SAYS.where(_stands(room_id), entry.c.seq > seq).order_by(entry.c.seq)
    return [_said(row) for row in await connection.execute(query.limit(limit))]


async def before(connection: AsyncConnection, room_id: int, seq: int, limit: int) -> list[Said]:
    """The last of them before `seq`, ascending."""
    query = _SAYS.where(_stands(room_id), entry.c.seq < seq).order_by(entry.c.seq.desc())
    return [_said(row) for row in await connection.execute(query.limit(limit))][::-1]


async def count(connection: AsyncConnection, room_id: int, first: int, last: int) -> int:
    """How many says there are from one seq to another, both included."""
    upto = await _says_before(connection, room_id, last + 1)
    return max(0, upto - await _says_before(connection, room_id, first))


async def _first_since(connection: AsyncConnection, room_id: int, last: int, at: int) -> int:
    """The seq of the first entry of that time or later: halved until found, as time never runs back."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        query = select(entry.c.at).where(entry.c.room_id == room_id, entry.c.seq >= middle)
        found = (await connection.execute(query.order_by(entry.c.seq).limit(1))).scalar()
        if found is None or found >= at:
            high = middle
        else:
            low = middle + 1
    return low


async def _says_before(connection: AsyncConnection, room_id: int, seq: int) -> int:
    query = select(entry.c.says).where(entry.c.room_id == room_id, entry.c.seq < seq)
    found = (await connection.execute(query.order_by(entry.c.seq.desc()).limit(1))).scalar()
    return found or 0


def _stands(room_id: int) -> ColumnElement[bool]:
    return and_(
        entry.c.room_id == room_id,
        entry.c.kind == "say",
        entry.c.redacted.is_(None),
        entry.c.hidden.is_(None),
        entry.c.persona.is_not(None),
    )


def _said(row: Row[*tuple[Any, ...]]) -> Said:
    return Said(row.seq, row.at, bytes(row.persona), bytes(row.body))


_edit = entry.alias()
_SAYS = select(
    *(entry.c.seq, entry.c.at, entry.c.persona),
    func.coalesce(_edit.c.body, entry.c.body).label("body"),
).select_from(
    entry.outerjoin(_edit, and_(_edit.c.room_id == entry.c.room_id, _edit.c.seq == entry.c.edited))
)
