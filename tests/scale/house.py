"""What is measured: stores of a run's own, and `lounge serve` on them as an operator starts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import asyncpg
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests import postgres
from tests.backends import on_postgres
from tests.bench.served import ROOT
from tests.journeys import served
from tests.processes import Running, wait_until_gone

BUILD = ROOT / "build" / "scale"
Backend = Literal["sqlite", "postgres"]


@dataclass(frozen=True, slots=True)
class Stores:
    """Fresh databases, and the folder with their keys. The addresses are empty for SQLite."""

    backend: Backend
    folder: Path
    environ: dict[str, str]
    lounge_url: str = ""
    identity_url: str = ""

    async def tokens(self, doctors: int) -> list[str]:
        """Synthetic doctors, a bearer token each."""
        file = self.folder / "tokens"
        await asyncio.to_thread(self._populate, doctors, file)
        return file.read_text().split()

    def _populate(self, doctors: int, file: Path) -> None:
        command = ("web.cli", "populate", "--doctors", str(doctors), "--tokens", str(file))
        subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=os.environ | self.environ | {"LOUNGE_BENCH": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )


@contextlib.asynccontextmanager
async def stores(backend: Backend) -> AsyncIterator[Stores]:
    """On the disk that this tree is on; PostgreSQL is whatever the tests would take."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=BUILD, prefix="data-") as name:
        environ = {"LOUNGE_DATA": name, "PYTHONDONTWRITEBYTECODE": ""}
        if backend == "sqlite":
            away = dict.fromkeys(("LOUNGE_DATABASE_URL", "LOUNGE_IDENTITY_URL"), "")
            yield Stores(backend, Path(name), {**environ, **away})
            return
        with postgres.server() as address:
            async with on_postgres(address) as settings:
                where = served.on_postgres(settings)
                urls = settings["database_url"], settings["identity_url"]
                yield Stores(backend, Path(name), {**environ, **where}, *urls)


class Server:
    """One `lounge serve`, always at the same port; all that it says is read as it is said."""

    def __init__(self, where: Stores, *, redis_url: str = "", bench: bool = True) -> None:
        self.port = _free_port()
        special = {"REDIS_URL": redis_url, "LOUNGE_BENCH": "1" if bench else "", "LOUNGE_DEMO": ""}
        self._environ: dict[str, Any] = {**where.environ, **special, "LOUNGE_ORIGINS": ""}
        self._running: Running | None = None

    async def start(self) -> None:
        """Returns once it says that it is open."""
        self._running = running = Running(
            *("-m", "web.cli", "serve", "--port", str(self.port)), **self._environ
        )
        await asyncio.to_thread(running.heard, "The lounge is open at ")
        threading.Thread(target=_read_on, args=(running,), daemon=True).start()

    async def back(self, seconds: float = 30) -> None:
        """Returns once a killed worker is there again."""
        async with asyncio.timeout(seconds):
            while "Worker 1 is back." not in self.said:
                await asyncio.sleep(0.01)

    @property
    def said(self) -> list[str]:
        assert self._running
        return self._running.said

    def worker(self) -> psutil.Process:
        assert self._running
        return self._running.descendant("web.worker")

    async def metrics(self) -> dict[str, float]:
        """What it counts of itself, such as `lounge_log_reads_total`; labels in braces."""
        return await asyncio.to_thread(_metrics, self.port)

    def terminate(self) -> None:
        assert self._running
        self._running.signal(signal.SIGTERM)

    async def gone(self) -> int:
        """Its exit code, once all that it started is gone too."""
        assert self._running
        family = self._running.descendants()
        code = await asyncio.to_thread(self._running.exit_code)
        await asyncio.to_thread(wait_until_gone, family)
        return code

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        if self._running:
            self._running.close()


@contextlib.asynccontextmanager
async def open_server(
    where: Stores, *, redis_url: str = "", bench: bool = True
) -> AsyncIterator[Server]:
    """A server for the block; it need not be open any more at the block's end."""
    server = Server(where, redis_url=redis_url, bench=bench)
    try:
        await server.start()
        yield server
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class Touched:
    """What PostgreSQL counts: transactions, and scans and rows of a table."""

    transactions: int
    scans: dict[str, int]

    def since(self, before: Touched) -> Touched:
        scans = {name: n - before.scans.get(name, 0) for name, n in self.scans.items()}
        return Touched(
            self.transactions - before.transactions, {k: n for k, n in scans.items() if n}
        )


async def touched(url: str) -> Touched:
    """So far, of the database at `url`. The counts of a connection come a second late."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        transactions = await connection.fetchval(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        rows = await connection.fetch(
            "SELECT relname, seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables"
        )
    finally:
        await connection.close()
    return Touched(transactions, {row["relname"]: row["scans"] for row in rows})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _read_on(running: Running) -> None:
    """A server whose words nobody reads stands still when the pipe is full."""
    with contextlib.suppress(AssertionError, ValueError):
        running.heard("\0")


def _metrics(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("lounge_") and not sample.name.endswith("_created")
    }
