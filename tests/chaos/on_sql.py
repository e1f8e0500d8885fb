"""What happens to SQLite, PostgreSQL, the disk, and the store itself.

A fault returns its evidence; it raises NotFired when nothing shows that it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
from pathlib import Path
from time import sleep, time

from tests.chaos.cluster import Cluster
from tests.chaos.evidence import (
    PATIENCE_SECONDS,
    Act,
    NotFired,
    suspended,
    until,
    written,
)
from tests.chaos.house import House


def locked(seconds: float) -> Act:
    """By an outsider's `BEGIN IMMEDIATE`."""

    async def held(house: House) -> str:
        await asyncio.to_thread(_hold, Path(house.environ["LOUNGE_DATA"]) / "lounge.db", seconds)
        return f"somebody else held the lock for {seconds:g} s"

    def _hold(path: Path, seconds: float) -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            sleep(seconds)
            store.execute("ROLLBACK")

    return held


def bad_disk(fault: str) -> Act:
    """`full`: no space. `broken`: what was written cannot be synced. Until it was met, and a bit longer."""

    async def bad(house: House) -> str:
        switch, refused = house.faulty_disk / fault, house.faulty_disk / "refused"
        before = _size(refused)
        switch.touch()
        try:
            await until(lambda: _size(refused) > before, "nothing was refused")
            await asyncio.sleep(2)
        finally:
            switch.unlink()
        return f"{_size(refused) - before} calls were refused"

    return bad


def postgres_restarted(how: signal.Signals) -> Act:
    async def restarted(house: House) -> str:
        cluster = _cluster(house)
        old = cluster.postmaster().pid
        await cluster.stop(how)
        await cluster.start()
        return f"PostgreSQL {old} was ended by {how.name}, {cluster.postmaster().pid} follows"

    return restarted


async def backend_killed_in_commit(house: House) -> str:
    """kill -9 of a backend that is in COMMIT, which is made slow for that; all the others fall with it."""
    cluster = _cluster(house)
    await _commits_take(cluster, 100_000)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await cluster.execute(_IN_COMMIT)):
                pass
        os.kill(found[0][0], signal.SIGKILL)
    finally:
        await cluster.answers()
        await _commits_take(cluster, 0)
    return f"backend {found[0][0]} was killed in {found[0][1]!r}"


async def backends_terminated(house: House) -> str:
    """`pg_terminate_backend` of all of them, in the middle of whatever they do."""
    ended = await _cluster(house).execute(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    if not ended:
        raise NotFired("there was no backend")
    return f"{len(ended)} backends were terminated"


def postgres_stopped(seconds: float) -> Act:
    async def stopped(house: House) -> str:
        family = _cluster(house).family()
        async with suspended(family, seconds):
            pass
        return f"{len(family)} processes of PostgreSQL stood still for {seconds:g} s"

    return stopped


async def restored(house: House) -> str:
    """The lounge store is a copy that was made a few seconds before."""
    before, copied = house.journals(), time()
    if house.cluster:
        await house.cluster.copy("lounge", house.folder / "copy")
    else:
        await asyncio.to_thread(_copy, house)
    await asyncio.sleep(4)
    await asyncio.gather(*(server.kill() for server in house.servers))
    if house.cluster:
        await house.cluster.restore("lounge", house.folder / "copy")
    else:
        await asyncio.to_thread(_swap, house)
    await asyncio.sleep(5)  # for what clients had still to read of the old one
    house.facts.note("restored", copied=copied)
    await asyncio.gather(*(server.start() for server in house.servers))
    return await written(house, before, lambda line: line["event"] == "reset", 1, "resets")


# -- what they are made of -----------------------------------------------------------------------


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cluster(house: House) -> Cluster:
    assert house.cluster
    return house.cluster


async def _commits_take(cluster: Cluster, microseconds: int) -> None:
    await cluster.execute(f"ALTER SYSTEM SET commit_delay = {microseconds}")
    await cluster.execute(f"ALTER SYSTEM SET commit_siblings = {0 if microseconds else 5}")
    await cluster.execute("SELECT pg_reload_conf()")


_IN_COMMIT = (
    "SELECT pid, query FROM pg_stat_activity "
    "WHERE state = 'active' AND query LIKE 'COMMIT%' AND datname = 'lounge'"
)


def _copy(house: House) -> None:
    """As it is at one moment, beside the server."""
    source = f"file:{house.folder}/data/lounge.db?mode=ro"
    (house.folder / "copy").unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source, uri=True, timeout=30)) as store,
        contextlib.closing(sqlite3.connect(house.folder / "copy")) as copy,
    ):
        store.backup(copy)


def _swap(house: House) -> None:
    database = house.folder / "data/lounge.db"
    for part in ("-wal", "-shm"):
        database.with_name(database.name + part).unlink(missing_ok=True)
    shutil.copyfile(house.folder / "copy", database)
