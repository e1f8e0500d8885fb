"""The PostgreSQL of the tests gives each test a database of its own."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


async def test_each_test_has_a_database_of_its_own(postgres_database: str) -> None:
    engine = create_async_engine(postgres_database)
    async with engine.begin() as connection:
        tables = await connection.scalar(
            text("select count(*) from pg_tables where schemaname = 'public'")
        )
        version = await connection.scalar(text("show server_version_num"))
    await engine.dispose()
    assert tables == 0
    assert int(version) >= 150000
