"""What is due at a time: rows that any process takes with a lease, and that one act ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, exists, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.database import Database
from storage.schema import due


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be done from `at` on, in ms; what `subject` is, its kind says."""

    id: str
    kind: str
    subject: str
    at: int


async def taking(
    database: Database, kinds: Collection[str], now: int, lease_ms: int, limit: int
) -> list[Due]:
    """What is due and nobody's, the oldest first: ours until `now + lease_ms`. Raises StorageError."""
    waits = (due.c.at <= now) & (due.c.leased <= now) & due.c.kind.in_(kinds)
    async with database.reading() as connection:  # most rounds find nothing, and write nothing
        if not (await connection.execute(select(exists().where(waits)))).scalar():
            return []
    async with database.writing() as connection:
        return await _taken(connection, waits, now + lease_ms, limit)


async def waiting(connection: AsyncConnection, subject: str) -> list[Due]:
    """All that is yet to be done about a subject, by time."""
    found = select(*_COLUMNS).where(due.c.subject == subject).order_by(due.c.at, due.c.id)
    return [Due(*row) for row in await connection.execute(found)]


async def of_kinds(connection: AsyncConnection, kinds: Collection[str]) -> set[str]:
    """The ids of all that is to be done of these kinds."""
    return set((await connection.execute(select(due.c.id).where(due.c.kind.in_(kinds)))).scalars())


async def plan(connection: AsyncConnection, id: str, kind: str, subject: str, at: int) -> None:
    """It is due then and nobody's, whatever was planned under that id."""
    await connection.execute(_PLAN, {"id": id, "kind": kind, "subject": subject, "at": at})


async def put_off(connection: AsyncConnection, what: Due, at: int) -> None:
    """What was taken is due again then; unless it was planned anew meanwhile, or is done."""
    same = (due.c.id == what.id) & (due.c.at == what.at)
    await connection.execute(update(due).where(same).values(at=at, leased=0))


async def drop(connection: AsyncConnection, what: Due) -> None:
    """What was taken is not to be done again; unless it was planned anew meanwhile."""
    await connection.execute(delete(due).where(due.c.id == what.id, due.c.at == what.at))


# -- steps of acts -------------------------------------------------------------------------------


def add(id: str, kind: str, subject: str, at: int) -> Step:
    """Change: this is due at that time, unless there is one of that id: it stays as it is."""
    return Step(_ADD, {"id": id, "kind": kind, "subject": subject, "at": at})


def add_of_this(id: str, kind: str, subject: str, at: int, room_id: int | None = None) -> Step:
    """The same of the act's first entry, in its room or that one: its seq ends `id` and `subject`."""
    values = {"id": id, "kind": kind, "subject": subject, "at": at}
    return Step(_ADD_OF_THIS, values, numbered=True, room_id=room_id)


def sooner(id: str, at: int) -> Step:
    """Change: what is due later than `at` is due then."""
    return Step(update(due).where(due.c.id == id, due.c.at > at).values(at=at))


def done(id: str) -> Step:
    """Guard and change: it was to be done, and is no longer."""
    return Step(delete(due).where(due.c.id == id), rows=1)


def forget(kind: str, subject: str) -> Step:
    """Change: nothing of that kind is to be done about a subject any more."""
    return Step(delete(due).where(due.c.kind == kind, due.c.subject == subject))


async def _taken(connection: AsyncConnection, waits: Any, until: int, limit: int) -> list[Due]:
    oldest = select(due.c.id).where(waits).order_by(due.c.at, due.c.id).limit(limit)
    free = oldest.with_for_update(skip_locked=True)  # SQLite has one writer, and leaves this out
    taken = update(due).where(due.c.id.in_(free)).values(leased=until).returning(*_COLUMNS)
    found = [Due(*row) for row in await connection.execute(taken)]
    return sorted(found, key=lambda each: (each.at, each.id))


_COLUMNS = (due.c.id, due.c.kind, due.c.subject, due.c.at)
_ADD = text(
    "INSERT INTO due (id, kind, subject, at) VALUES (:id, :kind, :subject, :at)"
    " ON CONFLICT DO NOTHING"  # the same in both databases
)
_PLAN = text(
    "INSERT INTO due (id, kind, subject, at) VALUES (:id, :kind, :subject, :at)"
    " ON CONFLICT (id) DO UPDATE SET at = excluded.at, leased = 0"
)
_ADD_OF_THIS = text(
    "INSERT INTO due (id, kind, subject, at) VALUES (:id || CAST(:act_seq AS TEXT), :kind,"
    " :subject || CAST(:act_seq AS TEXT), :at) ON CONFLICT DO NOTHING"
).bindparams(bindparam("act_seq", type_=BigInteger))
