"""Sanctions as the lounge store keeps them: a salt and what the salt makes of a doctor, never a doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import sanction


@dataclass(frozen=True, slots=True)
class Sanction:
    """One sanction in force; `room` None: everywhere, `until` (ms) None: until it is lifted."""

    id: str
    salt: bytes
    mark: bytes
    licence: bytes
    kind: str
    room: str | None
    until: int | None
    reason: str
    at: int

    def stands(self, now: int) -> bool:
        return self.until is None or self.until > now

    def covers(self, room: str) -> bool:
        return self.room is None or self.room == room


async def add(connection: AsyncConnection, new: Sanction) -> None:
    """Keep a sanction; those that ended before it was made are dropped by the way."""
    await connection.execute(delete(sanction).where(sanction.c.until <= new.at))
    await connection.execute(insert(sanction).values(**asdict(new)))


def adding(new: Sanction) -> tuple[Step, ...]:
    """The same as steps of an act."""
    ended = delete(sanction).where(sanction.c.until <= new.at)
    return Step(ended), Step(insert(sanction).values(**asdict(new)))


async def in_force(connection: AsyncConnection, now: int) -> tuple[Sanction, ...]:
    """All that stand, by id, which is random."""
    standing = or_(sanction.c.until.is_(None), sanction.c.until > now)
    rows = await connection.execute(select(sanction).where(standing).order_by(sanction.c.id))
    return tuple(Sanction(**row._mapping) for row in rows)


async def lift(connection: AsyncConnection, id: str) -> Sanction | None:
    """Drop it, and what followed its doctor when she came back; what it was, or None when there is none."""
    row = (await connection.execute(select(sanction).where(sanction.c.id == id))).first()
    if row is None:
        return None
    was = Sanction(**row._mapping)
    terms = (each.is_not_distinct_from(getattr(was, each.name)) for each in _TERMS)
    dropped = await connection.execute(delete(sanction).where(*terms))
    return was if dropped.rowcount else None


_TERMS = (sanction.c.kind, sanction.c.room, sanction.c.until, sanction.c.reason, sanction.c.at)
