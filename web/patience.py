"""Patience with a peer that takes nothing of what was written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

STALLED_SECONDS = 15.0


class Patience:
    """Begun when a transport's buffer is full, ended when it has drained; `stalled` when nothing moves."""

    __slots__ = ("_left", "_loop", "_stalled", "_timer", "_transport")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: Any, stalled: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._stalled = stalled
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0

    def begin(self) -> None:
        """Look again in 15 s whether the peer has taken any of it."""
        self.end()
        self._left = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(STALLED_SECONDS, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._left:
            self.begin()
        else:
            self._stalled()
