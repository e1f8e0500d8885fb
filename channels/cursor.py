"""One reader of one room: nothing but a place in the log and somewhere to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Gone(Exception):  # noqa: N818 - the end of a connection is no fault
    """The subscriber is no longer there, or made no progress for too long."""


class Subscriber(Protocol):
    """A connection, as the hub sees it."""

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

    async def ready(self) -> None:
        """Wait until it may be written to. Raises Gone."""
        ...

    def lost(self) -> None:
        """It cannot be served any further: end the connection, so that the client comes back and asks."""
        ...


@dataclass(slots=True, eq=False)
class Cursor:
    """A subscriber's place in a room: it has been sent everything up to `seq`."""

    subscriber: Subscriber
    seq: int
    behind: bool = False
    """True while a task of its own brings it up to the head."""
    left: bool = False
    """True once the room was left: nothing more may be written for it."""
