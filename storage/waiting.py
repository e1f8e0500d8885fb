"""Texts that a rule holds until a moderator has looked at them, sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import room, waiting


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A text that waits: in which room, for which rule's sake; `at` and `claimed_until` in ms."""

    id: str
    room: str
    room_id: int
    rule: str
    sealed: bytes
    at: int
    claim: bytes | None
    claimed_until: int | None


def adding(*, id: str, room_id: int, rule: str, sealed: bytes, at: int) -> Step:
    """In the transaction of the hold's own receipt."""
    return Step(insert(waiting).values(id=id, room_id=room_id, rule=rule, sealed=sealed, at=at))


def taking(id: str) -> Step:
    """Guard: it still waits; and it does no longer."""
    return Step(delete(waiting).where(waiting.c.id == id), rows=1)


async def everything(connection: AsyncConnection, limit: int | None = None) -> list[WaitingRow]:
    """What waits, the oldest first."""
    rows = await connection.execute(_ROWS.order_by(waiting.c.at, waiting.c.id).limit(limit))
    return [WaitingRow(**row._mapping) for row in rows]


async def of_room(connection: AsyncConnection, room_id: int) -> list[WaitingRow]:
    """What waits in one room."""
    rows = await connection.execute(_ROWS.where(waiting.c.room_id == room_id))
    return [WaitingRow(**row._mapping) for row in rows]


async def by_id(connection: AsyncConnection, id: str) -> WaitingRow | None:
    row = (await connection.execute(_ROWS.where(waiting.c.id == id))).one_or_none()
    return None if row is None else WaitingRow(**row._mapping)


async def claim(
    connection: AsyncConnection, row: WaitingRow, mark: bytes | None, until: int | None
) -> bool:
    """Whose turn it is, unless that has changed since `row` was read."""
    same = (waiting.c.id == row.id, waiting.c.claim.is_not_distinct_from(row.claim))
    change = update(waiting).where(*same).values(claim=mark, claimed_until=until)
    return (await connection.execute(change)).rowcount == 1


async def drop(connection: AsyncConnection, ids: Collection[str]) -> int:
    """How many of these waited."""
    return (await connection.execute(delete(waiting).where(waiting.c.id.in_(ids)))).rowcount


_ROWS = select(
    *(waiting.c.id, room.c.slug.label("room"), waiting.c.room_id, waiting.c.rule, waiting.c.sealed),
    *(waiting.c.at, waiting.c.claim, waiting.c.claimed_until),
).select_from(waiting.join(room, room.c.id == waiting.c.room_id))
