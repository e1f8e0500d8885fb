"""When the database cannot keep what is said: a clear error, never an `ok`, and nobody else hears it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from storage.database import Broken, Database, Locked, StorageError, storage_error
from tests.support import House, new_cid, open_house

ROOM = "world"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("closed"), redis_url, bench=True) as house:
        yield house


async def test_on_a_full_disk_nothing_is_acked_reading_goes_on_and_it_heals(house: House) -> None:
    ana, ben = await house.guest("ana", ROOM), await house.guest("ben", ROOM)
    kept = await ana.say(ROOM, "before")
    cid, text = new_cid(), "x" * 7_000
    async with _full(house.lounge.database):
        refused = await ana.refused("say", room=ROOM, cid=cid, text=text)
        assert (refused["code"], refused["retry_after"]) == ("storage", 2)
        past = await ben.ask("history", room=ROOM, after=0)
        assert [event["seq"] for event in past["events"]] == [kept["seq"]]
        await (await house.guest("chiara", ROOM)).reaches(ROOM, kept["seq"])
    answer = await ana.say(ROOM, text, cid=cid)
    assert (answer["seq"], "duplicate" in answer) == (kept["seq"] + 1, False)
    heard = await ben.reaches(ROOM, answer["seq"])
    assert [event["seq"] for event in heard] == [kept["seq"], answer["seq"]]


async def test_behind_a_lock_that_stays_the_answer_is_busy_and_it_heals(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    cid = new_cid()
    await _pragma(house.lounge.database, "busy_timeout = 100")
    with _locked(house.lounge.database.path):
        refused = await ana.refused("say", room=ROOM, cid=cid, text="while locked")
        assert (refused["code"], refused["retry_after"]) == ("busy", 2)
    answer = await ana.say(ROOM, "while locked", cid=cid)
    assert "duplicate" not in answer


async def test_a_lock_that_passes_is_only_waited_for(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    await _pragma(house.lounge.database, "busy_timeout = 30000")
    with _locked(house.lounge.database.path):
        ref = await ana.send("say", room=ROOM, cid=new_cid(), text="patience")
        await ana.ask("ping")
    assert (await ana.answer(ref))["op"] == "ok"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_IOERR_FSYNC", Broken),
        ("SQLITE_IOERR_WRITE", Broken),
        ("SQLITE_CORRUPT", Broken),
        ("SQLITE_BUSY", Locked),
        ("SQLITE_BUSY_SNAPSHOT", Locked),
        ("SQLITE_FULL", StorageError),
        ("SQLITE_READONLY", StorageError),
    ],
)
def test_each_fault_of_the_database_is_told_for_what_it_is(
    name: str, kind: type[StorageError]
) -> None:
    cause = sqlite3.OperationalError("a text that may hold a value")
    cause.sqlite_errorname = name
    told = storage_error(DBAPIError("INSERT", {}, cause))
    assert type(told) is kind
    assert "value" not in str(told)


@asynccontextmanager
async def _full(database: Database) -> AsyncIterator[None]:
    """As a disk without room: the file may not grow by a page."""
    ((pages,),) = await _pragma(database, "page_count")
    await _pragma(database, f"max_page_count = {pages}")
    try:
        yield
    finally:
        await _pragma(database, "max_page_count = 4294967294")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An outsider, who knows nothing of our lock file, writes for a while."""
    outsider = sqlite3.connect(path, isolation_level=None)
    outsider.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        outsider.rollback()
        outsider.close()


async def _pragma(database: Database, pragma: str) -> Any:
    """On the one connection that writes."""
    async with database._writer.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        return await driver.execute_fetchall(f"PRAGMA {pragma}")
