"""A room's log as the hub asks for it: what is wanted, what comes back, and the tasks that fetch it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from channels.ring import Item

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """A run of a room's log and where the room stood when it was read."""

    items: Sequence[Item]
    head: int
    count: int
    oldest: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be read: entries that follow `after`, or the newest ones when that is None."""

    room: str
    after: int | None
    limit: int


Answer = Page | Exception
Done = Callable[[Answer], None]
Read = Callable[[Request, Done], None]
"""Fetches what is requested and says so later, never within the call. A fault comes as an answer."""


class Log(Protocol):
    """Where the truth is read from when memory does not reach."""

    async def after(self, room: str, seq: int, limit: int) -> Page: ...

    async def tail(self, room: str, limit: int) -> Page: ...


class Reader:
    """Reads a log in tasks of its own, so that whoever asked first may leave and the others still get it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, request: Request, done: Done) -> None:
        task = asyncio.create_task(self._fetch(request, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, request: Request, done: Done) -> None:
        answer: Answer
        try:
            if request.after is None:
                answer = await self._log.tail(request.room, request.limit)
            else:
                answer = await self._log.after(request.room, request.after, request.limit)
        except Exception as fault:  # noqa: BLE001 - it is the answer
            answer = fault
        done(answer)


async def asked(ask: Callable[[Callable[[T | Exception], None]], None]) -> T:
    """Wait for what a state machine answers by callback. Raises what it answers with."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(answer: T | Exception) -> None:
        if future.done():  # whoever asked has gone
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    ask(done)
    return await future
