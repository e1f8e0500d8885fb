"""The gate: a bare number in either store. Revocations raise it, and every commit reads it.

What ends a session or changes a doctor raises the identity store's number in its own transaction; the
lounge store's follows. It tells that something ended, never whose. Compare it for being the same, never
for order: a store that was restored from a copy may stand anywhere.
"""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.identity_schema import revocation
from storage.schema import gate

_LOCK = 0x6A7E  # any number that nothing else in the database locks


async def epoch(connection: AsyncConnection) -> int:
    """Where the lounge store's gate stands."""
    standing: int = (await connection.execute(select(gate.c.epoch))).scalar_one()
    return standing


async def held_epoch(connection: AsyncConnection) -> int:
    """As `epoch`, and it stays so until this transaction ends: whoever moves it waits for that."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    return await epoch(connection)


async def identity_epoch(connection: AsyncConnection) -> int:
    """How many revocations the identity store has seen: where the lounge store's gate should stand."""
    raised: int = (await connection.execute(select(revocation.c.epoch))).scalar_one()
    return raised


async def raise_epoch(connection: AsyncConnection) -> None:
    """In the identity store, the last statement of a transaction that revokes something.

    Last, so that two such transactions cannot wait for each other in a circle.
    """
    await connection.execute(update(revocation).values(epoch=revocation.c.epoch + 1))


async def follow(lounge: Database, identity: Database) -> int:
    """Move the lounge store's gate to where the identity store's stands, and return that.

    From then on nothing is committed that was allowed at an earlier epoch. Costs two reads when it
    stands there already; may be repeated. Raises StorageError.
    """
    meant = await _read(identity)
    async with lounge.reading() as connection:
        if await epoch(connection) == meant:
            return meant
    return await _move(lounge, identity)


async def _move(lounge: Database, identity: Database) -> int:
    async with lounge.writing() as connection:
        if not lounge.is_sqlite:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        meant = await _read(identity)  # under the lock: whoever read earlier never sets it back
        await connection.execute(update(gate).values(epoch=meant))
    return meant


async def _read(identity: Database) -> int:
    async with identity.reading() as connection:
        return await identity_epoch(connection)
