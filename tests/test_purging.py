"""What was purged is in no file of the databases once `lounge purge` has written them anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from storage.database import Database
from storage.rewriting import rewrite
from tests.backends import addresses
from tests.stores import BOTH
from tests.support import House, new_cid, open_house

WORLD = "world"
WORD = "Thylacinexxiii"
"""A word that nothing else says; the index has it in small letters."""


@pytest.fixture(params=BOTH)
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str
) -> AsyncIterator[House]:
    async with (
        addresses(request) as urls,
        open_house(tmp_path, redis_url, bench=True, **urls) as house,
    ):
        yield house


async def test_no_file_holds_what_was_purged(house: House, tmp_path: Path) -> None:
    ana, ben = await house.guest("ana", WORLD), await house.guest("ben", WORLD)
    for n in range(20):
        await ana.say(WORLD, f"What stays, number {n}.")
    said = await ana.say(WORLD, f"It was {WORD} again.")
    place = {"room": WORLD, "seq": said["seq"]}
    await ana.ask("edit", **place, cid=new_cid(), text=f"It was {WORD}, once.")
    await ben.ask("report", **place, cid=new_cid(), kind="other", note=f"No {WORD} here.")
    assert await _files_with(house, tmp_path, WORD)
    await house.moderate("purge", **place, reason="patient_identifiable")
    steps: list[tuple[int, int]] = []
    for database in (house.lounge.database, house.lounge.identity_database):
        await rewrite(database, lambda done, of: steps.append((done, of)))
    assert steps[-1][0] == steps[-1][1]
    assert await _files_with(house, tmp_path, WORD) == []
    assert (await ana.ask("search", q="stays"))["hits"]
    await ana.say(WORLD, "Life goes on.")


async def _files_with(house: House, folder: Path, word: str) -> list[str]:
    """The databases' files that hold these bytes in any case, and tables whose copy does."""
    database = house.lounge.database
    if database.is_sqlite:
        return _holding(_files(folder), word)
    return [
        each
        for store in (database, house.lounge.identity_database)
        for each in await _postgres_with(store, word)
    ]


async def _postgres_with(database: Database, word: str) -> list[str]:
    url = make_url(database.url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute("CHECKPOINT")
        data = Path(await connection.fetchval("SHOW data_directory"))
        oid = await connection.fetchval(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        )
        found = _holding(sorted((data / "base" / str(oid)).iterdir()), word)
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        for (name,) in await connection.fetch(names):
            copied: list[bytes] = []

            async def keep(part: bytes, copied: list[bytes] = copied) -> None:
                copied.append(part)

            await connection.copy_from_table(name, output=keep)
            found += [name] if _is_in(b"".join(copied), word) else []
    finally:
        await connection.close()
    return found


def _files(folder: Path) -> list[Path]:
    """Both stores' files and their logs."""
    files = sorted(folder.glob("*.db*"))
    assert len(files) >= 4
    return files


def _holding(files: list[Path], word: str) -> list[str]:
    return [each.name for each in files if _is_in(each.read_bytes(), word)]


def _is_in(content: bytes, word: str) -> bool:
    """As it was written, as the index folds it, or as bytes are copied out in hexadecimal."""
    lowered, sought = content.lower(), word.lower().encode()
    return sought in lowered or word.encode().hex().encode() in lowered
