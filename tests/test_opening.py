"""The background loops: what is down says so, and what runs again no longer does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lounge import opening
from lounge.errors import Broken, StorageError
from lounge.opening import Lounge, open_lounge
from lounge.settings import from_environment
from storage.database import Database
from tests.acts import head_of, new_room, say


@pytest.mark.parametrize("fault", [StorageError("away"), RuntimeError("a fault of ours")])
async def test_a_loop_that_failed_is_shown_until_it_runs_again(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that never returns, as the writer's."""
    monkeypatch.setattr(opening, "WATCH_SECONDS", 0.0)
    lounge = cast(Lounge, SimpleNamespace(faults={}))
    seen: list[dict[str, str]] = []
    runs_again = asyncio.Event()

    async def work() -> None:
        seen.append(dict(lounge.faults))
        if len(seen) == 1:
            raise fault
        runs_again.set()
        await asyncio.Event().wait()

    looping = asyncio.create_task(opening._for_ever(lounge, "writer", work, 0.0, _not_broken))
    while not lounge.faults and not runs_again.is_set():
        await asyncio.sleep(0)
    assert list(lounge.faults) == ["writer"]
    await runs_again.wait()
    assert lounge.faults == {}
    looping.cancel()
    with suppress(asyncio.CancelledError):
        await looping


async def test_what_was_queued_is_committed_before_the_lounge_has_closed(
    tmp_path: Path, redis_url: str
) -> None:
    settings = replace(from_environment({"LOUNGE_DATA": str(tmp_path)}), redis_url=redis_url)
    async with open_lounge(settings, {}, _not_broken) as lounge:
        room, epoch = await new_room(lounge.database), lounge.writer.epoch
        queued = [lounge.writer.submit(say(room, f"{n}", epoch=epoch)) for n in range(300)]
    assert all(future.done() for future in queued)
    database = Database(settings.database_url)
    assert (await head_of(database, room)).seq == 300
    await database.close()


async def test_a_disk_that_fails_under_the_database_ends_the_process() -> None:
    lounge = cast(Lounge, SimpleNamespace(faults={}))
    ended = asyncio.Event()

    async def work() -> None:
        raise Broken("SQLITE_IOERR_FSYNC")

    looping = asyncio.create_task(opening._for_ever(lounge, "writer", work, 0.0, ended.set))
    await asyncio.wait_for(ended.wait(), 30)
    looping.cancel()
    with suppress(asyncio.CancelledError):
        await looping


def _not_broken() -> None:
    raise AssertionError("the disk is well")
