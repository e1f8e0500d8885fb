"""What the migrations make is what the code believes there is, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from storage import migrations
from storage.database import Database, StorageError
from storage.identity_schema import IDENTITY
from storage.migrations import Store, current, newest, upgrade, version_table
from storage.schema import LOUNGE

FOLDER = Path(migrations.__file__).parent
SCHEMAS: list[tuple[Store, MetaData]] = [("lounge", LOUNGE), ("identity", IDENTITY)]
BOTH_STORES = pytest.mark.parametrize(("store", "metadata"), SCHEMAS, ids=["lounge", "identity"])


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/empty.db"
    else:
        url = request.getfixturevalue("postgres_database")
    database = Database(url)
    yield database
    await database.close()


@pytest.mark.parametrize("store", ["lounge", "identity"])
def test_revisions_are_one_row_that_is_numbered_like_its_files(store: Store) -> None:
    script = ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER / store)])
    assert script.get_heads() == [newest(store)]
    assert all(Path(each.path).name.startswith(each.revision) for each in script.walk_revisions())


@BOTH_STORES
async def test_the_migrated_schema_is_the_metadata(
    database: Database, store: Store, metadata: MetaData
) -> None:
    await upgrade(database, store)
    async with database.reading() as connection:
        assert await connection.run_sync(_differences, store, metadata) == []


@BOTH_STORES
async def test_a_store_is_current_only_after_its_upgrade(
    database: Database, store: Store, metadata: MetaData
) -> None:
    assert not await current(database, store)
    await upgrade(database, store)
    assert await current(database, store)


async def test_upgrading_twice_and_at_once_does_it_once(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    await asyncio.gather(upgrade(database, "lounge"), upgrade(other, "lounge"))
    await upgrade(database, "lounge")
    await other.close()
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT id, epoch FROM gate"))).all() == [(1, 0)]


@BOTH_STORES
async def test_tables_without_rowid_stay_so(
    tmp_path: Path, store: Store, metadata: MetaData
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    await upgrade(database, store)
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT name, wr FROM pragma_table_list"))
        without = {row.name for row in rows if row.wr}
    await database.close()
    meant = {
        table.name
        for table in metadata.tables.values()
        if table.dialect_options["sqlite"]["with_rowid"] is False
    }
    assert without & metadata.tables.keys() == meant != set()


async def test_a_failed_upgrade_leaves_nothing_behind(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE outbox (id integer)"))
    with pytest.raises(StorageError):
        await upgrade(database, "lounge")
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE outbox"))
    await upgrade(database, "lounge")
    assert await current(database, "lounge")


async def test_the_search_index_is_there(database: Database) -> None:
    await upgrade(database, "lounge")
    async with database.reading() as connection:
        await connection.execute(text("SELECT count(*) FROM entry_terms"))


def _differences(connection: Connection, store: Store, metadata: MetaData) -> list[Any]:
    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or not (name or "").startswith(("entry_terms", version_table(store)))

    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_object": ours,
            "version_table": version_table(store),
        },
    )
    return list(compare_metadata(context, metadata))
