"""What each source said last about each doctor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import finding


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """One row. `covers`: words between spaces; times in ms."""

    doctor: str
    source: str
    family: str
    covers: str
    verdict: str
    reason: str
    public: bool
    strong: bool
    valid_until: int | None
    at: int


async def of(connection: AsyncConnection, doctor_id: str) -> list[FindingRecord]:
    query = select(finding).where(finding.c.doctor == doctor_id).order_by(finding.c.source)
    return [FindingRecord(**row._mapping) for row in await connection.execute(query)]


async def replace(
    connection: AsyncConnection, doctor_id: str, records: Iterable[FindingRecord]
) -> None:
    """From now on these and no others."""
    await connection.execute(delete(finding).where(finding.c.doctor == doctor_id))
    if rows := [asdict(record) for record in records]:
        await connection.execute(insert(finding), rows)


async def keep(connection: AsyncConnection, record: FindingRecord) -> None:
    """In the place of what this source said before."""
    await drop(connection, record.doctor, record.source)
    await connection.execute(insert(finding).values(**asdict(record)))


async def soften(connection: AsyncConnection, doctor_id: str, source: str, reason: str) -> None:
    """What this source has said against her it no longer knows, for that reason."""
    this = (finding.c.doctor == doctor_id) & (finding.c.source == source)
    change = update(finding).where(this, finding.c.verdict == "disagrees")
    await connection.execute(change.values(verdict="unknown", reason=reason, strong=False))


async def drop(connection: AsyncConnection, doctor_id: str, source: str) -> None:
    this = (finding.c.doctor == doctor_id) & (finding.c.source == source)
    await connection.execute(delete(finding).where(this))
