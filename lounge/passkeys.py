"""Passkeys: added by a doctor who has just shown who she is, and then enough to sign in with.

Web Authentication, Level 3 (W3C). Every passkey verifies its user, so that it is two factors at once;
it finds the account by itself, so nobody types an e-mail.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import account_act
from storage import factors
from storage.database import Database
from storage.factors import Passkey

MOST_PASSKEYS = 20
CHALLENGE_MS = 5 * 60_000
CHALLENGE_BYTES = 32
LONGEST_LABEL = 60
ADD, ENTER, PROVE = "add", "enter", "prove"  # what a challenge is posed for

Credential = Mapping[str, Any]
"""What the browser's authenticator answered, as its `toJSON` gives it."""


class Cloned(Refusal):
    """The passkey has counted back: somebody may hold a copy of it. It is stopped, and she is told."""

    def __init__(self) -> None:
        super().__init__(Code.FORBIDDEN, "passkey.stopped")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the browser is, by its Origin, which somebody has found to be one of ours."""

    origin: str

    @property
    def name(self) -> str:
        """The host that passkeys belong to. Raises Refusal `invalid` where there can be none."""
        host = urlsplit(self.origin).hostname or ""
        if not host or _is_address(host):
            raise Refusal(Code.INVALID, "passkey.address")
        return host


class Passkeys:
    """Every method may raise StorageError, and Refusal `invalid` or `forbidden`."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._key = keys.identity.subkey("passkey owner")
        self._clock = clock

    async def of(self, doctor_id: str) -> list[Passkey]:
        async with self._identity.reading() as connection:
            return await factors.passkeys_of(connection, doctor_id)

    async def options_to_add(self, doctor_id: str, site: Site, label: str) -> bytes:
        """What `navigator.credentials.create` is asked for, as JSON. It holds nothing that names her."""
        known = await self.of(doctor_id)
        if len(known) >= MOST_PASSKEYS:
            raise Refusal(Code.INVALID, "passkey.too_many", most=MOST_PASSKEYS)
        options = generate_registration_options(
            rp_id=site.name,
            rp_name="Lounge",
            user_name=label[:LONGEST_LABEL] or "Lounge",
            user_id=self._owner(doctor_id),
            challenge=await self._pose(ADD, doctor_id),
            timeout=CHALLENGE_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
        )
        return options_to_json(options).encode()

    async def add(self, doctor_id: str, site: Site, credential: Credential, label: str) -> str:
        """Keep what the authenticator made; returns the passkey's id."""
        await self._take(credential, ADD, doctor_id)
        new = _registered(credential, site)
        id, now = secrets.token_urlsafe(12), self._clock()
        async with self._identity.writing() as connection:
            if await factors.passkey_by(connection, new.credential_id):
                raise _wrong()
            await factors.add_passkey(
                connection,
                id=id,
                doctor_id=doctor_id,
                credential=new.credential_id,
                public=new.credential_public_key,
                count=new.sign_count,
                label=label[:LONGEST_LABEL],
                now=now,
            )
            await account_act(connection, self._keys, doctor_id, "passkey_added", now=now)
        return id

    async def remove(self, doctor_id: str, id: str) -> None:
        """Raises Refusal `not_found` when it is not hers."""
        async with self._identity.writing() as connection:
            if not await factors.drop_passkey(connection, doctor_id, id):
                raise Refusal(Code.NOT_FOUND, "passkey.unknown")
            now = self._clock()
            await account_act(connection, self._keys, doctor_id, "passkey_removed", now=now)

    async def options(self, site: Site, doctor_id: str | None = None) -> bytes:
        """What `navigator.credentials.get` is asked for: to sign in, or to show again who she is."""
        known = [] if doctor_id is None else await self.of(doctor_id)
        purpose = ENTER if doctor_id is None else PROVE
        options = generate_authentication_options(
            rp_id=site.name,
            challenge=await self._pose(purpose, doctor_id),
            timeout=CHALLENGE_MS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options).encode()

    async def prove(self, site: Site, credential: Credential, doctor_id: str | None = None) -> str:
        """Whose passkey has just answered one of our challenges, each good once. Raises Cloned too.

        `doctor_id`: who it must be, None at sign-in.
        """
        await self._take(credential, ENTER if doctor_id is None else PROVE, doctor_id)
        async with self._identity.writing() as connection:
            passkey = await factors.passkey_by(connection, _credential_id(credential))
            if passkey is None or doctor_id not in (None, passkey.doctor):
                raise _wrong()
            if passkey.stopped is not None:
                raise Cloned
            count = _authenticated(credential, site, passkey).new_sign_count
            cloned = (count or passkey.count) != 0 and count <= passkey.count
            await self._used(connection, passkey, count, cloned)
        if cloned:
            raise Cloned
        return passkey.doctor

    async def _take(self, credential: Credential, purpose: str, doctor_id: str | None) -> None:
        """By itself: what is refused afterwards does not bring the challenge back."""
        digest = hashlib.sha256(_challenge(credential)).digest()
        async with self._identity.writing() as connection:
            taken = await factors.take(connection, digest, purpose, doctor_id, self._clock())
        if not taken:
            raise _wrong()

    async def _used(
        self, connection: AsyncConnection, passkey: Passkey, count: int, cloned: bool
    ) -> None:
        now = self._clock()
        if not cloned:
            await factors.use_passkey(connection, passkey.id, count, now)
            return
        await factors.stop_passkey(connection, passkey.id, now)
        await account_act(connection, self._keys, passkey.doctor, "passkey_stopped", now=now)

    async def _pose(self, purpose: str, doctor_id: str | None) -> bytes:
        challenge, now = secrets.token_bytes(CHALLENGE_BYTES), self._clock()
        digest = hashlib.sha256(challenge).digest()
        async with self._identity.writing() as connection:
            await factors.pose(connection, digest, purpose, doctor_id, now, now + CHALLENGE_MS)
        return challenge

    def _owner(self, doctor_id: str) -> bytes:
        """What her authenticators call her: the same on each, and nothing to anybody else."""
        return hmac.digest(self._key, doctor_id.encode(), hashlib.sha256)


