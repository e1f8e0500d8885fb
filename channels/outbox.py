"""Hints that wait to be published: bounded, and never without the heads as long as it can."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from channels.hint import Hint, size

QUEUED_HINTS = 1000
QUEUED_BYTES = 8 * 1024 * 1024


class Outbox:
    """A queue in two parts: older hints that had to leave their entries behind, and whole ones."""

    def __init__(self) -> None:
        self._bare: deque[Hint] = deque()
        self._whole: deque[Hint] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, hint: Hint) -> int:
        """Queue a hint. Returns how many older ones lost their entries, or their place, for it."""
        self._whole.append(hint)
        self._bytes += size(hint)
        self._filled.set()
        return self._stripped() + self._shortened()

    async def take(self) -> list[Hint]:
        """Everything that waits, oldest first; waits until there is something."""
        await self._filled.wait()
        self._filled.clear()
        hints = [*self._bare, *self._whole]
        self._bare.clear()
        self._whole.clear()
        self._bytes = 0
        return hints

    def _stripped(self) -> int:
        """A head alone is small, and still says that there is something to read."""
        lost = 0
        while self._bytes > QUEUED_BYTES:
            hint = self._whole.popleft()
            self._bytes -= size(hint)
            self._bare.append(replace(hint, items=()))
            lost += bool(hint.items)
        return lost

    def _shortened(self) -> int:
        lost = 0
        while len(self._bare) + len(self._whole) > QUEUED_HINTS:
            oldest = (self._bare or self._whole).popleft()
            self._bytes -= size(oldest)
            lost += 1
        return lost
