"""Requests to unmask in the lounge store: which entry, why, how far. Never who it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import unmasking


@dataclass(frozen=True, slots=True)
class Request:
    """Times in ms; `approved` and `opened` None until it is so."""

    id: str
    room: str
    seq: int
    persona: bytes
    reason: str
    at: int
    expires: int
    approved: int | None = None
    opened: int | None = None


async def add(connection: AsyncConnection, new: Request) -> None:
    await connection.execute(insert(unmasking).values(**asdict(new)))


async def find(connection: AsyncConnection, id: str) -> Request | None:
    row = (await connection.execute(_of(id))).first()
    return None if row is None else Request(**row._mapping)


async def locked(connection: AsyncConnection, id: str) -> Request | None:
    """The same, and nobody else's to take further until the commit."""
    row = (await connection.execute(_of(id).with_for_update())).first()
    return None if row is None else Request(**row._mapping)


async def approve(connection: AsyncConnection, id: str, now: int) -> None:
    await connection.execute(update(unmasking).where(unmasking.c.id == id).values(approved=now))


async def open(connection: AsyncConnection, id: str, now: int) -> None:
    await connection.execute(update(unmasking).where(unmasking.c.id == id).values(opened=now))


async def opened(connection: AsyncConnection) -> int:
    """How many doctors' personas were ever unmasked: told to everybody."""
    query = select(func.count()).where(unmasking.c.opened.is_not(None))
    count: int = (await connection.execute(query)).scalar_one()
    return count


def _of(id: str) -> Select[*tuple[Any, ...]]:
    return select(unmasking).where(unmasking.c.id == id)
