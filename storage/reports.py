"""Reports: what a doctor wants a moderator to look at, known by the reporter's persona of that room."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import report, room


@dataclass(frozen=True, slots=True)
class Report:
    """An open report. `at` in milliseconds."""

    id: str
    room: str
    seq: int
    kind: str
    note: str | None
    at: int


def filing(
    *, id: str, room_id: int, seq: int, kind: str, note: str | None, persona: bytes, at: int
) -> Step:
    """File a report, in the same transaction as its receipt."""
    statement = insert(report).values(
        id=id, room_id=room_id, seq=seq, kind=kind, note=note, persona=persona, at=at
    )
    return Step(statement)


async def open_reports(connection: AsyncConnection, limit: int) -> list[Report]:
    """The oldest open reports first."""
    statement = (
        select(report.c.id, room.c.slug, report.c.seq, report.c.kind, report.c.note, report.c.at)
        .select_from(report.join(room, room.c.id == report.c.room_id))
        .where(report.c.outcome.is_(None))
        .order_by(report.c.at, report.c.id)
        .limit(limit)
    )
    return [Report(*row) for row in await connection.execute(statement)]


async def by_id(connection: AsyncConnection, report_id: str) -> Report | None:
    """The report of that id, open or closed."""
    statement = (
        select(report.c.id, room.c.slug, report.c.seq, report.c.kind, report.c.note, report.c.at)
        .select_from(report.join(room, room.c.id == report.c.room_id))
        .where(report.c.id == report_id)
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else Report(*found)


async def is_reported(connection: AsyncConnection, slug: str, seq: int) -> bool:
    """Whether somebody reported that entry, whatever came of it."""
    statement = (
        select(report.c.id)
        .select_from(report.join(room, room.c.id == report.c.room_id))
        .where(room.c.slug == slug, report.c.seq == seq)
        .limit(1)
    )
    return (await connection.execute(statement)).first() is not None


async def close(connection: AsyncConnection, report_id: str, outcome: str) -> bool:
    """Close an open report; False when there is none of that id."""
    result = await connection.execute(_CLOSE, {"which": report_id, "how": outcome})
    return result.rowcount == 1


_CLOSE = (
    update(report)
    .where(report.c.id == bindparam("which"), report.c.outcome.is_(None))
    .values(outcome=bindparam("how"))
)
