"""How often somebody may try the door: counted in SQL, by keyed hashes of account and address."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from lounge.errors import Code, Refusal
from lounge.keys import Keyring
from storage import attempts
from storage.database import Database

WINDOW_MS = 10 * 60_000
PER_ACCOUNT = 10
PER_ADDRESS = 60  # a hospital has one address; what succeeds is not counted


class Knocks:
    """Fixed windows of ten minutes. The store learns neither the e-mail nor the address."""

    def __init__(self, identity: Database, keyring: Keyring, *, lifted: bool) -> None:
        self._identity = identity
        self._key = keyring.subkey("knocks")
        self._lifted = lifted

    async def count(self, email: str, address: str, now: int) -> None:
        """One more try, counted before its work is done. Raises Refusal `rate_limited`."""
        if self._lifted:
            return
        window = now // WINDOW_MS
        async with self._identity.writing() as connection:
            await attempts.drop_before(connection, window - 1)
            # always in this order, so that two tries never wait for each other
            by_account = await attempts.count(connection, self._account(email), window)
            by_address = await attempts.count(connection, self._address(address), window)
        if by_account > PER_ACCOUNT or by_address > PER_ADDRESS:
            raise _slow_down(now)

    async def count_at(self, address: str, now: int) -> None:
        """One more try of whoever does not say who she is yet. Raises Refusal `rate_limited`."""
        if self._lifted:
            return
        async with self._identity.writing() as connection:
            tries = await attempts.count(connection, self._address(address), now // WINDOW_MS)
        if tries > PER_ADDRESS:
            raise _slow_down(now)

    async def forgive_at(self, address: str, now: int) -> None:
        """That try was a good one."""
        if self._lifted:
            return
        async with self._identity.writing() as connection:
            await attempts.take_back(connection, self._address(address), now // WINDOW_MS)

    async def forgive(self, email: str, address: str, now: int) -> None:
        """The try was a good one."""
        if self._lifted:
            return
        async with self._identity.writing() as connection:
            await attempts.forget(connection, self._account(email))
            await attempts.take_back(connection, self._address(address), now // WINDOW_MS)

    def _account(self, email: str) -> bytes:
        return self._hash(f"account {email}")

    def _address(self, address: str) -> bytes:
        return self._hash(f"address {network_of(address)}")

    def _hash(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode(), hashlib.sha256)[:16]


def _slow_down(now: int) -> Refusal:
    wait = WINDOW_MS - now % WINDOW_MS
    return Refusal(Code.RATE_LIMITED, "session.slow_down", retry_after=wait / 1000)


def network_of(address: str) -> str:
    """One household of IPv6 has 2**64 addresses: they count as one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
