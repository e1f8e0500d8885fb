"""Facts about the identity store, each set once: which key it is for, that it is for show."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.identity_schema import doctor, fact


async def known(database: Database, name: str) -> bytes | None:
    async with database.reading() as connection:
        found = await connection.execute(select(fact.c.value).where(fact.c.name == name))
        return found.scalar_one_or_none()


async def keep(database: Database, name: str, value: bytes) -> bytes:
    """Set a fact unless it is set already; returns the value that stands."""
    async with database.writing() as connection:
        await connection.execute(_KEEP, {"name": name, "value": value})
        query = select(fact.c.value).where(fact.c.name == name)
        standing: bytes = (await connection.execute(query)).scalar_one()
        return standing


async def hold(connection: AsyncConnection, name: str) -> None:
    """Nobody else passes here, until the commit."""
    await connection.execute(select(fact.c.name).where(fact.c.name == name).with_for_update())


async def has_doctors(database: Database) -> bool:
    async with database.reading() as connection:
        return (await connection.execute(select(doctor.c.id).limit(1))).first() is not None


_KEEP = text("INSERT INTO fact (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING")
"""The same in both databases: of two who set it at once one does."""
