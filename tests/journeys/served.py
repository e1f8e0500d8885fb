"""`lounge serve` as an operator starts it, and doctors with tokens to send there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.processes import Run, Running

Gone = psutil.NoSuchProcess
ROOT = Path(__file__).parents[2]
_COMMAND_SECONDS = 60


class Served:
    """One server process (a supervisor, its worker, maybe a Valkey), started as often as it is killed."""

    def __init__(self, run: Run, folder: Path, *arguments: str, **environ: str) -> None:
        self._run = run
        self.quiet = True
        """False lets other commands' stderr through: progress, for whoever waits."""
        self._arguments = ("-m", "web.cli", "serve", "--port", "0", *arguments)
        self.environ = {
            "LOUNGE_DATA": str(folder),
            "REDIS_URL": "",
            "LOUNGE_ORIGINS": "",
            **environ,
        }
        self.folder = folder
        self.port = 0
        self.process: Running | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns once it says that it is open."""
        self.process = self._run(*self._arguments, **self.environ)
        line = await asyncio.to_thread(self.process.heard, "The lounge is open at ")
        self.port = urlsplit(line.split()[-1]).port or 0

    async def back(self) -> None:
        """Returns once a killed worker is there again."""
        assert self.process
        await asyncio.to_thread(self.process.heard, "Worker 1 is back.")

    def worker(self) -> psutil.Process:
        assert self.process
        return self.process.descendant("web.worker")

    def family(self) -> list[psutil.Process]:
        """All of it, the supervisor first."""
        assert self.process
        return [psutil.Process(self.process.pid), *self.process.descendants()]

    async def lounge(self, *arguments: str, seconds: int = _COMMAND_SECONDS) -> str:
        """What another command prints that works on the same data."""
        return await asyncio.to_thread(self._lounge, arguments, seconds)

    async def tokens(self, doctors: int) -> list[str]:
        """Synthetic doctors, a bearer token each."""
        file = self.folder / "tokens"
        await self.lounge("populate", "--doctors", str(doctors), "--tokens", str(file))
        return file.read_text().split()

    def _lounge(self, arguments: tuple[str, ...], seconds: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "web.cli", *arguments],
            cwd=ROOT,
            env=os.environ | self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if self.quiet else None,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, (arguments[0], done.stdout, done.stderr)
        return done.stdout


def on_postgres(settings: dict[str, str]) -> dict[str, str]:
    """The variables that lead to the databases of `tests.backends`."""
    return {
        "LOUNGE_DATABASE_URL": settings["database_url"],
        "LOUNGE_IDENTITY_URL": settings["identity_url"],
    }
