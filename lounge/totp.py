"""Codes that an app makes (RFC 6238): the second step after a password. Each is good once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyotp
import segno
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import account_act
from storage import factors
from storage.database import Database

STEP_SECONDS = 30
DRIFT_STEPS = 1  # clocks differ, and people type
_LABEL = "totp"


@dataclass(frozen=True, slots=True)
class Offer:
    """A new secret, shown once: to be typed, as an address for an app, and as a picture of that.

    The picture is a QR code by rows, 1 for dark: the browser draws it, since it may load no other.
    """

    secret: str
    uri: str
    picture: list[str]


class Totp:
    """Every method may raise StorageError; times are ms since 1970."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._clock = clock

    async def is_on(self, doctor_id: str) -> bool:
        async with self._identity.reading() as connection:
            known = await factors.totp_of(connection, doctor_id)
        return known is not None and known.confirmed is not None

    async def offer(self, doctor_id: str) -> Offer:
        """Begin: the secret counts once a code of it is confirmed. Raises Refusal when one counts."""
        secret = pyotp.random_base32()
        sealed = self._keys.identity.seal(_LABEL, secret.encode(), doctor_id.encode())
        async with self._identity.writing() as connection:
            known = await factors.totp_of(connection, doctor_id)
            if known is not None and known.confirmed is not None:
                raise Refusal(Code.INVALID, "totp.on")
            await factors.put_totp(connection, doctor_id, sealed)
        uri = pyotp.TOTP(secret).provisioning_uri(name="Lounge", issuer_name="Lounge")
        return Offer(secret, uri, _picture(uri))

    async def confirm(self, doctor_id: str, code: str) -> None:
        """From now on a password needs a code besides. Raises Refusal `forbidden`."""
        async with self._identity.writing() as connection:
            if not await self.spend(connection, doctor_id, code, confirming=True):
                raise Refusal(Code.FORBIDDEN, "totp.wrong")
            now = self._clock()
            await factors.confirm_totp(connection, doctor_id, now)
            await account_act(connection, self._keys, doctor_id, "totp_on", now=now)

    async def end(self, doctor_id: str) -> None:
        """A password is enough again; the recovery codes go with it."""
        async with self._identity.writing() as connection:
            if not await factors.drop_totp(connection, doctor_id):
                return
            now = self._clock()
            await factors.put_recovery_codes(connection, doctor_id, [], now)
            await account_act(connection, self._keys, doctor_id, "totp_off", now=now)

    async def spend(
        self, connection: AsyncConnection, doctor_id: str, code: str, *, confirming: bool = False
    ) -> bool:
        """True once for each code, in the order in which the app shows them."""
        known = await factors.totp_of(connection, doctor_id)
        if known is None or (known.confirmed is None) is not confirming:
            return False
        secret = self._keys.identity.unseal(_LABEL, known.sealed, doctor_id.encode()).decode()
        step = _step_of(pyotp.TOTP(secret), "".join(code.split()), self._clock() // 1000)
        return step is not None and await factors.spend_step(connection, doctor_id, step)


def _step_of(totp: pyotp.TOTP, code: str, now: int) -> int | None:
    """Which step's code this is, among those that are good now."""
    if not code.isascii():
        return None
    current = now // STEP_SECONDS
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            return step
    return None


def _picture(uri: str) -> list[str]:
    rows = segno.make_qr(uri, error="m").matrix
    return ["".join("1" if dark else "0" for dark in row) for row in rows]
