"""The seal on what processes of a house tell each other over Redis: nobody else reads it or writes it.

What is sealed is a msgpack array: who says it, its number, the second at which it was said, the body.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

ORIGIN_BYTES = 8
NONCE_BYTES = (
    12  # at random: 2**32 messages under one key before two have one with odds of 1 in 2**33
)
LARGEST_BYTES = 1024 * 1024
ORIGINS = 64
FRESH_SECONDS = 30.0


class Refused(Exception):  # noqa: N818 - counted, not a fault of ours
    """It is not from this house, was altered, is too large, too old, or was heard before."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Opened:
    """What was sealed, and by which `Seal`."""

    origin: bytes
    body: bytes


class Seal:
    """Seals for one channel at a time; opens what any `Seal` of the same key has sealed, once."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        """`key` of 32 bytes; `clock` gives seconds since 1970, the same everywhere within 30."""
        self._cipher = ChaCha20Poly1305(key)
        self._clock = clock
        self._serial = 0
        self._newest: dict[bytes, int] = {}
        self.origin = secrets.token_bytes(ORIGIN_BYTES)

    def close(self, channel: bytes, body: bytes) -> bytes:
        """Sealed bytes, which open on this channel only."""
        self._serial += 1
        said = msgspec.msgpack.encode((self.origin, self._serial, int(self._clock()), body))
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, said, channel)

    def open(self, channel: bytes, sealed: bytes) -> Opened:
        """What was sealed for this channel. Raises Refused."""
        if not NONCE_BYTES < len(sealed) <= LARGEST_BYTES:
            raise Refused("size")
        try:
            said = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], channel)
            origin, serial, second, body = _SAID.decode(said)
        except (InvalidTag, msgspec.DecodeError):
            raise Refused("seal") from None
        self._note(origin, serial, second)
        return Opened(origin, body)

    def _note(self, origin: bytes, serial: int, second: int) -> None:
        """Refuse what comes again, or so late that we may have forgotten who had said how much."""
        if abs(self._clock() - second) > FRESH_SECONDS:
            raise Refused("age")
        if serial <= self._newest.get(origin, 0):
            raise Refused("repeated")
        self._newest.pop(origin, None)  # the one heard last stands last
        self._newest[origin] = serial
        if len(self._newest) > ORIGINS:
            del self._newest[next(iter(self._newest))]


_Origin = Annotated[bytes, msgspec.Meta(min_length=ORIGIN_BYTES, max_length=ORIGIN_BYTES)]
_SAID = msgspec.msgpack.Decoder(tuple[_Origin, int, int, bytes])
