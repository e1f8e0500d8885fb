"""One SQL database: how to read it, how to write it, and where SQLite and PostgreSQL differ."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage import sqlite

log = structlog.get_logger()

LOCK_PATIENCE_SECONDS = 5.0
WRITE_SECONDS = 10.0
READ_SECONDS = 30.0
SCRUB_PATIENCE_MS = 100
WAL_LIMIT_BYTES = 4 * 1024 * 1024
READERS = 4


Statements = Callable[[str], Awaitable[Sequence[Any]]]
"""A statement without values, to its rows."""


class StorageError(Exception):
    """The database is away, full, locked or broken. What was being written is not there."""


class Locked(StorageError):  # noqa: N818 - it passes by itself
    """Somebody else holds what this needs for longer than we wait. Nothing was done."""


class Broken(StorageError):  # noqa: N818
    """The disk failed under the database: what this process believes of it may no longer be true."""


class Database:
    """Short transactions on one database. `reading()` sees one snapshot; `writing()` commits at its end.

    On SQLite every writer, of any process, holds `<file>.lock` for its whole transaction and checkpoints
    only under it: releases before 3.51.3 can lose commits when a checkpoint runs beside one.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._turn = asyncio.Lock()
        self._lock_file: int | None = None
        self._scrub_due = False
        if self.is_sqlite:
            self.path = Path(self.url.database or "")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._writer = _sqlite_engine(url, pool_size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, pool_size=READERS, begin="BEGIN")
        else:
            self._writer = _postgres_engine(url)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent snapshot. Raises StorageError."""
        try:
            async with self._patience(READ_SECONDS), self._reader.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise storage_error(error) from None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end of the block or not at all. Raises StorageError."""
        try:
            async with self.raw_writing() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise storage_error(error) from error

    @asynccontextmanager
    async def raw_writing(self) -> AsyncIterator[AsyncConnection]:
        """As `writing`, but driver errors pass unchanged, for the one caller that tells them apart."""
        async with self._exclusive():
            async with self._patience(WRITE_SECONDS), self._writer.begin() as connection:
                yield connection
            if self.is_sqlite and self._wal_bytes() > WAL_LIMIT_BYTES:
                await self._checkpoint("PASSIVE")

    def _patience(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        """A server that stands still is not waited for; SQLite's own patience is with its locks."""
        return nullcontext() if self.is_sqlite else asyncio.timeout(seconds)

    async def close(self) -> None:
        await self._writer.dispose()
        if self.is_sqlite:
            await self._reader.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        if not self.is_sqlite:
            yield
            return
        async with self._turn:
            lock = await self._take_lock()
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    async def _take_lock(self) -> int:
        if self._lock_file is None:
            path = self.path.with_name(self.path.name + ".lock")
            self._lock_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOCK_PATIENCE_SECONDS
        pause = 0.001
        while True:
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._lock_file
            except BlockingIOError:
                if loop.time() > deadline:
                    raise Locked("another process holds the writer lock") from None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.02)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Statements]:
        """For statements that no transaction takes, one by one; on SQLite no other writer is let in.

        Raises StorageError.
        """
        writer = self._writer
        if not self.is_sqlite:
            writer = writer.execution_options(isolation_level="AUTOCOMMIT")
        try:
            async with self._exclusive(), writer.connect() as connection:
                if self.is_sqlite:  # the driver's own, for SQLAlchemy would say BEGIN
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    yield driver.execute_fetchall
                else:
                    yield _Fetching(connection)
        except (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError) as error:
            raise storage_error(error) from error

    def scrub_soon(self) -> None:
        """Erased bytes wait in SQLite's write-ahead log: the next `tidy` empties it."""
        self._scrub_due = self.is_sqlite

    async def tidy(self) -> bool:
        """Empty the write-ahead log if erased bytes still wait in it. True when none does any more."""
        if self._scrub_due:
            async with self._exclusive():
                self._scrub_due = not await self._checkpoint("TRUNCATE")
        return not self._scrub_due

    async def _checkpoint(self, mode: str) -> bool:
        """Only ever called under the lock. What was committed before it stands, whatever happens here.

        A reader may stand in its way: writers wait behind it only for a moment.
        """
        try:
            async with self._writer.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.execute_fetchall(f"PRAGMA busy_timeout = {SCRUB_PATIENCE_MS}")
                try:
                    rows = await driver.execute_fetchall(f"PRAGMA wal_checkpoint({mode})")
                finally:
                    await driver.execute_fetchall(f"PRAGMA {_BUSY_TIMEOUT}")
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            log.warning("checkpoint failed", fault=type(error).__name__)
            return False
        ((busy, _, _),) = rows
        return not busy

    def _wal_bytes(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0


class _Fetching:
    """A statement, and its rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def __call__(self, statement: str) -> Sequence[Any]:
        result = await self._connection.exec_driver_sql(statement)
        return result.all() if result.returns_rows else ()


def _engine(url: str, **options: Any) -> AsyncEngine:
    # hide_parameters: a statement in a log or an error never shows what was said
    return create_async_engine(url, hide_parameters=True, echo=False, **options)


def _postgres_engine(url: str) -> AsyncEngine:
    """Whoever holds a lock or does not answer is not waited for longer than a writer on SQLite is."""
    patience: dict[str, Any] = {
        "timeout": LOCK_PATIENCE_SECONDS,
        "server_settings": {"lock_timeout": str(int(LOCK_PATIENCE_SECONDS * 1000))},
    }
    return _engine(url, pool_size=READERS, pool_pre_ping=True, connect_args=patience)


def _sqlite_engine(url: str, *, pool_size: int, begin: str) -> AsyncEngine:
    engine = _engine(
        url,
        async_creator=partial(sqlite.connect, Path(make_url(url).database or "")),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_reset_on_return=None,  # every use ends its own transaction
    )
    sqlite.bytes_as_they_are(engine.dialect)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)  # the driver says none by itself

    return engine


_BUSY_TIMEOUT = "busy_timeout = 5000"
_PRAGMAS = (
    _BUSY_TIMEOUT,
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "wal_autocheckpoint = 0",
    "journal_size_limit = 0",  # or a log that was long once is checkpointed at every commit
)


def storage_error(error: Exception) -> StorageError:
    """Keep the kind of fault, never the statement's values."""
    if isinstance(error, StorageError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    kind = type(cause).__name__
    if name.startswith(_BROKEN):
        return Broken(name)
    return Locked(name) if name.startswith(_LOCKED) else StorageError(kind)


_BROKEN = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03")  # the last: PostgreSQL's lock_not_available
