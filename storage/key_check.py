"""What each store keeps to tell a wrong key file: 16 bytes, set once."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select, update

from storage import facts
from storage.database import Database
from storage.schema import gate

Store = Literal["lounge", "identity"]
_FACT = "key check"
_KEPT_BY_GATE = select(gate.c.key_check)


async def kept(database: Database, store: Store) -> bytes | None:
    """The check of the key that `store` was made with; None while the store is new."""
    if store == "identity":
        return await facts.known(database, _FACT)
    async with database.reading() as connection:
        standing: bytes | None = (await connection.execute(_KEPT_BY_GATE)).scalar_one()
        return standing


async def keep(database: Database, store: Store, check: bytes) -> bytes:
    """Set the check unless there is one already; returns the one that stands."""
    if store == "identity":
        return await facts.keep(database, _FACT, check)
    async with database.writing() as connection:
        await connection.execute(
            update(gate).where(gate.c.key_check.is_(None)).values(key_check=check)
        )
        standing: bytes = (await connection.execute(_KEPT_BY_GATE)).scalar_one()
        return standing
