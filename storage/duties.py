"""Moderators who are told of urgent reports, and which doctors hold which roles."""

from __future__ import annotations

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import doctor, duty


async def begin(connection: AsyncConnection, doctor_id: str, until: int) -> None:
    """She is on duty until then, in ms, whatever was said before."""
    await end(connection, doctor_id)
    await connection.execute(insert(duty).values(doctor=doctor_id, until=until))


async def end(connection: AsyncConnection, doctor_id: str) -> None:
    """She is not on duty."""
    await connection.execute(delete(duty).where(duty.c.doctor == doctor_id))


async def until(connection: AsyncConnection, doctor_id: str, now: int) -> int | None:
    """Until when she is; None when she is not."""
    query = select(duty.c.until).where(duty.c.doctor == doctor_id, duty.c.until > now)
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def forget(connection: AsyncConnection, now: int) -> None:
    """Duties that are over."""
    await connection.execute(delete(duty).where(duty.c.until <= now))


async def on_duty(connection: AsyncConnection, now: int) -> set[str]:
    """Who is on duty now, by id."""
    return set(
        (await connection.execute(select(duty.c.doctor).where(duty.c.until > now))).scalars()
    )


async def staff(connection: AsyncConnection) -> list[tuple[str, frozenset[str]]]:
    """Verified doctors who are anything besides a doctor, with their roles, by id."""
    words = ("%moderator%", "%officer%", "%registrar%")
    query = (
        select(doctor.c.id, doctor.c.roles)
        .where(doctor.c.verified_at.is_not(None))
        .where(or_(*(doctor.c.roles.like(word) for word in words)))
        .order_by(doctor.c.id)
    )
    return [(row.id, frozenset(row.roles.split())) for row in await connection.execute(query)]
