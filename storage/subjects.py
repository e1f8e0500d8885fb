"""What reports and appeals are about, many at once: as much as decides whose they are to look at."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import WAIVED_POSTGRESQL, WAIVED_SQLITE, entry, persona, room

Place = tuple[int, int]
"""A room's number and a seq."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An entry as it was written: its author's persona, her badge as JSON, its body (empty: redacted)."""

    room: str
    room_id: int
    seq: int
    kind: str
    at: int
    persona: bytes | None
    badge: str | None
    body: dict[str, Any]


async def at(connection: AsyncConnection, places: Collection[Place]) -> dict[Place, Subject]:
    """Those that there are of these entries."""
    if not places:
        return {}
    wanted = (and_(entry.c.room_id == number, entry.c.seq == seq) for number, seq in sorted(places))
    rows = await connection.execute(_SUBJECTS.where(or_(*wanted)))
    return {(row.room_id, row.seq): _subject(row) for row in rows}


async def waived(
    connection: AsyncConnection, is_sqlite: bool, limit: int, after: int
) -> list[Subject]:
    """Entries of which their author said that this is not a patient, the newest first; `after` so many."""
    marked = text(WAIVED_SQLITE if is_sqlite else WAIVED_POSTGRESQL)
    statement = _SUBJECTS.where(marked).order_by(entry.c.at.desc())
    rows = await connection.execute(statement.limit(limit).offset(after))
    return [_subject(row) for row in rows]


def _subject(row: Any) -> Subject:
    body = json.loads(row.body) if row.body else {}
    return Subject(row.room, row.room_id, row.seq, row.kind, row.at, row.persona, row.badge, body)


_SUBJECTS = select(
    *(room.c.slug.label("room"), entry.c.room_id, entry.c.seq, entry.c.kind, entry.c.at),
    *(entry.c.persona, persona.c.badge, entry.c.body),
).select_from(
    entry.join(room, room.c.id == entry.c.room_id).outerjoin(
        persona, persona.c.id == entry.c.persona
    )
)
