"""Turns: the acts of one seat commit in the order in which they came, also when some are asked anew."""

from __future__ import annotations

import asyncio
from collections import deque


class Turn:
    """One act's place among those of its seat. `epoch`: with which it was queued; None while it was not."""

    __slots__ = ("_turns", "epoch", "settled")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.epoch: int | None = None
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def is_next(self, epoch: int) -> bool:
        """True when whoever came before stands in the writer's queue with the same epoch, or is done."""
        return self._turns.before(self, epoch) is None

    async def comes(self, epoch: int) -> None:
        """Wait until it is next."""
        while (other := self._turns.before(self, epoch)) is not None:
            await asyncio.shield(other.settled)

    def end(self) -> None:
        """The act has its answer."""
        self._turns.leave(self)


class Turns:
    """Those of one seat that have no answer yet, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[Turn] = deque()

    def take(self) -> Turn:
        """The next place."""
        self._waiting.append(Turn(self))
        return self._waiting[-1]

    def before(self, turn: Turn, epoch: int) -> Turn | None:
        """The first before it that could be overtaken: not queued, or to be refused as stale."""
        for other in self._waiting:
            if other is turn:
                return None
            if other.epoch != epoch:
                return other
        return None

    def leave(self, turn: Turn) -> None:
        self._waiting.remove(turn)
        turn.settled.set_result(None)
