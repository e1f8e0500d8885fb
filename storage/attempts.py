"""How often a sign-in was tried, by keyed hashes: the store never learns an address."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import attempt


async def count(connection: AsyncConnection, key: bytes, window: int) -> int:
    """One more attempt under `key` in `window`; how many there are now."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(attempt)
        .values(key=key, window=window, count=1)
        .on_conflict_do_update(
            index_elements=[attempt.c.key, attempt.c.window],
            set_={"count": attempt.c.count + 1},
        )
        .returning(attempt.c.count)
    )
    return int((await connection.execute(statement)).scalar_one())


async def forget(connection: AsyncConnection, key: bytes) -> None:
    await connection.execute(delete(attempt).where(attempt.c.key == key))


async def take_back(connection: AsyncConnection, key: bytes, window: int) -> None:
    """One attempt less."""
    this = (attempt.c.key == key) & (attempt.c.window == window)
    await connection.execute(update(attempt).where(this).values(count=attempt.c.count - 1))


async def drop_before(connection: AsyncConnection, window: int) -> None:
    await connection.execute(delete(attempt).where(attempt.c.window < window))
