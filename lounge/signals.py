"""Seen and writing: true for a moment, told to the other one of a talk, and kept nowhere.

They go to the sockets of this process and, sealed, over the bus to those of the others. Whoever is not
there just then never learns of them; with Redis away, only who happens to share a process does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

log = structlog.get_logger()


class Signal(msgspec.Struct, frozen=True, array_like=True):
    """In a talk the persona `by` has seen everything up to `seq`, or is writing (`on`) or no longer."""

    room: str
    by: bytes
    seq: int | None = None
    on: bool | None = None


class Ear(Protocol):
    """Somebody's connection that has joined a talk."""

    def overhear(self, signal: Signal) -> None:
        """The other one signals. Never blocks."""
        ...


class Signals:
    """Who listens in which talk, and the way to them."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        """`tell` reaches the other processes, or not."""
        self._tell = tell
        self._ears: dict[str, dict[Ear, bytes]] = {}

    def listen(self, room: str, persona: bytes, ear: Ear) -> None:
        """From now on `ear`, who is `persona` there, hears what the other one signals."""
        self._ears.setdefault(room, {})[ear] = persona

    def leave(self, room: str, ear: Ear) -> None:
        ears = self._ears.get(room, {})
        ears.pop(ear, None)
        if not ears:
            self._ears.pop(room, None)

    def pass_on(self, signal: Signal) -> None:
        """Tell everybody who listens, wherever."""
        self._deliver(signal)
        self._tell(msgspec.msgpack.encode(signal))

    def hear(self, told: bytes) -> None:
        """What another process was told to pass on. Raises msgspec.DecodeError when it is no signal."""
        self._deliver(_SIGNAL.decode(told))

    def _deliver(self, signal: Signal) -> None:
        for ear, persona in list(self._ears.get(signal.room, {}).items()):
            if persona != signal.by:
                ear.overhear(signal)


_SIGNAL = msgspec.msgpack.Decoder(Signal)
