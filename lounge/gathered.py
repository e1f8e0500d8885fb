"""Many who ask at once cost few reads: what is asked during one load goes together into the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from lounge.errors import StorageError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_KEYS = 500
MOST_WAITING = 5_000


class Gathered(Generic[K, V]):
    """Answers by key from `load`, which is run for one set of keys at a time, at most `most` in each.

    Nothing is remembered: every answer comes from a load that began after its question.
    """

    def __init__(
        self, load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]], most: int = MOST_KEYS
    ) -> None:
        self._load = load
        self._most = most
        self._rounds: deque[_Round[K, V]] = deque()
        self._waiting = 0
        self._running: asyncio.Task[None] | None = None
        self.loads = 0
        """How many loads there have been."""

    async def get(self, key: K) -> V | None:
        """What `load` says of `key`, None when it says nothing. Raises what its load raised.

        Raises StorageError at once when 5,000 wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise StorageError("busy")
        self._waiting += 1
        try:
            # shielded, since others wait for the same round
            return (await asyncio.shield(self._joined(key).answers)).get(key)
        finally:
            self._waiting -= 1

    def _joined(self, key: K) -> _Round[K, V]:
        if not self._rounds or len(self._rounds[-1].keys) >= self._most:
            self._rounds.append(_Round())
        self._rounds[-1].keys.add(key)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return self._rounds[-1]

    async def _run(self) -> None:
        while self._rounds:
            await self._answer(self._rounds.popleft())

    async def _answer(self, of: _Round[K, V]) -> None:
        self.loads += 1
        try:
            of.answers.set_result(await self._load(of.keys))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            of.answers.set_exception(error)
            of.answers.exception()  # it is raised to whoever still waits; nobody need be left
        finally:
            of.answers.cancel()  # only if this task was: then the process ends


class _Round(Generic[K, V]):
    """The keys of one load, and its answers once they are there."""

    __slots__ = ("answers", "keys")

    def __init__(self) -> None:
        self.keys: set[K] = set()
        self.answers: asyncio.Future[Mapping[K, V]] = asyncio.get_running_loop().create_future()
