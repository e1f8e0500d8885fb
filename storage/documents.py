"""Sealed documents that a doctor has handed in for a registrar."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import document


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """Without its content; `at` in ms."""

    name: str
    media: str
    bytes: int
    at: int


async def listed(connection: AsyncConnection, doctor_id: str) -> list[DocumentRecord]:
    columns = (document.c.name, document.c.media, document.c.bytes, document.c.at)
    query = select(*columns).where(document.c.doctor == doctor_id).order_by(document.c.name)
    return [DocumentRecord(**row._mapping) for row in await connection.execute(query)]


async def count_others(connection: AsyncConnection, doctor_id: str, name: str) -> int:
    """How many she has that are not called so."""
    query = select(func.count()).where(document.c.doctor == doctor_id, document.c.name != name)
    return int((await connection.execute(query)).scalar_one())


async def put(
    connection: AsyncConnection, doctor_id: str, record: DocumentRecord, sealed: bytes
) -> None:
    """In the place of one with this name."""
    await drop(connection, doctor_id, record.name)
    row = {"name": record.name, "media": record.media, "bytes": record.bytes, "at": record.at}
    await connection.execute(insert(document).values(doctor=doctor_id, sealed=sealed, **row))


async def sealed(
    connection: AsyncConnection, doctor_id: str, name: str
) -> tuple[str, bytes] | None:
    """Its media type and its sealed content."""
    query = select(document.c.media, document.c.sealed)
    query = query.where(document.c.doctor == doctor_id, document.c.name == name)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.media, bytes(row.sealed))


async def drop(connection: AsyncConnection, doctor_id: str, name: str | None = None) -> bool:
    """One of hers, or all. False when there was none."""
    those = document.c.doctor == doctor_id
    if name is not None:
        those &= document.c.name == name
    return (await connection.execute(delete(document).where(those))).rowcount > 0
