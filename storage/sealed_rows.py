"""Rows with something sealed in them, page by page, for wrapping it anew under another key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, and_, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A row's primary key, what it is `about`, in the order of the columns, and what is sealed in it."""

    key: tuple[Any, ...]
    about: tuple[Any, ...]
    sealed: bytes


async def count(connection: AsyncConnection, table: Table) -> int:
    """Rows that hold something."""
    query = select(func.count()).where(func.length(table.c.sealed) > 0)
    found: int = (await connection.execute(query)).scalar_one()
    return found


async def page(
    connection: AsyncConnection,
    table: Table,
    about: Sequence[str],
    after: Sequence[Any] | None,
    limit: int,
) -> list[SealedRow]:
    """The next rows by primary key; `about` names the columns that the seal is bound to."""
    keys = list(table.primary_key.columns)
    query = select(*keys, *(table.c[name].label(f"about_{name}") for name in about), table.c.sealed)
    query = query.order_by(*keys).limit(limit)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    cut = len(keys)
    return [
        SealedRow(tuple(row[:cut]), tuple(row[cut:-1]), bytes(row[-1]))
        for row in await connection.execute(query)
    ]


async def replace(connection: AsyncConnection, table: Table, row: SealedRow, sealed: bytes) -> bool:
    """Put another wrapping around the same content; False when the row has changed meanwhile."""
    keys = zip(table.primary_key.columns, row.key, strict=True)
    same = and_(*(column == value for column, value in keys), table.c.sealed == row.sealed)
    done = await connection.execute(update(table).where(same).values(sealed=sealed))
    return done.rowcount == 1
