"""What reported entries said, sealed, as long as the reports are open."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import entry, evidence


def keep(report_id: str, sealed: bytes) -> Step:
    """Change: in the report's own act."""
    return Step(insert(evidence).values(report=report_id, sealed=sealed))


def still_said(room_id: int, seq: int, edited: int | None) -> Step:
    """Guard, for the same act: the entry has its words, as they were last edited at `edited`."""
    its = select(entry.c.seq).where(entry.c.room_id == room_id, entry.c.seq == seq)
    stands = its.where(entry.c.redacted.is_(None), entry.c.edited.is_not_distinct_from(edited))
    return Step(stands, rows=1)


async def of(connection: AsyncConnection, report_ids: Collection[str]) -> dict[str, bytes]:
    """By report."""
    rows = await connection.execute(select(evidence).where(evidence.c.report.in_(report_ids)))
    return {row.report: bytes(row.sealed) for row in rows}


async def drop(connection: AsyncConnection, report_ids: Collection[str]) -> None:
    """The reports are closed."""
    await connection.execute(delete(evidence).where(evidence.c.report.in_(report_ids)))
