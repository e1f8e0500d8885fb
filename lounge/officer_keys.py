"""An officer's private key: one file, of no use without its passphrase, and never on the server.

The key lies in a secret box whose own key argon2id makes of the passphrase; how much work that is
stands in the file, so that it can grow.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from lounge.keys import KeyFault

SHORTEST_PASSPHRASE = 12
_KIND = "lounge officer key 1"
_MOST_MEMORY = 2 * 1024**3  # a file from elsewhere does not take the machine down


@dataclass(frozen=True, slots=True)
class Work:
    """How hard argon2id is made to work."""

    passes: int = argon2id.OPSLIMIT_MODERATE
    memory_bytes: int = argon2id.MEMLIMIT_MODERATE


def make_key(path: Path, passphrase: str, work: Work = Work()) -> str:
    """Write a new private key, mode 0600, and return its public key as text.

    Raises KeyFault where a file is there already or the passphrase is short.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise KeyFault(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters")
    key, salt = PrivateKey.generate(), random(argon2id.SALTBYTES)
    content = {
        "kind": _KIND,
        "public": public_text(bytes(key.public_key)),
        "salt": _text(salt),
        "passes": work.passes,
        "memory": work.memory_bytes,
        "sealed": _text(bytes(_box(passphrase, salt, work).encrypt(bytes(key)))),
    }
    _write(path, json.dumps(content, indent=1) + "\n")
    return str(content["public"])


def read_key(path: Path, passphrase: str) -> PrivateKey:
    """The private key. Raises KeyFault for another passphrase, or another kind of file."""
    try:
        content = json.loads(path.read_text("ascii"))
        work = Work(int(content["passes"]), min(int(content["memory"]), _MOST_MEMORY))
        salt, sealed = _bytes(content["salt"]), _bytes(content["sealed"])
        if content["kind"] != _KIND:
            raise KeyFault(f"{path} is not an officer's key of this release")
    except (OSError, ValueError, KeyError, TypeError):
        raise KeyFault(f"{path} is not an officer's key, or cannot be read") from None
    try:
        return PrivateKey(_box(passphrase, salt, work).decrypt(sealed))
    except (CryptoError, ValueError):
        raise KeyFault(f"this is not the passphrase of {path}") from None


def public_text(key: bytes) -> str:
    """A public key as it is printed and typed."""
    return _text(key)


def public_key(text: str) -> bytes:
    """What was printed, read back. Raises KeyFault."""
    try:
        key = _bytes(text.strip())
    except ValueError:
        key = b""
    if len(key) != PrivateKey.SIZE:
        raise KeyFault("this is not an officer's public key: it has 43 letters, digits, - and _")
    return key


def line(content: bytes) -> str:
    """A box as one line, for handing over."""
    return _text(content)


def of_line(text: str) -> bytes:
    """The box of a line. Raises KeyFault."""
    try:
        return _bytes("".join(text.split()))
    except ValueError:
        raise KeyFault("this line was not copied whole") from None


def _box(passphrase: str, salt: bytes, work: Work) -> SecretBox:
    made = argon2id.kdf(
        SecretBox.KEY_SIZE, passphrase.encode(), salt, work.passes, work.memory_bytes
    )
    return SecretBox(made)


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyFault(f"cannot make {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
