"""The two stores' migrations: a tree each, one environment, run from code.

Outside a tree's revisions nothing may change a table. Add a file `NNNN_word.py` with explicit DDL;
`tests/test_migrations.py` compares the result with the metadata on SQLite and PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from storage.database import Database

Store = Literal["lounge", "identity"]
_HERE = Path(__file__).parent
_LOCK = 0x10086E  # any number that nothing else in the database locks


async def upgrade(database: Database, store: Store) -> None:
    """Bring `store` to the newest revision, all of it or nothing. Raises StorageError."""
    async with database.writing() as connection:
        if not database.is_sqlite:  # two processes that start together upgrade one after the other
            await connection.execute(text("SET LOCAL lock_timeout = 0"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(_upgrade, store)


async def current(database: Database, store: Store) -> bool:
    """True when `store` is at the newest revision. Raises StorageError."""
    async with database.reading() as connection:
        return await connection.run_sync(_is_current, store)


def _upgrade(connection: Connection, store: Store) -> None:
    config = _config(store)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_current(connection: Connection, store: Store) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": version_table(store)})
    heads = ScriptDirectory.from_config(_config(store)).get_heads()
    return set(context.get_current_heads()) == set(heads)


def version_table(store: Store) -> str:
    return f"{store}_version"


def _config(store: Store) -> Config:
    config = Config()
    for name, value in (
        ("script_location", str(_HERE)),
        ("version_locations", str(_HERE / store)),
        ("path_separator", "newline"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes["version_table"] = version_table(store)
    return config
