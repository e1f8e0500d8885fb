"""Doctors who leave: closed at once, erased unless somebody has put a hold on it. Times in ms."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import (
    available,
    code,
    doctor,
    half_session,
    passkey,
    reach,
    recovery_code,
    totp,
)


async def close(connection: AsyncConnection, doctor_id: str, now: int) -> None:
    """She has left: nothing opens her account any more. Sessions and tokens are ended elsewhere."""
    await connection.execute(
        update(doctor).where(doctor.c.id == doctor_id).values(left=now, password=None)
    )
    for table in (available, code, half_session, passkey, reach, recovery_code, totp):
        await connection.execute(delete(table).where(table.c.doctor == doctor_id))


async def has_left(connection: AsyncConnection, doctor_id: str) -> bool:
    """While her rows are still here: erasing waits for its turn, or is on hold."""
    query = select(doctor.c.left).where(doctor.c.id == doctor_id)
    return (await connection.execute(query)).scalar_one_or_none() is not None


async def to_erase(connection: AsyncConnection, limit: int) -> list[str]:
    """Who has left and is not on hold, the first to leave first."""
    query = select(doctor.c.id).where(doctor.c.left.is_not(None), doctor.c.held.is_(None))
    return list((await connection.execute(query.order_by(doctor.c.left).limit(limit))).scalars())


async def hold(connection: AsyncConnection, doctor_id: str, since: int | None) -> None:
    """Put a hold on her rows, or lift it (None)."""
    await connection.execute(update(doctor).where(doctor.c.id == doctor_id).values(held=since))


async def erase(connection: AsyncConnection, doctor_id: str) -> bool:
    """Her row, and by its keys all that is hers. False when she is gone, back or on hold."""
    meant = (doctor.c.id == doctor_id) & doctor.c.left.is_not(None) & doctor.c.held.is_(None)
    return (await connection.execute(delete(doctor).where(meant))).rowcount == 1
