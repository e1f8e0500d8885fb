"""Passwords: argon2id beside the event loop, never on it, and bounded."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lounge.errors import Code, Refusal

SHORTEST = 10
LONGEST = 1_000
_THREADS = 2
_MAY_WAIT = 20  # at 0.2 s a hash, the last in the queue waits two seconds
_RETRY_SECONDS = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and its new hash when the old one's parameters are outdated."""

    right: bool
    renewed: str | None = None


class Passwords:
    """Hashes and compares in two threads. Raises Refusal `busy` when too many wait already."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()  # argon2-cffi's default: RFC 9106, low memory
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._under_way = 0

    async def hash(self, password: str) -> str:
        """Raises Refusal `invalid` for a password too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Refusal(Code.INVALID, "password.length", shortest=SHORTEST)
        return await self._aside(lambda: self._hasher.hash(_normal(password)))

    async def compare(self, password: str, hashed: str | None) -> Verdict:
        """The same work whether or not there is a hash to compare with."""
        return await self._aside(lambda: self._compare(password[:LONGEST], hashed))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("the password of nobody")

    def _compare(self, password: str, hashed: str | None) -> Verdict:
        nobody = self._nobody  # the first comparison makes it, whether or not there is a hash
        try:
            self._hasher.verify(hashed or nobody, _normal(password))
        except (VerificationError, InvalidHashError):
            return Verdict(False)
        if hashed is None:
            return Verdict(False)
        outdated = self._hasher.check_needs_rehash(hashed)
        return Verdict(True, self._hasher.hash(_normal(password)) if outdated else None)

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._under_way >= _THREADS + _MAY_WAIT:
            raise Refusal(Code.BUSY, "error.busy", retry_after=_RETRY_SECONDS)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


def _normal(password: str) -> str:
    """One spelling for the same characters typed on different keyboards."""
    return unicodedata.normalize("NFKC", password)
