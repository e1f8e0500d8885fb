"""Letters by e-mail that wait to be sent, sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import mail


@dataclass(frozen=True, slots=True)
class SealedMail:
    """`tries`: how often it has been tried before."""

    id: bytes
    sealed: bytes
    tries: int


async def add(connection: AsyncConnection, id: bytes, sealed: bytes, due: int) -> None:
    await connection.execute(insert(mail).values(id=id, sealed=sealed, due=due, tries=0))


async def any_due(connection: AsyncConnection, now: int) -> bool:
    return (
        await connection.execute(select(mail.c.id).where(mail.c.due <= now).limit(1))
    ).first() is not None


async def take_due(
    connection: AsyncConnection, now: int, again: int, limit: int
) -> Sequence[SealedMail]:
    """Those due now, put off until `again`: another process takes none of them meanwhile."""
    due = select(mail.c.id).where(mail.c.due <= now).order_by(mail.c.due).limit(limit)
    ids = (await connection.execute(due)).scalars().all()
    change = update(mail).where(mail.c.id.in_(ids), mail.c.due <= now)
    taken = change.values(due=again, tries=mail.c.tries + 1).returning(
        mail.c.id, mail.c.sealed, mail.c.tries
    )
    rows = (await connection.execute(taken)).all()
    return [SealedMail(bytes(row.id), bytes(row.sealed), row.tries - 1) for row in rows]


async def put_off(connection: AsyncConnection, id: bytes, due: int) -> None:
    await connection.execute(update(mail).where(mail.c.id == id).values(due=due))


async def drop(connection: AsyncConnection, id: bytes) -> None:
    await connection.execute(delete(mail).where(mail.c.id == id))
