"""Whether one of several personas speaks somewhere."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import entry, room


async def speaks(
    connection: AsyncConnection,
    room_number: int,
    personas: Collection[bytes],
    first: int = 1,
    last: int | None = None,
) -> bool:
    """Whether one of them has an entry there from seq `first` to `last`, to the room's head when None."""
    query = select(entry.c.seq).where(
        entry.c.room_id == room_number, entry.c.seq >= first, entry.c.persona.in_(personas)
    )
    if last is not None:
        query = query.where(entry.c.seq <= last)
    return (await connection.execute(query.limit(1))).first() is not None


async def last_says(
    connection: AsyncConnection, room_number: int, persona: bytes, within_ms: int, most: int
) -> list[int]:
    """What a persona last said there: the seqs of its says that stand unhidden, ascending, none of them
    longer before the newest than that; at most so many, the newest.
    """
    said = and_(
        entry.c.room_id == room_number,
        entry.c.persona == persona,
        entry.c.kind == "say",
        entry.c.redacted.is_(None),
        entry.c.hidden.is_(None),
    )
    newest = select(func.max(entry.c.at)).where(said).scalar_subquery()
    query = select(entry.c.seq).where(said, entry.c.at > newest - within_ms)
    found = await connection.execute(query.order_by(entry.c.seq.desc()).limit(most))
    return sorted(found.scalars())


async def head(connection: AsyncConnection, room_number: int) -> int:
    """The seq of a room's last entry; 0 when it has none."""
    query = select(func.coalesce(func.max(room.c.last_seq), 0)).where(room.c.id == room_number)
    found: int = (await connection.execute(query)).scalar_one()
    return found
