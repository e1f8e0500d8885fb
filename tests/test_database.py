"""One database: whole transactions, one snapshot a reading, and a log that does not keep what was erased."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import insert, select, text

import storage.database
from storage.database import Database, StorageError
from storage.schema import outbox
from tests.stores import BOTH, open_either, open_stores


@pytest.fixture(scope="module", params=BOTH)
async def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    async with open_either(request, tmp_path_factory.mktemp("database")) as stores:
        yield stores.lounge


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_stores(tmp_path) as stores:
        yield stores.lounge


async def _put(database: Database, id: bytes, sealed: bytes = b"") -> None:
    async with database.writing() as connection:
        await connection.execute(insert(outbox).values(id=id, sealed=sealed))


async def _is_there(database: Database, id: bytes) -> bool:
    async with database.reading() as connection:
        found = await connection.execute(select(outbox.c.id).where(outbox.c.id == id))
        return found.first() is not None


async def test_what_is_written_is_there_for_the_next_reader(database: Database) -> None:
    await _put(database, b"kept")
    assert await _is_there(database, b"kept")


async def test_a_writing_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(outbox).values(id=b"half", sealed=b""))
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        await fail()
    assert not await _is_there(database, b"half")
    await _put(database, b"half")  # and nobody is locked out


async def test_a_writing_that_is_cancelled_leaves_nothing_and_no_lock(database: Database) -> None:
    begun = asyncio.Event()

    async def stuck() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(outbox).values(id=b"stuck", sealed=b""))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await _is_there(database, b"stuck")
    await _put(database, b"stuck")


async def test_a_reading_sees_one_moment_however_long_it_lasts(database: Database) -> None:
    async with database.reading() as connection:
        before = (await connection.execute(select(outbox.c.id))).all()
        await _put(database, b"meanwhile")
        assert (await connection.execute(select(outbox.c.id))).all() == before
    assert await _is_there(database, b"meanwhile")


async def test_a_reading_cannot_write(database: Database) -> None:
    if database.is_sqlite:
        return  # there a reader that writes would only meet the lock
    with pytest.raises(StorageError):
        async with database.reading() as connection:
            await connection.execute(insert(outbox).values(id=b"no", sealed=b""))


async def test_an_error_names_its_kind_and_never_a_value(database: Database) -> None:
    await _put(database, b"twice", b"sealed words")
    with pytest.raises(StorageError) as raised:
        await _put(database, b"twice", b"sealed words")
    assert "Error" in str(raised.value)
    assert "sealed words" not in f"{raised.value!r} {raised.value.__cause__!r}"


async def test_two_openers_of_one_database_write_one_after_the_other(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        await asyncio.gather(
            *(
                _put(where, f"{k} {n}".encode())
                for n in range(30)
                for k, where in _pair(database, other)
            )
        )
    finally:
        await other.close()
    async with database.reading() as connection:
        found = set((await connection.execute(select(outbox.c.id))).scalars())
    assert {f"{k} {n}".encode() for n in range(30) for k in range(2)} <= found


def _pair(*databases: Database) -> list[tuple[int, Database]]:
    return list(enumerate(databases))


# -- SQLite's write-ahead log --------------------------------------------------------------------


def _bytes_of(database: Database) -> bytes:
    return b"".join(path.read_bytes() for path in database.path.parent.glob("lounge.db*"))


async def _erased(database: Database, id: bytes) -> None:
    async with database.writing() as connection:
        await connection.execute(outbox.delete().where(outbox.c.id == id))
    database.scrub_soon()


async def test_tidying_leaves_no_byte_of_what_was_erased(sqlite: Database) -> None:
    await _put(sqlite, b"gone", b"do not keep me" * 1_000)
    assert b"do not keep me" in _bytes_of(sqlite)
    await _erased(sqlite, b"gone")
    assert await sqlite.tidy()
    assert b"do not keep me" not in _bytes_of(sqlite)


async def test_a_reader_delays_the_tidying_but_not_the_writers(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tidying waits for it only for a moment, and goes on waiting at the next round."""
    whole, said = aiosqlite.Connection.execute_fetchall, list[str]()

    async def noted(driver: aiosqlite.Connection, statement: str) -> Any:
        said.append(statement.removeprefix("PRAGMA "))
        return await whole(driver, statement)

    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", noted)
    await _put(sqlite, b"gone", b"do not keep me" * 1_000)
    async with sqlite.reading() as connection:
        await connection.execute(select(outbox.c.id))
        await _erased(sqlite, b"gone")
        assert not await sqlite.tidy()
        moment = f"busy_timeout = {storage.database.SCRUB_PATIENCE_MS}"
        assert said == [moment, "wal_checkpoint(TRUNCATE)", "busy_timeout = 5000"]
        for n in range(10):
            await _put(sqlite, f"{n}".encode())
        assert len(said) == 3  # no commit waits for a reader
    assert await sqlite.tidy()
    assert b"do not keep me" not in _bytes_of(sqlite)


async def test_a_log_that_was_long_becomes_short_again(sqlite: Database) -> None:
    log = sqlite.path.with_name(sqlite.path.name + "-wal")
    for n in range(6):
        await _put(sqlite, f"{n}".encode(), b"x" * 1_000_000)
    await _put(sqlite, b"one more")
    await _put(sqlite, b"and one")
    assert log.stat().st_size < storage.database.WAL_LIMIT_BYTES


async def test_a_checkpoint_that_fails_does_not_undo_the_commit(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = aiosqlite.Connection.execute_fetchall
    failed = []

    async def full(driver: aiosqlite.Connection, statement: str) -> Any:
        if "wal_checkpoint" not in statement:
            return await whole(driver, statement)
        failed.append(statement)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(storage.database, "WAL_LIMIT_BYTES", 0)
    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", full)
    await _put(sqlite, b"stands")
    sqlite.scrub_soon()
    assert not await sqlite.tidy()
    assert len(failed) == 2
    assert await _is_there(sqlite, b"stands")
    monkeypatch.undo()
    assert await sqlite.tidy()


async def test_whoever_writes_or_checkpoints_holds_the_lock_file(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, held = aiosqlite.Connection.execute_fetchall, list[bool]()

    async def noted(driver: aiosqlite.Connection, statement: str) -> Any:
        if "wal_checkpoint" in statement:
            held.append(_is_held(sqlite))
        return await whole(driver, statement)

    monkeypatch.setattr(storage.database, "WAL_LIMIT_BYTES", 0)
    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", noted)
    async with sqlite.writing() as connection:
        await connection.execute(insert(outbox).values(id=b"written", sealed=b""))
        assert _is_held(sqlite)
    sqlite.scrub_soon()
    assert await sqlite.tidy()
    assert held == [True, True]
    assert not _is_held(sqlite)


def _is_held(database: Database) -> bool:
    """As another process finds the lock file."""
    with database.path.with_name(database.path.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


async def test_every_commit_waits_for_the_disk(sqlite: Database) -> None:
    async with sqlite.writing() as connection:
        settings = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "secure_delete")
        ]
    assert settings == ["wal", 2, 0, 1]
