"""The supervisor: starts Valkey and the workers, starts again what ends, stops them in order.

SIGHUP has each worker followed by a fresh one, which runs the code that lies there by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn, Protocol

from web.ending import PROMISED_SECONDS
from web.post import Post, Worker, say
from web.valkey import EmbeddedValkey

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_STEADY_SECONDS = 30.0  # a child that ran this long has earned the first pause again
_PROMISED = f"{PROMISED_SECONDS:.0f} seconds"


class Child(Protocol):
    """A process that the supervisor keeps."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Returns once it is ready; raises RuntimeError when it ends before."""

    async def ended(self) -> None:
        """Returns when it is gone."""


class Supervisor:
    """Keeps one Valkey (unless `environ` names a Redis) and the workers, all on one socket.

    `overlapping`: two generations of workers may serve the same data for a moment.
    """

    def __init__(
        self,
        listener: socket.socket,
        workers: int,
        environ: dict[str, str],
        application: str,
        held: tuple[int, ...] = (),
        *,
        overlapping: bool = False,
    ) -> None:
        self._listener = listener
        self._environ = environ
        self._overlapping = overlapping
        self._asked = asyncio.Event()  # an event, not a count: many requests are one more round
        self._posts = [
            Post(name, partial(Worker, name, listener, environ, application, held))
            for name in (f"Worker {number}" for number in range(1, workers + 1))
        ]

    async def run(self, address: str) -> None:
        """Returns after an orderly stop. Raises RuntimeError when something cannot start at all."""
        _cancel_on_signal()
        _call_on_hangup(self._asked.set)
        async with contextlib.AsyncExitStack() as ending:
            try:
                children = await self._open(ending)
                say(f"The lounge is open at {address}")
                await asyncio.gather(*(kept(child) for child in children), self._renewed())
            except asyncio.CancelledError:
                say(f"Closing: what was accepted is finished first, {_PROMISED} at most.")

    async def _open(self, ending: contextlib.AsyncExitStack) -> list[Child]:
        children: list[Child] = []
        if not self._environ.get("REDIS_URL"):
            say("REDIS_URL is not set: starting a Valkey of our own on a private socket.")
            children.append(await self._valkey(ending))
        ending.push_async_callback(self._close)
        count = len(self._posts)
        say(f"Starting {count} worker{'s' if count > 1 else ''}.")
        await asyncio.gather(*(post.start() for post in self._posts))
        return [*children, *self._posts]

    async def _valkey(self, ending: contextlib.AsyncExitStack) -> EmbeddedValkey:
        valkey = EmbeddedValkey()
        ending.push_async_callback(valkey.stop)
        await valkey.start()
        self._environ["REDIS_URL"] = valkey.url
        return valkey

    async def _renewed(self) -> NoReturn:
        """A round whenever somebody asks; who asks during one gets another after it."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if not self._overlapping:
                say("SQLite takes one server process: it stops first, then the new one starts.")
            if await self._all_relieved():
                say("Renewed: every worker is a fresh one.")

    async def _all_relieved(self) -> bool:
        """One after the other. What keeps one from starting would keep the next: it ends there."""
        for post in self._posts:
            say(f"{post.name} is followed by a fresh one.")
            try:
                await post.relieve(self._overlapping)
            except (RuntimeError, OSError) as reason:
                stays = "The old one stays." if self._overlapping else "It is tried again."
                say(f"The new {post.name} does not start. {stays} {reason}")
                return False
        return True

    async def _close(self) -> None:
        self._listener.close()  # the workers close theirs: from now on nobody is kept waiting
        await asyncio.gather(*(post.stop() for post in self._posts))


async def kept(child: Child) -> NoReturn:
    """Starts `child` again whenever it ends, at once at first, then after growing pauses."""
    pause = _FIRST_PAUSE
    while True:
        started = time.monotonic()
        await child.ended()
        if time.monotonic() - started > _STEADY_SECONDS:
            pause = _FIRST_PAUSE
        say(f"{child.name} ended; starting it again.")
        pause = await _started(child, pause)


async def _started(child: Child, pause: float) -> float:
    while True:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        try:
            await child.start()
        except (RuntimeError, OSError) as reason:
            say(f"{child.name} does not start: {reason}")
        else:
            say(f"{child.name} is back.")
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


def _call_on_hangup(renew: Callable[[], None]) -> None:
    """SIGHUP renews. A terminal that closes sends it too: then it stops, as it did without us."""
    had_terminal = os.isatty(0)

    def hung_up() -> None:
        if had_terminal and not os.isatty(0):
            signal.raise_signal(signal.SIGTERM)
        else:
            renew()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)
