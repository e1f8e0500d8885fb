"""The gate: one bare number in the lounge store that every revocation raises and every commit reads."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.schema import gate

_LOCK = 0x6A7E  # any number that nothing else in the database locks


async def epoch(connection: AsyncConnection) -> int:
    """How many revocations there have been. It says that something ended, never whose."""
    standing: int = (await connection.execute(select(gate.c.epoch))).scalar_one()
    return standing


async def held_epoch(connection: AsyncConnection) -> int:
    """As `epoch`, and it stays so until this transaction ends: whoever raises it waits for that."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    return await epoch(connection)


async def raise_epoch(database: Database) -> int:
    """Make every process check its sockets again. Returns the new epoch.

    Once it returns, nothing is committed any more that was allowed at an earlier one.
    """
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        await connection.execute(update(gate).values(epoch=gate.c.epoch + 1))
        return await epoch(connection)
