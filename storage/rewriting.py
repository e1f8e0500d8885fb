"""Writing a database anew, so that nothing of what was erased from it is left in its files."""

from __future__ import annotations

from collections.abc import Callable

from storage.database import Database, Locked

CHECKPOINTS = 50
"""Tries at emptying the log of SQLite, each waiting for readers for a tenth of a second."""
Done = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


async def rewrite(database: Database, done: Done) -> None:
    """Beside a running lounge its writers wait meanwhile. Raises StorageError.

    SQLite: search index merged, file written anew, write-ahead log emptied. PostgreSQL: every table written
    anew with its indexes; its own write-ahead log and its archives are the operator's.
    """
    await (_rewrite_sqlite if database.is_sqlite else _rewrite_postgres)(database, done)


async def _rewrite_sqlite(database: Database, done: Done) -> None:
    async with database.alone() as run:
        names = [row[0] for row in await run(_INDEXES_SQLITE)]
        steps = [_MERGE.format(name) for name in names]
        steps.append("VACUUM")
        for at, step in enumerate(steps):
            await run(step)
            done(at + 1, len(steps) + 1)
        database.scrub_soon()
    for _ in range(CHECKPOINTS):
        if await database.tidy():
            done(len(steps) + 1, len(steps) + 1)
            return
    raise Locked("somebody reads the database without end: its log could not be emptied")


async def _rewrite_postgres(database: Database, done: Done) -> None:
    async with database.alone() as run:
        names = [row[0] for row in await run(_TABLES_POSTGRES)]
        for at, name in enumerate(names):
            await run(f'VACUUM FULL "{name}"')
            done(at + 1, len(names))


_MERGE = "INSERT INTO {0}({0}) VALUES ('optimize')"
_INDEXES_SQLITE = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%fts5%'"
_TABLES_POSTGRES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
)
