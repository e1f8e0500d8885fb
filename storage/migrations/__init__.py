"""The two stores' migrations: a tree each, one environment, run from code.

Outside a tree's revisions nothing may change a table. Add a file `NNNN_word.py` with explicit DDL;
`tests/test_migrations.py` compares the result with the metadata on SQLite and PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Text, column, inspect, select, table, text

from storage.database import Database

if TYPE_CHECKING:  # a process that has nothing to upgrade starts sooner without it
    from alembic.config import Config

Store = Literal["lounge", "identity"]
_HERE = Path(__file__).parent
_LOCK = 0x10086E  # any number that nothing else in the database locks


async def upgrade(database: Database, store: Store) -> None:
    """Bring `store` to the newest revision, all of it or nothing. Raises StorageError."""
    if await current(database, store):
        return
    async with database.writing() as connection:
        if not database.is_sqlite:  # two processes that start together upgrade one after the other
            await connection.execute(text("SET LOCAL lock_timeout = 0"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(_upgrade, store)


async def current(database: Database, store: Store) -> bool:
    """True when `store` is at the newest revision. Raises StorageError."""
    async with database.reading() as connection:
        return await connection.run_sync(_is_current, store)


def newest(store: Store) -> str:
    """The last revision there is: files are numbered, and so are revisions."""
    return max(file.name for file in (_HERE / store).glob("[0-9]*.py"))[:4]


def version_table(store: Store) -> str:
    return f"{store}_version"


def _upgrade(connection: Connection, store: Store) -> None:
    from alembic import command

    config = _config(store)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_current(connection: Connection, store: Store) -> bool:
    name = version_table(store)
    if not inspect(connection).has_table(name):
        return False
    query = select(column("version_num", Text)).select_from(table(name))
    return list(connection.execute(query).scalars()) == [newest(store)]


def _config(store: Store) -> Config:
    from alembic.config import Config

    config = Config()
    for name, value in (
        ("script_location", str(_HERE)),
        ("version_locations", str(_HERE / store)),
        ("path_separator", "newline"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes["version_table"] = version_table(store)
    return config
