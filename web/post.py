"""A worker's post: the process that holds it, the one that follows, and those that still drain."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

from web.ending import STOP_SECONDS

READY_SECONDS = 60.0  # what a successor gets to start, while the old one answers
LOOK_SECONDS = 1.0
SILENT_LOOKS = 30  # looks, not seconds: while this process is paused itself, it does not look


class Worker:
    """One process that answers. Its stdin tells us that it is ready and turns, and it that we are gone."""

    def __init__(
        self,
        name: str,
        listener: socket.socket,
        environ: dict[str, str],
        application: str,
        held: tuple[int, ...],
    ) -> None:
        self.name = name
        self._environ = environ
        self._shared = (listener.fileno(), *held)
        # -P: what lies in the folder that we were called from is not ours to run
        self._command = [sys.executable, "-P", "-m", "web.worker", str(listener.fileno())]
        self._command.append(application)
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: socket.socket | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_gone(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def start(self) -> None:
        """Returns once it is ready; raises RuntimeError when it ends before."""
        self._lifeline, theirs = socket.socketpair()
        self._lifeline.setblocking(False)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=theirs.fileno(),
                pass_fds=self._shared,
                env=self._environ,
                start_new_session=True,  # Ctrl+C is for the supervisor, which then stops in order
            )
        if not await asyncio.get_running_loop().sock_recv(self._lifeline, 1):
            await self.ended()
            raise RuntimeError(f"{self.name} could not start; its reason stands above.")
        self._watch = asyncio.create_task(self._watched(self._process, self._lifeline))

    async def ended(self) -> None:
        """Returns when it is gone."""
        if self._process and self._lifeline:
            await self._process.wait()
            self._lifeline.close()
        if self._watch:
            self._watch.cancel()

    async def stop(self) -> None:
        """Asks it to drain, and ends it when it takes too long."""
        if not self._process:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self.ended(), STOP_SECONDS)
        except TimeoutError:
            say(f"{self.name} takes too long to close and is ended.")
            await self.kill()

    async def kill(self) -> None:
        """Ends it without a word."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.ended()

    async def _watched(self, process: asyncio.subprocess.Process, lifeline: socket.socket) -> None:
        """Its event loop sends a byte a second: when none comes for long, it will not drain either."""
        silent = 0
        while silent < SILENT_LOOKS:
            await asyncio.sleep(LOOK_SECONDS)
            silent = 0 if _has_moved(lifeline) else silent + 1
        say(f"{self.name} has not moved for {SILENT_LOOKS} seconds and is ended.")
        with contextlib.suppress(ProcessLookupError):
            process.kill()


class Post:
    """Held by one worker after the other; `begin` makes the next one, not yet started."""

    def __init__(self, name: str, begin: Callable[[], Worker]) -> None:
        self.name = name
        self._begin = begin
        self._changing = asyncio.Lock()
        self._holder = begin()
        self._alive: list[Worker] = []

    async def start(self) -> None:
        """Returns once somebody holds it; raises RuntimeError when a new worker does not start."""
        async with self._changing:
            if self._holder.is_gone:
                self._holder = self._next()
                await self._holder.start()

    async def ended(self) -> None:
        """Returns when nobody holds it and nobody is about to."""
        while True:
            await self._holder.ended()
            async with self._changing:
                if self._holder.is_gone:
                    return

    async def relieve(self, overlapping: bool) -> None:
        """Returns once a fresh worker holds it and the old one is gone. `overlapping`: the fresh one
        is ready before the old one drains, which stays when RuntimeError or OSError says why not.
        """
        async with self._changing:
            old = self._holder
            if not overlapping:
                await old.stop()
            self._holder = await self._successor()
        await old.stop()

    async def stop(self) -> None:
        """Asks all of them to drain, and ends who takes too long."""
        await asyncio.gather(*(each.stop() for each in self._alive))

    async def _successor(self) -> Worker:
        fresh = self._next()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await fresh.start()
        except TimeoutError:
            await fresh.kill()
            raise RuntimeError(f"It was not ready after {READY_SECONDS:.0f} seconds.") from None
        return fresh

    def _next(self) -> Worker:
        self._alive = [each for each in self._alive if not each.is_gone]
        self._alive.append(self._begin())
        return self._alive[-1]


def say(what: str) -> None:
    """To the operator, who may have gone: a closed terminal or pipe stops nothing."""
    with contextlib.suppress(OSError):
        print(what, flush=True)


def _has_moved(lifeline: socket.socket) -> bool:
    try:
        return bool(lifeline.recv(4096))
    except BlockingIOError:
        return False
