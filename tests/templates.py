"""Databases that are upgraded once in a run and copied for each test: upgrading takes a while."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from lounge.settings import Settings
from storage.database import Database
from storage.migrations import Store, upgrade
from tests.postgres import drop_database, fresh_database, waited


async def upgraded(database: Database, store: Store) -> None:
    """An empty database at the newest revision; one of SQLite must not be in use yet."""
    if database.is_sqlite and not database.path.stat().st_size:
        shutil.copyfile(_file(store), database.path)
    else:
        await upgrade(database, store)


async def laid(settings: Settings) -> None:
    """The stores of a lounge that is to open, upgraded already, where they are SQLite and not there yet."""
    for url, store in _stores(settings):
        if url.startswith("sqlite"):
            database = Database(url)
            await upgraded(database, store)
            await database.close()


def _stores(settings: Settings) -> tuple[tuple[str, Store], ...]:
    return (settings.database_url, "lounge"), (settings.identity_url, "identity")


def fresh_store(postgres_url: str, store: Store) -> str:
    """As `fresh_database`, at the newest revision."""
    return fresh_database(postgres_url, template=_database(postgres_url, store))


_FOLDER = tempfile.TemporaryDirectory(prefix="lounge-templates-")  # until the process ends


@cache
def _file(store: Store) -> Path:
    made, file = Path(_FOLDER.name, f"{store}.made.db"), Path(_FOLDER.name, f"{store}.db")
    waited(_make(f"sqlite+aiosqlite:///{made}", store))
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("VACUUM INTO ?", [str(file)])
    with closing(sqlite3.connect(file)) as connection:  # as the lounge leaves its own
        connection.execute("PRAGMA journal_mode = WAL")
    return file


@cache
def _database(postgres_url: str, store: Store) -> str:
    url = fresh_database(postgres_url)
    try:
        waited(_make(url, store))
    except BaseException:
        drop_database(url)
        raise
    return url


async def _make(url: str, store: Store) -> None:
    database = Database(url)
    try:
        await upgrade(database, store)
    finally:
        await database.close()
