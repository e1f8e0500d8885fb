"""The outbox of the lounge store: sealed letters that wait to be carried to a doctor's own log."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Letter
from storage.schema import outbox


async def letters(connection: AsyncConnection, after: bytes, limit: int) -> list[Letter]:
    """The next letters by id, which is random: their order says nothing."""
    query = select(outbox.c.id, outbox.c.sealed).where(outbox.c.id > after)
    rows = await connection.execute(query.order_by(outbox.c.id).limit(limit))
    return [Letter(row.id, row.sealed) for row in rows]


async def put(connection: AsyncConnection, letter: Letter) -> None:
    """A letter of an act that no entry of a room tells of."""
    await connection.execute(insert(outbox).values(id=letter.id, sealed=letter.sealed))


async def drop(connection: AsyncConnection, ids: Collection[bytes]) -> None:
    """Forget letters that have arrived."""
    await connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))
