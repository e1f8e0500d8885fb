"""Applying, which anybody may, and confirming, which makes a doctor."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable

import msgspec

from lounge.credentials.applications import LOOK_AGAIN_MS, Applications
from lounge.credentials.forms import Form, checked, new_doctor
from lounge.credentials.presets import DAY_MS
from lounge.doctors import digest_of, new_secret, plain_email
from lounge.errors import Code, Refusal
from lounge.keys import Keyring
from lounge.knocks import Knocks
from lounge.mail import mail_of, post
from storage import applications, audit, identities
from storage.database import Database

__all__ = ["CODE_MS", "Form", "Newcomers"]

CODE_MS = DAY_MS
_LABEL = "application"
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that looks like another
_CODE_LENGTH = 8


class Newcomers:
    """Every method may raise StorageError. Times are ms since 1970."""

    def __init__(
        self,
        identity: Database,
        keyring: Keyring,
        joining: Applications,
        *,
        knocks: Knocks,
        hash_password: Callable[[str], Awaitable[str]],
        clock: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._keyring = keyring
        self._joining = joining
        self._knocks = knocks
        self._hash_password = hash_password
        self._clock = clock

    async def apply(self, form: Form, *, address: str) -> str:
        """Send a code to the e-mail; returns what only this browser may confirm with.

        Nothing tells whether the e-mail is known: the answer and the work are the same, the letter
        differs. Raises Refusal.
        """
        form, now = checked(form), self._clock()
        await self._knocks.count(f"apply {form.email}", address, now)
        form = msgspec.structs.replace(form, password=await self._hash_password(form.password))
        secret, code = new_secret(), "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
        kept = self._sealed(form, digest_of(secret))
        letters = {
            True: mail_of("known", form.language, form.email),
            False: mail_of("code", form.language, form.email, code=f"{code[:4]}-{code[4:]}"),
        }
        async with self._identity.writing() as connection:
            known = await identities.by_email(connection, form.email) is not None
            await applications.keep_application(
                connection,
                digest_of(secret),
                self._hash(form.email, code),
                kept,
                now,
                now + CODE_MS,
            )
            await post(connection, self._keyring, letters[known], now)
        return secret

    async def confirm(self, secret: str, email: str, code: str, *, address: str) -> str:
        """The e-mail is hers: she becomes a doctor who has applied. Returns her id. Raises Refusal.

        Only in the browser that applied, which `secret` shows: else somebody could apply in her name
        with a password of his own, and have her confirm it.
        """
        email, now, digest = plain_email(email), self._clock(), digest_of(secret)
        await self._knocks.count(f"confirm {email}", address, now)
        async with self._identity.reading() as connection:
            kept = await applications.application_of(connection, digest, now)
        if kept is None or not hmac.compare_digest(kept[0], self._hash(email, _plain(code))):
            raise Refusal(Code.FORBIDDEN, "apply.code")
        form = self._unsealed(kept[1], digest)
        doctor = new_doctor(form, now)
        async with self._identity.writing() as connection:
            fresh = await applications.drop_application(connection, digest)
            if not fresh or await identities.by_email(connection, email):
                raise Refusal(Code.FORBIDDEN, "apply.code")
            await identities.add(connection, [doctor])
            await applications.ask_anew(connection, doctor.id, now + LOOK_AGAIN_MS)
            await audit.append(connection, "applied", by=doctor.id, about=doctor.id)
        await self._knocks.forgive(f"confirm {email}", address, now)
        await self._joining.examine(doctor.id)
        return doctor.id

    def _hash(self, email: str, code: str) -> bytes:
        key = self._keyring.subkey("application code")
        return hmac.digest(key, f"{email} {code}".encode(), hashlib.sha256)

    def _sealed(self, form: Form, digest: bytes) -> bytes:
        return self._keyring.seal(_LABEL, msgspec.json.encode(form), digest)

    def _unsealed(self, sealed: bytes, digest: bytes) -> Form:
        return msgspec.json.decode(self._keyring.unseal(_LABEL, sealed, digest), type=Form)


def _plain(code: str) -> str:
    return "".join(sign for sign in code.upper() if sign.isalnum())
