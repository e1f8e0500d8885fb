"""Screen names: whose is which, and what all that were ever taken look like. Also real names, one by one."""

from __future__ import annotations

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import doctor, screen_name


async def owner(connection: AsyncConnection, skeleton: str) -> tuple[str | None] | None:
    """Whose name looks like that, in a tuple (None: of somebody who has left); None when nobody's does."""
    query = select(screen_name.c.doctor).where(screen_name.c.skeleton == skeleton)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.doctor,)


async def count(connection: AsyncConnection, doctor_id: str) -> int:
    """How many looks this doctor has taken so far."""
    query = select(func.count()).where(screen_name.c.doctor == doctor_id)
    return (await connection.execute(query)).scalar_one()


async def take(connection: AsyncConnection, skeleton: str, doctor_id: str) -> bool:
    """Nobody else is ever called what looks like that; False when somebody was quicker."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(screen_name).values(skeleton=skeleton, doctor=doctor_id)
            )
    except IntegrityError:
        return False
    return True


async def put(connection: AsyncConnection, doctor_id: str, name: str | None) -> None:
    """Her screen name from now on."""
    await connection.execute(
        update(doctor).where(doctor.c.id == doctor_id).values(screen_name=name)
    )


async def real_name(connection: AsyncConnection, doctor_id: str) -> str | None:
    """The name that she gave when she applied."""
    query = select(doctor.c.name).where(doctor.c.id == doctor_id)
    return (await connection.execute(query)).scalar()
