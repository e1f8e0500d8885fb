"""One reader of one room: nothing but a place in the log and somewhere to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Gone(Exception):  # noqa: N818 - the end of a connection is no fault
    """The subscriber is no longer there, or the room was forgotten while it took its time."""


class Subscriber(Protocol):
    """A connection, as the hub sees it. It tells the hub (`resume`) when it is ready again."""

    @property
    def dialect(self) -> str:
        """Which framing it reads."""
        ...

    def write(self, data: bytes) -> None:
        """Hand over whole frames. Never blocks; silently ignored once the connection is closing."""
        ...

    def is_ready(self) -> bool:
        """False while its buffer is above the high-water mark."""
        ...

    def lost(self) -> None:
        """It cannot be served any further: end the connection, so that the client comes back and asks."""
        ...


@dataclass(slots=True, eq=False)
class Cursor:
    """A subscriber's place in a room: it has been sent everything up to `seq`."""

    subscriber: Subscriber
    seq: int
    arrived: Callable[[int], None] | None = None
    """Called once, in the very step in which it first stands at the head."""
    behind: bool = True
    """True until it stands at the head, and whenever it could not be written to at once."""
    stepping: bool = False
    """True while its next step is due by itself: a turn of the loop, or a page under way."""
    left: bool = False
    """True once the room was left: nothing more may be written for it."""
