"""aiosqlite with one trip to its thread for a statement and all of its rows, where it makes four."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Dialect, LargeBinary

Row = tuple[Any, ...]


async def connect(path: Path) -> aiosqlite.Connection:
    """A connection for SQLAlchemy's `async_creator`. It begins no transaction by itself."""
    connection = _Connection(
        lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False), 64
    )
    connection._thread.daemon = True  # as SQLAlchemy has it: no exit waits for it
    return await connection


def bytes_as_they_are(dialect: Dialect) -> None:
    """SQLAlchemy wraps each value of a `LargeBinary` in a memoryview, which sqlite3 does not need."""
    dialect.colspecs = {**dialect.colspecs, LargeBinary: _Bytes}


class _Bytes(LargeBinary):
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """None: as it is."""


class _Connection(aiosqlite.Connection):
    def cursor(self) -> _Cursor:  # type: ignore[override]
        return _Cursor(self)


class _Cursor:
    """As much of a cursor as SQLAlchemy asks for, which reads all rows at once in any case."""

    arraysize = 1

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._rows: list[Row] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> _Cursor:
        return self

    async def execute(self, statement: str, values: Any = ()) -> _Cursor:
        return await self._bring(_executed, statement, values)

    async def executemany(self, statement: str, values: Iterable[Any]) -> _Cursor:
        return await self._bring(_executed_many, statement, values)

    async def fetchall(self) -> Sequence[Row]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    async def _bring(self, act: Any, statement: str, values: Any) -> _Cursor:
        driver: Any = self._connection
        brought: _Brought = await driver._execute(act, driver._conn, statement, values)
        self.description, self.rowcount, self.lastrowid, self._rows = brought
        return self


_Brought = tuple[Any, int, int | None, list[Row]]


def _executed(connection: sqlite3.Connection, statement: str, values: Any) -> _Brought:
    return _brought(connection.execute(statement, values))


def _executed_many(connection: sqlite3.Connection, statement: str, values: Any) -> _Brought:
    return _brought(connection.executemany(statement, values))


def _brought(cursor: sqlite3.Cursor) -> _Brought:
    rows = cursor.fetchall() if cursor.description else []  # only then are the changed ones counted
    found = cursor.description, cursor.rowcount, cursor.lastrowid, rows
    cursor.close()
    return found
