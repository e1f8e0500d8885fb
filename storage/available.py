"""Who would be asked now, and until when (ms). Known to the identity store only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import available, doctor


async def switch_on(connection: AsyncConnection, doctor_id: str, until: int) -> None:
    """Until then, whatever was before."""
    new = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    put = new(available).values(doctor=doctor_id, until=until)
    put = put.on_conflict_do_update(index_elements=["doctor"], set_={"until": until})
    await connection.execute(put)


async def switch_off(connection: AsyncConnection, doctor_id: str) -> None:
    """No longer."""
    await connection.execute(delete(available).where(available.c.doctor == doctor_id))


async def forget(connection: AsyncConnection, now: int) -> None:
    """Those whose time is over."""
    await connection.execute(delete(available).where(available.c.until <= now))


async def until(connection: AsyncConnection, doctor_id: str, now: int) -> int | None:
    """Until when she is; None when she is not."""
    query = select(available.c.until)
    query = query.where(available.c.doctor == doctor_id, available.c.until > now)
    return (await connection.execute(query)).scalar_one_or_none()


async def of_specialty(connection: AsyncConnection, specialty: str, now: int) -> Sequence[str]:
    """The ids of the verified doctors of a specialty who are."""
    query = select(doctor.c.id).select_from(available.join(doctor))
    query = query.where(
        available.c.until > now,
        doctor.c.specialty == specialty,
        doctor.c.verified_at.is_not(None),
    )
    return list((await connection.execute(query.order_by(doctor.c.id))).scalars())
