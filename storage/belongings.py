"""What a doctor keeps for herself: one sealed row a doctor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import LargeBinary, Row, bindparam, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import belongings, doctor

DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A doctor's sealed row (None: nothing yet), and what her first pins come from."""

    sealed: bytes | None
    specialty: str
    country: str


async def of(connection: AsyncConnection, doctor_ids: Collection[str]) -> dict[str, Kept]:
    """By doctor; who is not in the answer does not exist."""
    query = select(doctor.c.specialty, doctor.c.country, belongings.c.sealed, doctor.c.id)
    query = query.select_from(doctor.outerjoin(belongings)).where(doctor.c.id.in_(doctor_ids))
    return {row.id: _kept(row) for row in await connection.execute(query)}


async def of_specialties(
    connection: AsyncConnection, specialties: Collection[str], after: str, limit: int
) -> dict[str, Kept]:
    """Of the verified doctors of these specialties, those who keep anything: the next by id."""
    query = select(doctor.c.specialty, doctor.c.country, belongings.c.sealed, doctor.c.id)
    query = query.select_from(doctor.join(belongings)).where(
        doctor.c.verified_at.is_not(None),
        doctor.c.specialty.in_(list(specialties)),
        doctor.c.id > after,
    )
    rows = await connection.execute(query.order_by(doctor.c.id).limit(limit))
    return {row.id: _kept(row) for row in rows}


async def locked(
    connection: AsyncConnection, doctor_ids: Collection[str], now: int
) -> dict[str, Kept]:
    """The rows as they are, made where missing, and nobody else's to change until the commit."""
    await _make(connection, doctor_ids, now)
    query = (
        select(doctor.c.specialty, doctor.c.country, belongings.c.sealed, doctor.c.id)
        .select_from(doctor.join(belongings))
        .where(doctor.c.id.in_(doctor_ids))
        .order_by(doctor.c.id)
        .with_for_update(of=belongings)
    )
    return {row.id: _kept(row) for row in await connection.execute(query)}


async def put(connection: AsyncConnection, sealed: Mapping[str, bytes], now: int) -> None:
    """Replace locked rows. The day is noted, not the moment."""
    if sealed:
        row = update(belongings).where(belongings.c.doctor == bindparam("whose"))
        await connection.execute(
            row.values(sealed=bindparam("what"), updated=now - now % DAY_MS),
            [{"whose": whose, "what": what} for whose, what in sorted(sealed.items())],
        )


async def _make(connection: AsyncConnection, doctor_ids: Collection[str], now: int) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    nothing = literal(b"", LargeBinary)
    rows = select(doctor.c.id, nothing, literal(now - now % DAY_MS))
    rows = rows.where(doctor.c.id.in_(doctor_ids)).order_by(doctor.c.id)
    columns = [belongings.c.doctor, belongings.c.sealed, belongings.c.updated]
    await connection.execute(insert(belongings).from_select(columns, rows).on_conflict_do_nothing())


def _kept(row: Row[*tuple[object, ...]]) -> Kept:
    return Kept(row.sealed or None, row.specialty, row.country)
