"""The two key files: one for the identity store, one for the personas of the lounge store.

A key file holds one 32-byte key a line in base64url, newest first; lines that begin with `#` are
comments. To rotate, put a new line on top: a process that is running sees it by itself. The last line
is never removed: personas and other computed values come from it for ever, sealed things are opened
by whichever line sealed them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from lounge.settings import Settings
from storage import key_check
from storage.database import Database

KEY_BYTES = 32
Stamp = tuple[int, int, int]


class KeyFault(Exception):  # noqa: N818 - said to the operator as it stands
    """A key file is missing, malformed, open to others, or not the one its store was made with."""


class Keyring:
    """The keys of one file. Never printed, never logged."""

    def __init__(
        self, keys: Sequence[bytes], path: Path | None = None, stamp: Stamp | None = None
    ) -> None:
        """`keys` newest first, each of 32 bytes; `path`, as it was at `stamp`, is looked into again."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise KeyFault(f"a keyring needs keys of {KEY_BYTES} bytes")
        self._keys = tuple(keys)
        self._path = path
        self._stamp = stamp
        self._boxes: dict[str, tuple[Aead, ...]] = {}

    def subkey(self, label: str) -> bytes:
        """32 bytes for `label`, from the oldest key: the same for ever, whatever is rotated."""
        return _derived(self._keys[-1], f"subkey {label}")

    def seal(self, label: str, plaintext: bytes, about: bytes = b"") -> bytes:
        """Encrypt with the newest key. It opens only under the same `label` and `about`."""
        return bytes(self._opened(label)[0].encrypt(plaintext, about))

    def unseal(self, label: str, sealed: bytes, about: bytes = b"") -> bytes:
        """What `seal` was given. Raises KeyFault when no key opens it, or it was altered."""
        content = self._tried(label, sealed, about)
        if content is None and self.refresh():  # sealed with a key that came while we were running
            content = self._tried(label, sealed, about)
        if content is None:
            raise KeyFault(f"no key opens this {label}")
        return content

    def is_newest(self, label: str, sealed: bytes, about: bytes = b"") -> bool:
        """Whether the newest key sealed this."""
        with suppress(CryptoError, ValueError):
            self._opened(label)[0].decrypt(sealed, about)
            return True
        return False

    def refresh(self) -> bool:
        """Read the file again if it has changed; True when the keys are others now.

        A file that cannot be read, or has lost its last line, changes nothing.
        """
        stamp = _stamp(self._path)
        if self._path is None or stamp == self._stamp:
            return False
        with suppress(KeyFault):
            found = read_keyring(self._path)
            if found._keys[-1] == self._keys[-1] and found._keys != self._keys:
                self._keys, self._boxes, self._stamp = found._keys, {}, stamp
                return True
        return False

    def check(self) -> bytes:
        """16 bytes that a store keeps to tell a wrong key file at the next start."""
        return self.subkey("check")[:16]

    def _tried(self, label: str, sealed: bytes, about: bytes) -> bytes | None:
        for box in self._opened(label):
            with suppress(CryptoError, ValueError):
                return box.decrypt(sealed, about)
        return None

    def _opened(self, label: str) -> tuple[Aead, ...]:
        if label not in self._boxes:
            self._boxes[label] = tuple(Aead(_derived(key, f"seal {label}")) for key in self._keys)
        return self._boxes[label]


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Whoever holds one of the two and its database learns nothing about the other."""

    identity: Keyring
    persona: Keyring

    def refresh(self) -> None:
        """Take up keys that were put on top of the files meanwhile."""
        self.identity.refresh()
        self.persona.refresh()


async def open_keys(settings: Settings, identity: Database, lounge: Database) -> Keys:
    """Read both key files; one missing inside LOUNGE_DATA is made while its store is still new.

    Both stores are migrated already. Raises KeyFault with what to do, StorageError.
    """
    return Keys(
        identity=await _opened(settings, settings.secret_file, identity, "identity"),
        persona=await _opened(settings, settings.persona_secret_file, lounge, "lounge"),
    )


def read_keyring(path: Path) -> Keyring:
    """The keys of one file. Raises KeyFault."""
    stamp = _stamp(path)
    keys = [_key(path, line) for line in secret_lines(path, "key file")]
    if not keys:
        raise KeyFault(f"{path} holds no key")
    return Keyring(keys, path, stamp)


def secret_lines(path: Path, name: str) -> list[str]:
    """What a file that only its owner may read holds, without comments; `name` is what it is called.

    Raises KeyFault.
    """
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFault(f"{path} may be read by others: chmod 600 {path}")
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFault(f"cannot read the {name} {path}: {error}") from None
    return [line for line in lines if line and not line.startswith("#")]


def add_key(path: Path) -> None:
    """Put a new key on top of a file, whole or not at all. Raises KeyFault."""
    read_keyring(path)  # never rewrite what we do not understand
    lines = path.read_text("ascii").splitlines(keepends=True)
    top = next(at for at, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    with _draft(path) as draft:
        _write(draft, "".join([*lines[:top], _new_line(), *lines[top:]]).encode())
        os.replace(draft, path)


def make_key_file(path: Path) -> None:
    """Write a new key, mode 0600, whole or not at all. A file that is there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    comment = "# Lounge key, newest first. Back it up; never remove the last line.\n"
    with _draft(path) as draft:
        _write(draft, (comment + _new_line()).encode())
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename, it never replaces a key


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _new_line() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n"


def _stamp(path: Path | None) -> Stamp | None:
    """What changes when a file is replaced or written to; None when it is not there."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None


async def _opened(
    settings: Settings, path: Path, database: Database, store: key_check.Store
) -> Keyring:
    known = await key_check.kept(database, store)
    new = known is None and path.is_relative_to(settings.data)
    keyring = await asyncio.to_thread(_read_or_made, path, new)
    known = known or await key_check.keep(database, store, keyring.check())
    if not secrets.compare_digest(known, keyring.check()):
        raise KeyFault(f"{path} is not the key that the {store} store was made with")
    return keyring


def _read_or_made(path: Path, new: bool) -> Keyring:
    if not path.exists():
        if not new:
            raise KeyFault(f"{path} is missing: restore the key file that its store was made with")
        make_key_file(path)
    return read_keyring(path)


def _key(path: Path, line: str) -> bytes:
    try:
        key = base64.b64decode(line + "=" * (-len(line) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFault(f"{path} has a line that is not a key of {KEY_BYTES} bytes in base64url")
    return key


def _derived(key: bytes, info: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"lounge 1", info=info.encode())
    return hkdf.derive(key)
