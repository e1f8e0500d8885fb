"""What the lounge says when it refuses: one table of reply codes, one of close codes, nothing else."""

from __future__ import annotations

from enum import StrEnum

from lounge.guard.span import Span
from storage.database import Broken, Locked, StorageError

__all__ = [
    "FLOOD",
    "PROTOCOL",
    "RESTART",
    "REVOKED",
    "SIGNED_OUT",
    "SLOW",
    "Broken",
    "Close",
    "Code",
    "Locked",
    "Refusal",
    "StorageError",
]


class Code(StrEnum):
    """Error codes of a reply (docs/protocol.md); the same words on the wire and in HTTP answers."""

    BAD_FRAME = "bad_frame"
    UNKNOWN_OP = "unknown_op"
    INVALID = "invalid"
    NOT_JOINED = "not_joined"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    TOO_LONG = "too_long"
    CID_CONFLICT = "cid_conflict"
    RATE_LIMITED = "rate_limited"
    SLOW_MODE = "slow_mode"
    FROZEN = "frozen"
    MUTED = "muted"
    HELD_PRIVACY = "held_privacy"
    HELD_RULE = "held_rule"
    BLOCKED = "blocked"
    BUSY = "busy"
    STORAGE = "storage"
    INTERNAL = "internal"


class Close(int):
    """A WebSocket close code. 4000-4499: come back; 4500-4999: stay away until something changes."""


SLOW = Close(4008)
RESTART = Close(4012)
FLOOD = Close(4029)
SIGNED_OUT = Close(4501)
REVOKED = Close(4503)
PROTOCOL = Close(4510)


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The lounge declines a command. `key` names the sentence in the catalogue that a person reads.

    `values` fill the sentence's placeholders; `retry_after` is in seconds; `asks` names the ways by
    which she may show who she is, where that is what is wanted: codes, to clients.
    """

    def __init__(
        self,
        code: Code,
        key: str,
        *,
        retry_after: float | None = None,
        spans: tuple[Span, ...] = (),
        asks: tuple[str, ...] = (),
        **values: object,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.key = key
        self.retry_after = retry_after
        self.spans = spans
        self.asks = asks
        self.values = values
