"""Who vouches for whom."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.applications import VERIFIED
from storage.identity_schema import doctor, voucher


async def add(connection: AsyncConnection, whom: bytes, by: str, at: int) -> None:
    """May be repeated: a voucher counts once."""
    mine = (voucher.c.whom == whom) & (voucher.c.by == by)
    if (await connection.execute(select(voucher.c.at).where(mine))).first() is None:
        await connection.execute(insert(voucher).values(whom=whom, by=by, at=at))


async def drop(connection: AsyncConnection, whom: bytes) -> None:
    """Nobody vouches for her any more."""
    await connection.execute(delete(voucher).where(voucher.c.whom == whom))


async def count(connection: AsyncConnection, whom: bytes, doctor_id: str) -> int:
    """How many others vouch for her who are verified themselves. No registrar: she is a source already."""
    query = select(func.count()).select_from(voucher.join(doctor))
    query = query.where(voucher.c.whom == whom, voucher.c.by != doctor_id)
    query = query.where(doctor.c.state == VERIFIED, doctor.c.roles.not_like("%registrar%"))
    return int((await connection.execute(query)).scalar_one())


async def given(connection: AsyncConnection, by: str, since: int) -> int:
    """How many this doctor has given since then (ms)."""
    query = select(func.count()).where(voucher.c.by == by, voucher.c.at >= since)
    return int((await connection.execute(query)).scalar_one())