def _registered(credential: Credential, site: Site) -> VerifiedRegistration:
    try:
        return verify_registration_response(
            credential=dict(credential),
            expected_challenge=_challenge(credential),
            expected_rp_id=site.name,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Refusal:
        raise
    except Exception:  # noqa: BLE001 - what an authenticator sends may break its reader in any way
        raise _wrong() from None


def _authenticated(credential: Credential, site: Site, passkey: Passkey) -> VerifiedAuthentication:
    try:
        return verify_authentication_response(
            credential=dict(credential),
            expected_challenge=_challenge(credential),
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=passkey.public,
            credential_current_sign_count=0,  # ours to judge: a clone is told of, not only refused
            require_user_verification=True,
        )
    except Refusal:
        raise
    except Exception:  # noqa: BLE001 - as above
        raise _wrong() from None


def _challenge(credential: Credential) -> bytes:
    """The challenge that the browser says it answers; the signature over it is checked later."""
    try:
        client = base64url_to_bytes(credential["response"]["clientDataJSON"])
        return parse_client_data_json(client).challenge
    except Exception:  # noqa: BLE001 - as above
        raise _wrong() from None


def _credential_id(credential: Credential) -> bytes:
    try:
        return base64url_to_bytes(credential["rawId"])
    except Exception:  # noqa: BLE001 - as above
        raise _wrong() from None


def _descriptors(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(each.credential) for each in known]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _wrong() -> Refusal:
    return Refusal(Code.FORBIDDEN, "passkey.wrong")


def credential_of(raw: msgspec.Raw) -> Credential:
    """Raises Refusal `invalid`."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(Code.INVALID, "request.invalid") from None
