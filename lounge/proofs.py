"""Showing who she is: the second step of signing in, unlocking a session, and doing it once more
before what must not be done with a session that somebody else has found open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lounge.clock import now_ms
from lounge.doctors import IDLE, SECOND, Doctors, Unrecognised, Visit, digest_of, is_from
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.knocks import Knocks
from lounge.passkeys import Credential, Passkeys, Site
from lounge.recovery import RecoveryCodes
from lounge.settings import Settings
from lounge.totp import Totp
from storage import factors, identities, visits
from storage.database import Database

FRESH_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class Proof:
    """What she shows: a passkey, or a password and, where she has turned it on, a second code."""

    password: str | None = None
    totp: str | None = None
    recovery: str | None = None
    passkey: Credential | None = None


class Proofs:
    """Every method may raise StorageError, and Refusal `rate_limited` or `busy`."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        settings: Settings,
        doctors: Doctors,
        passkeys: Passkeys,
        totp: Totp,
        codes: RecoveryCodes,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._doctors = doctors
        self._passkeys = passkeys
        self._totp = totp
        self._codes = codes
        self._demo = settings.demo
        self._knocks = Knocks(identity, keys.identity, lifted=settings.bench)
        self._clock = clock

    # signing in

    async def step_in(
        self,
        half: str,
        proof: Proof,
        *,
        label: str,
        address: str,
        replacing: str | None,
        device: str | None,
    ) -> tuple[Visit, str]:
        """The second step, after a password was right. Raises Unrecognised, or Refusal `forbidden`."""
        async with self._identity.reading() as connection:
            halfway = await factors.half_of(connection, digest_of(half), self._clock())
        if halfway is None:
            raise Unrecognised("session.second_late")
        doctor_id, kind = halfway
        await self._check_second(doctor_id, proof, address)
        async with self._identity.writing() as connection:
            if not await factors.end_half(connection, digest_of(half)):
                raise Unrecognised("session.second_late")
        return await self._doctors.enter_as(
            doctor_id, label=label, replacing=replacing, kind=kind, device=device
        )

    async def kind_of(self, half: str) -> str | None:
        """What kind of session a half one will be; None when it is over."""
        async with self._identity.reading() as connection:
            halfway = await factors.half_of(connection, digest_of(half), self._clock())
        return None if halfway is None else halfway[1]

    async def enter_by_passkey(
        self,
        site: Site,
        credential: Credential,
        *,
        label: str,
        address: str,
        replacing: str | None,
        kind: str,
        device: str | None,
    ) -> tuple[Visit, str]:
        """A session for whoever's passkey this is: it is two factors at once."""
        doctor_id = await self._passkeys.prove(site, credential)
        await self._knocks.forgive_at(address, self._clock())
        return await self._doctors.enter_as(
            doctor_id, label=label, replacing=replacing, kind=kind, device=device
        )

    async def ask_passkey(self, site: Site, *, address: str) -> bytes:
        """Options for `navigator.credentials.get`, of whoever does not say yet who she is."""
        await self._knocks.count_at(address, self._clock())
        return await self._passkeys.options(site)

    # a session that was not used for too long

    async def locked(self, secret: str | None, device: str | None) -> str | None:
        """Whose session this is, if it only waits to be unlocked."""
        if secret is None:
            return None
        async with self._identity.reading() as connection:
            found = await visits.locked_session(connection, digest_of(secret), self._clock(), IDLE)
        return found.doctor if found and is_from(found.device, device) else None

    async def unlock(
        self, secret: str, device: str | None, proof: Proof, site: Site, *, address: str
    ) -> None:
        """Open it again for its owner. Raises Unrecognised, or Refusal `forbidden`."""
        now = self._clock()
        async with self._identity.reading() as connection:
            found = await visits.locked_session(connection, digest_of(secret), now, IDLE)
        if found is None or not is_from(found.device, device):
            raise Unrecognised
        await self._check(found.doctor, proof, site, address)
        async with self._identity.writing() as connection:
            await visits.prove(connection, found.id, now)

    # once more

    async def renew(self, visit: Visit, proof: Proof, site: Site, *, address: str) -> None:
        """She has shown again who she is: for five minutes she may change what proves her."""
        if visit.session is None:
            raise Refusal(Code.FORBIDDEN, "session.by_hand")
        await self._check(visit.doctor.id, proof, site, address)
        async with self._identity.writing() as connection:
            await visits.prove(connection, visit.session, self._clock())

    async def require_fresh(self, visit: Visit) -> None:
        """Raises Refusal `forbidden`, which asks her for a proof, unless she gave one just now."""
        if visit.session is None:  # a program has no hands, and a token found is not its owner
            raise Refusal(Code.FORBIDDEN, "session.by_hand")
        async with self._identity.reading() as connection:
            proved = await visits.proved_at(connection, visit.session)
        if proved is not None and self._clock() - proved < FRESH_MS:
            return
        if ways := await self.ways(visit.doctor.id):
            raise Refusal(Code.FORBIDDEN, "session.fresh", asks=ways)
        if not self._demo:  # where the cast have nothing to show
            raise Refusal(Code.FORBIDDEN, "session.fresh_again")

    async def ways(self, doctor_id: str) -> tuple[str, ...]:
        """By what she may show who she is; nothing where her hospital signs her in."""
        async with self._identity.reading() as connection:
            hashed = await identities.password_of(connection, doctor_id)
        passkeys = await self._passkeys.of(doctor_id)
        ways = ["passkey"] if any(each.stopped is None for each in passkeys) else []
        if hashed is not None:
            ways += ["password"]
            ways += SECOND if await self._totp.is_on(doctor_id) else ()
        return tuple(ways)

    async def _check(self, doctor_id: str, proof: Proof, site: Site, address: str) -> None:
        if proof.passkey is not None:
            await self._passkeys.prove(site, proof.passkey, doctor_id)
            return
        now, account = self._clock(), f"proof {doctor_id}"
        await self._knocks.count(account, address, now)
        if not await self._doctors.password_is(doctor_id, proof.password or ""):
            raise Refusal(Code.FORBIDDEN, "session.wrong_password")
        if await self._totp.is_on(doctor_id):
            await self._check_second(doctor_id, proof, address)
        await self._knocks.forgive(account, address, now)

    async def _check_second(self, doctor_id: str, proof: Proof, address: str) -> None:
        now, account = self._clock(), f"second {doctor_id}"
        await self._knocks.count(account, address, now)
        async with self._identity.writing() as connection:
            if proof.recovery is not None:
                good = await self._codes.spend(connection, doctor_id, proof.recovery)
            else:
                good = await self._totp.spend(connection, doctor_id, proof.totp or "")
        if not good:
            raise Refusal(Code.FORBIDDEN, "totp.wrong")
        await self._knocks.forgive(account, address, now)
