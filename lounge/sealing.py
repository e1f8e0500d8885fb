"""Sealed authors: a doctor's id inside two boxes, one for each officer, and a lock of the house on each.

The outer box opens with the second officer's private key, the inner one with the first's. What lies in
either is locked again with a key of the house: so neither can be opened past the audit, what an officer
hands in is known to be right, and nobody with the public keys alone can put another author in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import Aead

from lounge.keys import Keys

FIRST, SECOND = 1, 2
"""The officers' places: the second opens first."""
MARK_BYTES = 4
_ID_BYTES = 64  # every author is padded to it


class WrongKey(Exception):  # noqa: N818 - an answer, not a fault
    """This key does not open the box, or what was handed in is not what lay in it."""


@dataclass(frozen=True, slots=True)
class Officers:
    """The public keys of the two, in their places."""

    first: bytes
    second: bytes

    @property
    def mark(self) -> bytes:
        """Begins every box that is sealed to these two: the same for all of them."""
        return hashlib.sha256(self.first + self.second).digest()[:MARK_BYTES]


class Seal:
    """Seals authors to two officers, and takes back what they open."""

    def __init__(self, keys: Keys) -> None:
        self._lock = Aead(keys.identity.subkey("author"))

    def close(self, doctor_id: str, officers: Officers) -> bytes:
        """A box of the same size for every doctor, and never the same bytes twice."""
        author = doctor_id.encode().ljust(_ID_BYTES)
        if len(author) != _ID_BYTES:
            raise ValueError("a doctor's id is longer than a sealed author")
        inner = self._boxed(author, FIRST, officers.first)
        return officers.mark + self._boxed(inner, SECOND, officers.second)

    def after_second(self, handed: bytes) -> bytes:
        """The first officer's box, from what the second found in hers. Raises WrongKey."""
        return self._unlocked(handed, SECOND)

    def author(self, handed: bytes) -> str:
        """The doctor's id, from what the first officer found in his. Raises WrongKey."""
        return self._unlocked(handed, FIRST).decode().rstrip()

    def _boxed(self, content: bytes, place: int, public_key: bytes) -> bytes:
        locked = self._lock.encrypt(content, bytes([place]))
        return SealedBox(PublicKey(public_key)).encrypt(bytes(locked))

    def _unlocked(self, handed: bytes, place: int) -> bytes:
        try:
            return self._lock.decrypt(handed, bytes([place]))
        except (CryptoError, ValueError):
            raise WrongKey from None


def box_of(sealed: bytes) -> bytes:
    """The second officer's box, of what a persona's row holds."""
    return sealed[MARK_BYTES:]


def opened(box: bytes, key: PrivateKey) -> bytes:
    """What an officer hands in: done where her key is, without the house. Raises WrongKey."""
    try:
        return SealedBox(key).decrypt(box)
    except (CryptoError, ValueError):
        raise WrongKey from None


def is_for(sealed: bytes | None, officers: Officers) -> bool:
    """Whether a box is there and sealed to these two."""
    return sealed is not None and sealed.startswith(officers.mark)


def fit(keys: Sequence[bytes]) -> bool:
    """Whether these may be the public keys of two officers."""
    return len(set(keys)) == 2 and all(len(key) == PublicKey.SIZE for key in keys)
