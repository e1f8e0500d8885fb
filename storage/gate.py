"""The gate: one bare number in the lounge store that every revocation raises and every commit reads."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.schema import gate


async def epoch(connection: AsyncConnection) -> int:
    """How many revocations there have been. It says that something ended, never whose."""
    standing: int = (await connection.execute(select(gate.c.epoch))).scalar_one()
    return standing


async def raise_epoch(database: Database) -> int:
    """Make every process check its sockets again. Returns the new epoch."""
    async with database.writing() as connection:
        await connection.execute(update(gate).values(epoch=gate.c.epoch + 1))
        return await epoch(connection)
