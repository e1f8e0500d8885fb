"""What moderators wrote to each other about a report."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import report_note


@dataclass(frozen=True, slots=True)
class Remark:
    """One note; `at` in milliseconds."""

    text: str
    at: int


async def add(connection: AsyncConnection, *, id: str, report: str, text: str, at: int) -> None:
    values = {"id": id, "report": report, "text": text, "at": at}
    await connection.execute(insert(report_note).values(**values))


async def of(connection: AsyncConnection, report_id: str) -> list[Remark]:
    """The oldest first."""
    query = select(report_note.c.text, report_note.c.at).where(report_note.c.report == report_id)
    rows = await connection.execute(query.order_by(report_note.c.at, report_note.c.id))
    return [Remark(*row) for row in rows]
