"""The supervisor: starts Valkey and the workers, starts again what ends, stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from typing import NoReturn, Protocol

from web.valkey import EmbeddedValkey

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_STEADY_SECONDS = 30.0  # a child that ran this long has earned the first pause again
_STOP_SECONDS = 14.0  # what a worker gets to drain; all are gone within 15 s of the signal


class Child(Protocol):
    """A process that the supervisor keeps."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Returns once it is ready; raises RuntimeError when it ends before."""

    async def ended(self) -> None:
        """Returns when it is gone."""


class Supervisor:
    """Keeps one Valkey (unless `environ` names a Redis) and the workers, all on one socket."""

    def __init__(
        self,
        listener: socket.socket,
        workers: int,
        environ: dict[str, str],
        application: str,
        held: tuple[int, ...] = (),
    ) -> None:
        self._listener = listener
        self._environ = environ
        self._workers = [
            Worker(number, listener, environ, application, held) for number in range(1, workers + 1)
        ]

    async def run(self, address: str) -> None:
        """Returns after an orderly stop. Raises RuntimeError when something cannot start at all."""
        _cancel_on_signal()
        async with contextlib.AsyncExitStack() as ending:
            try:
                children = await self._open(ending)
                _say(f"The lounge is open at {address}")
                await asyncio.gather(*(kept(child) for child in children))
            except asyncio.CancelledError:
                _say("Closing: what was accepted is finished first, 15 seconds at most.")

    async def _open(self, ending: contextlib.AsyncExitStack) -> list[Child]:
        children: list[Child] = []
        if not self._environ.get("REDIS_URL"):
            _say("REDIS_URL is not set: starting a Valkey of our own on a private socket.")
            children.append(await self._valkey(ending))
        ending.push_async_callback(self._close)
        count = len(self._workers)
        _say(f"Starting {count} worker{'s' if count > 1 else ''}.")
        await asyncio.gather(*(worker.start() for worker in self._workers))
        return [*children, *self._workers]

    async def _valkey(self, ending: contextlib.AsyncExitStack) -> EmbeddedValkey:
        valkey = EmbeddedValkey()
        ending.push_async_callback(valkey.stop)
        await valkey.start()
        self._environ["REDIS_URL"] = valkey.url
        return valkey

    async def _close(self) -> None:
        self._listener.close()  # the workers close theirs: from now on nobody is kept waiting
        await asyncio.gather(*(worker.stop() for worker in self._workers))


class Worker:
    """One process that answers. Its stdin tells us that it is ready, and it that we are gone."""

    def __init__(
        self,
        number: int,
        listener: socket.socket,
        environ: dict[str, str],
        application: str,
        held: tuple[int, ...],
    ) -> None:
        self.name = f"Worker {number}"
        self._environ = environ
        self._shared = (listener.fileno(), *held)
        # -P: what lies in the folder that we were called from is not ours to run
        self._command = [sys.executable, "-P", "-m", "web.worker", str(listener.fileno())]
        self._command.append(application)
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: socket.socket | None = None

    async def start(self) -> None:
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

    async def ended(self) -> None:
        if self._process and self._lifeline:
            await self._process.wait()
            self._lifeline.close()

    async def stop(self) -> None:
        """Asks it to drain, and ends it when it takes too long."""
        if not self._process:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self.ended(), _STOP_SECONDS)
        except TimeoutError:
            _say(f"{self.name} takes too long to close and is ended.")
            self._process.kill()
            await self.ended()


async def kept(child: Child) -> NoReturn:
    """Starts `child` again whenever it ends, at once at first, then after growing pauses."""
    pause = _FIRST_PAUSE
    while True:
        started = time.monotonic()
        await child.ended()
        if time.monotonic() - started > _STEADY_SECONDS:
            pause = _FIRST_PAUSE
        _say(f"{child.name} ended; starting it again.")
        pause = await _started(child, pause)


async def _started(child: Child, pause: float) -> float:
    while True:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        try:
            await child.start()
        except (RuntimeError, OSError) as reason:
            _say(f"{child.name} does not start: {reason}")
        else:
            _say(f"{child.name} is back.")
            return pause


def _cancel_on_signal() -> None:
    """The first SIGTERM or SIGINT cancels the current task, a second one ends this process."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        assert task
        task.cancel()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)


def _say(what: str) -> None:
    print(what, flush=True)
