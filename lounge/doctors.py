"""The doctors: who they are to a room, how they sign in, and how what they opened is ended."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.keys import Keys
from lounge.knocks import Knocks
from lounge.passwords import Passwords
from lounge.settings import Settings
from lounge.titles import COUNTRIES, SPECIALTIES
from storage import gate, identities, visits
from storage.database import Database, StorageError
from storage.identities import Crowd, DoctorRecord, NewDoctor
from storage.visits import Opened, SessionRecord, TokenRecord

log = structlog.get_logger()

GRADES = ("trainee", "specialist", "generalist")
LANGUAGES = ("en", "fr")
ROLES = ("doctor", "moderator", "officer")
SESSION_MS = 12 * 3_600_000
IDLE_MS = 2 * 3_600_000
NOTED_MS = 60_000  # how exactly the last use is known
CODE_MS = 7 * 24 * 3_600_000
MOST_TOKENS = 20
LONGEST_LABEL = 60
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class Unrecognised(Refusal):
    """Nobody by this e-mail and password, session or token. At the HTTP door a 401."""

    def __init__(self, key: str = "session.none") -> None:
        super().__init__(Code.FORBIDDEN, key)


@dataclass(frozen=True, slots=True)
class Doctor:
    """What the house knows of a doctor: never a name or an address."""

    id: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: frozenset[str]
    verified: bool

    def attributes(self, group: str | None = None) -> Mapping[str, object]:
        """What a room's rule may ask about; `group` is the specialty's."""
        return {
            "country": self.country,
            "region": self.region,
            "specialty": self.specialty,
            "group": group,
            "grade": self.grade,
            "language": self.language,
            "roles": tuple(sorted(self.roles)),
            "verified": self.verified,
        }

    @property
    def missing(self) -> tuple[str, ...]:
        """Codes of what stands between this doctor and the rooms."""
        return () if self.verified else ("verification",)


@dataclass(frozen=True, slots=True)
class Visit:
    """A doctor at the door, and the id of the session or token she came with (not its secret)."""

    doctor: Doctor
    session: str | None
    token: str | None

    @property
    def id(self) -> str:
        return self.session or self.token or ""


class Doctors:
    """Sign-in, sessions, tokens. Every method may raise StorageError; times are ms since 1970.

    What ends a session or a token, or changes a doctor, raises the epoch in the same transaction, so
    that every process looks at its sockets again, and moves the lounge store's gate after it. All of
    these may be repeated after a fault.
    """

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        keys: Keys,
        settings: Settings,
        *,
        passwords: Passwords | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._passwords = passwords or Passwords()
        self._clock = clock
        self._unnoted: set[Visit] = set()
        self._noting = asyncio.Lock()
        self._sessions = Gathered(self._open_sessions)  # thousands come back together
        self._tokens = Gathered(self._open_tokens)
        self._knocks = Knocks(identity, keys.identity, lifted=settings.bench)

    def close(self) -> None:
        self._passwords.close()

    # signing in

    async def sign_in(
        self,
        email: str,
        password: str,
        *,
        label: str,
        address: str,
        replacing: str | None = None,
    ) -> tuple[Visit, str]:
        """A new session and its secret; the session of the cookie `replacing` ends.

        The answer and the work are the same for unknown and known e-mails. Raises Unrecognised,
        or Refusal `rate_limited` or `busy` with `retry_after`.
        """
        email = plain_email(email)
        now = self._clock()
        await self._knocks.count(email, address, now)
        async with self._identity.reading() as connection:
            found = await identities.by_email(connection, email)
        known, hashed = found or (None, None)
        verdict = await self._passwords.compare(password, hashed)
        if known is None or hashed is None or not verdict.right:
            raise Unrecognised("session.wrong")
        opened = await self._open(known, label, replacing, was=hashed, renewed=verdict.renewed)
        await self._knocks.forgive(email, address, now)
        return opened

    async def enter_as(
        self, doctor_id: str, *, label: str, replacing: str | None = None
    ) -> tuple[Visit, str]:
        """A session without a password: for the demonstration's cast and tests only."""
        async with self._identity.reading() as connection:
            known = await identities.by_id(connection, doctor_id)
        if known is None:
            raise Unrecognised
        return await self._open(known, label, replacing)

    async def by_session(self, secret: str) -> Visit | None:
        """Who holds this cookie; None when it was never good or is no longer."""
        opened = await self._sessions.get(digest_of(secret))
        if opened is None:
            return None
        visit = Visit(_doctor(opened.doctor), opened.id, None)
        await self._note(visit, opened.used)
        return visit

    async def by_token(self, secret: str) -> Visit | None:
        """Who holds this bearer token; None when it was never good or is no longer."""
        opened = await self._tokens.get(digest_of(secret))
        if opened is None:
            return None
        visit = Visit(_doctor(opened.doctor), None, opened.id)
        await self._note(visit, opened.used)
        return visit

    async def epoch(self) -> int:
        """How many revocations there have been. Read before visits, it dates them."""
        async with self._identity.reading() as connection:
            return await gate.identity_epoch(connection)

    async def move_gate(self) -> int:
        """Nothing is committed any more that was allowed before the epoch that this returns."""
        return await gate.follow(self._lounge, self._identity)

    async def still_open(self, visits_: Iterable[Visit]) -> dict[Visit, Visit]:
        """Those of `visits_` that are still good, each with its doctor as she is now.

        One snapshot, whatever their number. Who is not in the answer is signed out or revoked.
        """
        asked = list(visits_)
        sessions, tokens = _ids(asked)
        async with self._identity.reading() as connection:
            found = await visits.still_open(connection, sessions, tokens, self._clock(), IDLE_MS)
        return {
            visit: Visit(_doctor(found[visit.id]), visit.session, visit.token)
            for visit in asked
            if visit.id in found
        }

    async def touch(self, visits_: Iterable[Visit]) -> None:
        """Note that these are in use: an open socket calls for its visit once a minute."""
        sessions, tokens = _ids(visits_)
        async with self._identity.writing() as connection:
            await visits.touch(connection, sessions, tokens, self._clock())

    # what a doctor has open

    async def sessions(self, doctor_id: str) -> list[SessionRecord]:
        async with self._identity.reading() as connection:
            return await visits.sessions_of(connection, doctor_id, self._clock(), IDLE_MS)

    async def end_session(self, doctor_id: str, session_id: str) -> None:
        """Raises Refusal `not_found` when it is not this doctor's."""
        async with self._revoking() as connection:
            known = await visits.end_session(connection, doctor_id, session_id, self._clock())
            if not known:
                raise Refusal(Code.NOT_FOUND, "session.unknown")

    async def sign_out(self, visit: Visit) -> None:
        """End what this visit came with."""
        if visit.session:
            await self.end_session(visit.doctor.id, visit.session)
        elif visit.token:
            await self.end_token(visit.doctor.id, visit.token)

    async def tokens(self, doctor_id: str) -> list[TokenRecord]:
        async with self._identity.reading() as connection:
            return await visits.tokens_of(connection, doctor_id)

    async def add_token(self, doctor_id: str, label: str) -> tuple[str, str]:
        """A new bearer token: (id, secret). The secret is shown once and never kept."""
        id, secret = new_id(), new_token()
        async with self._identity.writing() as connection:
            if len(await visits.tokens_of(connection, doctor_id)) >= MOST_TOKENS:
                raise Refusal(Code.INVALID, "token.too_many", most=MOST_TOKENS)
            row = (id, digest_of(secret), doctor_id, label[:LONGEST_LABEL])
            await visits.add_tokens(connection, [row], self._clock())
        return id, secret

    async def end_token(self, doctor_id: str, token_id: str) -> None:
        """Raises Refusal `not_found` when it is not this doctor's."""
        async with self._revoking() as connection:
            known = await visits.end_token(connection, doctor_id, token_id, self._clock())
            if not known:
                raise Refusal(Code.NOT_FOUND, "session.unknown")

    # changing a doctor

    async def set_password(self, email: str, code: str, password: str, *, address: str) -> None:
        """Spend a one-time code; all the doctor's sessions end. Raises Refusal."""
        email, now, digest = plain_email(email), self._clock(), digest_of(code)
        await self._knocks.count(email, address, now)
        async with self._identity.reading() as connection:
            good = await identities.code_is_good(connection, digest, email, now)
        if not good:
            raise Refusal(Code.FORBIDDEN, "password.code")
        hashed = await self._passwords.hash(password)
        async with self._revoking() as connection:
            doctor_id = await identities.spend_code(connection, digest, now)
            if doctor_id is None:
                raise Refusal(Code.FORBIDDEN, "password.code")
            await identities.set_password(connection, doctor_id, hashed)
            await visits.end_sessions(connection, doctor_id, now)
        await self._knocks.forgive(email, address, now)

    async def set_language(self, doctor_id: str, language: str) -> None:
        if language not in LANGUAGES:
            raise Refusal(Code.INVALID, "doctor.language", value=language)
        async with self._revoking() as connection:
            await identities.set_language(connection, doctor_id, language)

    async def set_verified(self, doctor_id: str, verified: bool) -> None:
        """Open the rooms to a doctor, or close them."""
        at = self._clock() if verified else None
        async with self._revoking() as connection:
            await identities.set_verified(connection, doctor_id, at)

    async def add(
        self,
        *,
        email: str,
        name: str,
        country: str,
        specialty: str,
        grade: str = "specialist",
        region: str | None = None,
        language: str = "en",
        roles: Collection[str] = (),
        verified: bool = False,
    ) -> str:
        """A new doctor; returns the one-time code to set her password. Raises Refusal `invalid`."""
        now = self._clock()
        new = NewDoctor(
            id=new_id(),
            email=plain_email(email),
            name=name.strip(),
            country=country,
            region=region,
            specialty=specialty,
            grade=grade,
            language=language,
            roles=" ".join(sorted({"doctor", *roles})),
            verified_at=now if verified else None,
            created=now,
        )
        check(new)
        code = secrets.token_urlsafe(16)
        async with self._identity.writing() as connection:
            if await identities.by_email(connection, new.email):
                raise Refusal(Code.INVALID, "doctor.known", value=new.email)
            await identities.add(connection, [new])
            await identities.issue_code(connection, digest_of(code), new.id, now + CODE_MS)
        return code

    async def new_code(self, doctor_id: str) -> str:
        """Another one-time code to set a password; the earlier ones end."""
        code = secrets.token_urlsafe(16)
        async with self._identity.writing() as connection:
            expires = self._clock() + CODE_MS
            await identities.issue_code(connection, digest_of(code), doctor_id, expires)
        return code

    async def id_of(self, email: str) -> str | None:
        """For the command line."""
        async with self._identity.reading() as connection:
            found = await identities.by_email(connection, plain_email(email))
        return None if found is None else found[0].id

    # for the k-guard and for sanctions

    async def crowd(self) -> list[Crowd]:
        """The verified doctors, counted by grade, specialty, region and country."""
        async with self._identity.reading() as connection:
            return await identities.crowds(connection)

    async def verified_ids(self) -> list[str]:
        async with self._identity.reading() as connection:
            return await identities.verified_ids(connection)

    async def _open(
        self,
        known: DoctorRecord,
        label: str,
        replacing: str | None,
        *,
        was: str | None = None,
        renewed: str | None = None,
    ) -> tuple[Visit, str]:
        id, secret, now = new_id(), new_secret(), self._clock()
        async with self._identity.writing() as connection:
            # the password may have been replaced while we compared with the old one
            if was is not None and not await identities.replace_password(
                connection, known.id, renewed or was, was=was
            ):
                raise Unrecognised("session.wrong")
            ended = replacing is not None and await visits.end_session_by_secret(
                connection, digest_of(replacing), now
            )
            await visits.add_session(
                connection,
                id=id,
                digest=digest_of(secret),
                doctor_id=known.id,
                label=label[:LONGEST_LABEL],
                now=now,
                expires=now + SESSION_MS,
            )
            if ended:
                await gate.raise_epoch(connection)
        if ended:
            await self.move_gate()
        return Visit(_doctor(known), id, None), secret

    @asynccontextmanager
    async def _revoking(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that raises the epoch with what it ends; after it the gate is moved."""
        async with self._identity.writing() as connection:
            yield connection
            await gate.raise_epoch(connection)
        await self.move_gate()

    async def _open_sessions(self, digests: Collection[bytes]) -> dict[bytes, Opened]:
        async with self._identity.reading() as connection:
            return await visits.open_sessions(connection, digests, self._clock(), IDLE_MS)

    async def _open_tokens(self, digests: Collection[bytes]) -> dict[bytes, Opened]:
        async with self._identity.reading() as connection:
            return await visits.open_tokens(connection, digests)

    async def _note(self, visit: Visit, used: int | None) -> None:
        """Write the last use, at most once a minute; a door never closes because that failed."""
        if used is not None and self._clock() - used < NOTED_MS:
            return
        self._unnoted.add(visit)
        async with self._noting:  # thousands come back together after a restart: few transactions
            if visit not in self._unnoted:
                return
            waiting, self._unnoted = self._unnoted, set()
            try:
                await self.touch(waiting)
            except StorageError as fault:
                log.warning("last use not noted", fault=str(fault))


def plain_email(email: str) -> str:
    return email.strip().lower()


def check(new: NewDoctor) -> None:
    """Raises Refusal `invalid` naming the first attribute that is not one the house knows."""
    for attribute, value, known in (
        ("country", new.country, COUNTRIES),
        ("specialty", new.specialty, SPECIALTIES),
        ("grade", new.grade, GRADES),
        ("language", new.language, LANGUAGES),
        *(("role", role, ROLES) for role in new.roles.split()),
    ):
        if value not in known:
            raise Refusal(Code.INVALID, f"doctor.{attribute}", value=value)
    if not _EMAIL.fullmatch(new.email):
        raise Refusal(Code.INVALID, "doctor.email", value=new.email)
    if not new.name:
        raise Refusal(Code.INVALID, "doctor.name")


def digest_of(secret: str) -> bytes:
    """What the store keeps of a secret of 128 bits or more."""
    return hashlib.sha256(secret.encode()).digest()


def new_id() -> str:
    return secrets.token_urlsafe(12)


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """The prefix lets scanners of published code recognise a token."""
    return f"lounge_{new_secret()}"


def _doctor(known: DoctorRecord) -> Doctor:
    return Doctor(
        known.id,
        known.country,
        known.region,
        known.specialty,
        known.grade,
        known.language,
        known.roles,
        known.verified,
    )


def _ids(asked: Iterable[Visit]) -> tuple[set[str], set[str]]:
    asked = list(asked)
    return {v.session for v in asked if v.session}, {v.token for v in asked if v.token}
