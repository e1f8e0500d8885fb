"""A server of a run: a process with its children, at one port for ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.processes import Running, wait_until_gone

OPEN_SECONDS = 60.0


class Server:
    """One `lounge serve` with its places to be killed at, always at the same port."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.port = _free_port()
        self.starts = 0
        self._environ = environ
        self._log = log
        self._running: Running | None = None
        self._reading = threading.Thread()

    async def start(self) -> None:
        """Returns once it says that it is open."""
        self._running = Running(
            *("-m", "tests.chaos.marked", str(self.port)), stdin=None, **self._environ
        )
        self._reading = threading.Thread(target=_read, args=(self._running, self._log), daemon=True)
        self._reading.start()
        self.starts += 1
        await self.says("The lounge is open at ")

    @property
    def said(self) -> list[str]:
        assert self._running
        return self._running.said

    async def says(self, words: str, after: int = 0) -> None:
        """Waits for a line with these words, not among the first `after` ones. Raises TimeoutError."""
        async with asyncio.timeout(OPEN_SECONDS):
            while not any(words in line for line in self.said[after:]):
                assert self._reading.is_alive(), self.said
                await asyncio.sleep(0.02)

    def worker(self) -> psutil.Process:
        assert self._running
        return self._running.descendant("web.worker")

    def family(self) -> list[psutil.Process]:
        """All of it, the supervisor first."""
        assert self._running
        return [psutil.Process(self._running.pid), *self._running.descendants()]

    def signal(self, number: int) -> None:
        assert self._running
        self._running.signal(number)

    async def kill(self) -> None:
        """All of it, as the kernel would; returns once it is gone."""
        family = self.family()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        await self.gone(family)

    async def gone(self, family: Sequence[psutil.Process]) -> int:
        """Its exit code, once everybody in it has ended."""
        assert self._running
        await asyncio.to_thread(self._reading.join, OPEN_SECONDS)
        code = await asyncio.to_thread(self._running.exit_code)
        self._running.close()
        await asyncio.to_thread(wait_until_gone, list(family[1:]))
        return code

    async def ready(self) -> bool:
        """It takes messages, and hears of the others."""
        path = f"http://127.0.0.1:{self.port}/readyz"
        is_ready = await asyncio.to_thread(_get, path) is not None
        return is_ready and (await self.metrics()).get("lounge_bus_up") == 1

    async def metrics(self) -> dict[str, float]:
        """What it counts of itself; labels stand in braces as they come. Empty while it does not answer."""
        text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}/metrics")
        lines = (line.rpartition(" ") for line in (text or "").splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in lines}

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        if self._running:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in self.family():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            self._reading.join(OPEN_SECONDS)
            with contextlib.suppress(ValueError):  # it was closed when it had gone
                self._running.close()


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.HTTPError):
        return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _read(running: Running, log: Path) -> None:
    """A server whose words nobody reads stands still when the pipe is full."""
    with contextlib.suppress(AssertionError, ValueError):
        running.heard("\0")
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in running.said)
