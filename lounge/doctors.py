"""The doctors: who they are to a room, how they sign in, and how what they opened is ended."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.credentials.roll import BY_HOUSE, place, word_of_house
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.house import TEXTS
from lounge.keys import Keys
from lounge.knocks import Knocks
from lounge.notices import account_act
from lounge.passwords import Passwords
from lounge.settings import Settings
from lounge.titles import COUNTRIES, SPECIALTIES
from storage import applications, audit, factors, gate, identities, leavings, officers, visits
from storage.database import Database, StorageError
from storage.identities import Crowd, DoctorRecord, NewDoctor
from storage.visits import Opened, SessionRecord, TokenRecord

log = structlog.get_logger()

GRADES = ("trainee", "specialist", "generalist")
LANGUAGES = ("en", "fr")
ROLES = ("doctor", "moderator", "officer", "registrar")
APART = frozenset({"moderator", "officer"})  # what no registrar may be besides
SESSION_MS = 12 * 3_600_000
IDLE_MS = 2 * 3_600_000
PLAIN, SHARED, OWN = "plain", "shared", "own"  # kinds of session, by whose computer it is
SHARED_IDLE_MS = 10 * 60_000
LASTING = {PLAIN: SESSION_MS, SHARED: SESSION_MS, OWN: 30 * 24 * 3_600_000}
IDLE = {PLAIN: IDLE_MS, SHARED: SHARED_IDLE_MS, OWN: IDLE_MS}
HALF_MS = 5 * 60_000
SECOND = ("totp", "recovery")
HOUSE = "operator"
DAY_MS = 24 * 3_600_000  # once in each she is told that she signed in on a shared computer
NOTED_MS = 60_000  # how exactly the last use is known
CODE_MS = 7 * 24 * 3_600_000
MOST_TOKENS = 20
LONGEST_LABEL = 60
# No sign by which a mail program would read another address than the one whose domain is believed.
_EMAIL = re.compile(
    r"[^@\s\x00-\x1f\x7f,;:<>()\[\]\\\"]{1,64}@(?=.{1,190}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*",
    re.I | re.A,
)

_PLACES = frozenset(
    (
        "world",
        *(f"specialty/{each}" for each in SPECIALTIES),
        *(f"country/{each.lower()}" for each in COUNTRIES),
        *(f"language/{each}" for each in LANGUAGES),
    )
)
"""What a moderator may be appointed for besides rooms of the house."""
_HOUSE = re.compile(r"house/[a-z0-9][a-z0-9-]{0,47}")


class Unrecognised(Refusal):
    """Nobody by this e-mail and password, session or token. At the HTTP door a 401."""

    def __init__(self, key: str = "session.none", *, asks: tuple[str, ...] = ()) -> None:
        super().__init__(Code.FORBIDDEN, key, asks=asks)


class SecondStep(Refusal):
    """The password was right; `secret` is for the cookie that waits for the second step."""

    def __init__(self, secret: str) -> None:
        super().__init__(Code.FORBIDDEN, "session.second", asks=SECOND)
        self.secret = secret


@dataclass(frozen=True, slots=True)
class Doctor:
    """What the house knows of a doctor: never an address, and of names only the one she made up."""

    id: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: frozenset[str]
    verified: bool
    state: str = "applied"
    reason: str | None = None
    accepted: bool = True
    screen_name: str | None = None
    created: int = 0
    """When her account was made, in ms."""

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
        if not self.verified:
            return ("verification",)
        return () if self.accepted else ("acceptance",)


@dataclass(frozen=True, slots=True)
class Visit:
    """A doctor at the door, and the id of the session or token she came with (not its secret).

    `shared`: on a computer that others use, where only her own acts keep the session open.
    """

    doctor: Doctor
    session: str | None
    token: str | None
    shared: bool = False

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
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._keys = keys
        self._passwords = passwords or Passwords()
        self._clock = clock
        self._demo = settings.demo
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
        kind: str = PLAIN,
        device: str | None = None,
    ) -> tuple[Visit, str]:
        """A new session and its secret; the session of the cookie `replacing` ends.

        `kind`: SHARED on a computer that others use, OWN on her own, where `device` is what its other
        cookie holds. The answer and the work are the same for unknown and known e-mails. Raises
        Unrecognised, SecondStep, or Refusal `rate_limited` or `busy` with `retry_after`.
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
        if half := await self._halted(known.id, kind):
            await self._knocks.forgive(email, address, now)
            raise SecondStep(half)
        opened = await self._open(
            known, label, replacing, kind, device, was=hashed, renewed=verdict.renewed
        )
        await self._knocks.forgive(email, address, now)
        return opened

    async def enter_as(
        self,
        doctor_id: str,
        *,
        label: str,
        replacing: str | None = None,
        kind: str = PLAIN,
        device: str | None = None,
    ) -> tuple[Visit, str]:
        """A session without a password: whoever calls this has been shown otherwise who she is."""
        async with self._identity.reading() as connection:
            known = await identities.by_id(connection, doctor_id)
            left = await leavings.has_left(connection, doctor_id)
        if known is None or left:
            raise Unrecognised
        return await self._open(known, label, replacing, kind, device)

    async def by_session(self, secret: str, device: str | None = None) -> Visit | None:
        """Who holds this cookie; None when it was never good or is no longer, or is locked.

        A session of her own device is none without that device's own cookie.
        """
        opened = await self._sessions.get(digest_of(secret))
        if opened is None or not is_from(opened.device, device):
            return None
        visit = Visit(_doctor(opened.doctor), opened.id, None, opened.kind == SHARED)
        await self._note(visit, opened.used)
        return visit

    async def hash_password(self, password: str) -> str:
        """Raises Refusal `busy`, or `invalid` for one too short or too long."""
        return await self._passwords.hash(password)

    async def password_is(self, doctor_id: str, password: str) -> bool:
        """The same work whether or not she has one. Raises Refusal `busy`."""
        async with self._identity.reading() as connection:
            hashed = await identities.password_of(connection, doctor_id)
        return (await self._passwords.compare(password, hashed)).right

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
            found = await visits.still_open(connection, sessions, tokens, self._clock(), IDLE)
        return {
            visit: replace(visit, doctor=_doctor(found[visit.id]))
            for visit in asked
            if visit.id in found
        }

    async def touch(self, visits_: Iterable[Visit]) -> None:
        """Note that these are in use: an open socket calls for its visit once a minute.

        Not those on shared computers: a page left open there is nobody's use.
        """
        sessions, tokens = _ids(visit for visit in visits_ if not visit.shared)
        async with self._identity.writing() as connection:
            await visits.touch(connection, sessions, tokens, self._clock())

    # what a doctor has open

    async def sessions(self, doctor_id: str) -> list[SessionRecord]:
        async with self._identity.reading() as connection:
            return await visits.sessions_of(connection, doctor_id, self._clock(), IDLE)

    async def act_here(self, visit: Visit) -> None:
        """She does something on a shared computer: its ten minutes begin anew."""
        if visit.session:
            async with self._identity.writing() as connection:
                await visits.touch(connection, [visit.session], [], self._clock())

    async def end_session(self, doctor_id: str, session_id: str) -> None:
        """Raises Refusal `not_found` when it is not this doctor's."""
        async with self._revoking() as connection:
            known = await visits.end_session(connection, doctor_id, session_id, self._clock())
            if not known:
                raise Refusal(Code.NOT_FOUND, "session.unknown")

    async def lock(self, visit: Visit) -> None:
        """As if it had not been used for too long: its sockets close, and it waits for its owner."""
        if visit.session:
            async with self._revoking() as connection:
                await visits.touch(connection, [visit.session], [], 0)

    async def end_left_behind(self, secret: str | None) -> bool:
        """End the session of a cookie that opens nothing just now. False when there is none."""
        if secret is None:
            return False
        digest, now = digest_of(secret), self._clock()
        async with self._identity.writing() as connection:
            if await visits.locked_session(connection, digest, now, IDLE) is None:
                return False
            return await visits.end_session_by_secret(connection, digest, now)

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
            await self._record(connection, doctor_id, "token_made")
        return id, secret

    async def end_token(self, doctor_id: str, token_id: str) -> None:
        """Raises Refusal `not_found` when it is not this doctor's."""
        async with self._revoking() as connection:
            known = await visits.end_token(connection, doctor_id, token_id, self._clock())
            if not known:
                raise Refusal(Code.NOT_FOUND, "session.unknown")
            await self._record(connection, doctor_id, "token_ended")

    # changing a doctor

    async def set_password(self, email: str, code: str, password: str, *, address: str) -> None:
        """Spend a one-time code; all the doctor's sessions and tokens end. Raises Refusal."""
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
            await visits.end_all(connection, doctor_id, now)
            await factors.end_halves(connection, doctor_id)
            await self._record(connection, doctor_id, "password_set")
        await self._knocks.forgive(email, address, now)

    async def set_language(self, doctor_id: str, language: str) -> None:
        if language not in LANGUAGES:
            raise Refusal(Code.INVALID, "doctor.language", value=language)
        async with self._revoking() as connection:
            await identities.set_language(connection, doctor_id, language)

    async def set_verified(self, doctor_id: str, verified: bool) -> None:
        """Open the rooms to a doctor, or close them: the operator's word, whatever sources say.

        Whom it verifies is examined at the next look, for her licence and what she once left under.
        """
        standing, now = ("verified", None) if verified else ("suspended", BY_HOUSE), self._clock()
        due = now if verified else None
        async with self._revoking() as connection:
            if verified:
                await word_of_house(connection, doctor_id, now)
            await place(
                connection, self._keys, doctor_id, *standing, by=HOUSE, now=now, valid_until=due
            )

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
        accepted: bool = True,
    ) -> str:
        """A new doctor; returns the one-time code to set her password. Raises Refusal `invalid`.

        `accepted`: the operator has told her what the screens before the first room say.
        """
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
            accepted=now if accepted else None,
            accepted_texts=TEXTS if accepted else None,
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
            await self._record(connection, doctor_id, "code_issued", by=HOUSE)
        return code

    async def hold(self, doctor_id: str, on: bool) -> None:
        """Nothing of hers is erased while it is on, whoever leaves. Audited; she is not told."""
        async with self._identity.writing() as connection:
            await leavings.hold(connection, doctor_id, self._clock() if on else None)
            act = "held" if on else "hold_lifted"
            await audit.append(connection, act, by=HOUSE, about=doctor_id)

    async def set_roles(self, doctor_id: str, roles: Collection[str]) -> None:
        """What she may be besides a doctor. Raises Refusal `invalid`."""
        for role in roles:
            if not is_role(role):
                raise Refusal(Code.INVALID, "doctor.role", value=role)
        keep_apart(roles)
        async with self._revoking() as connection:
            two = await officers.enrolled(connection)
            if any(each.doctor == doctor_id for each in two):  # as long as she has the key
                keep_apart(roles := {*roles, "officer"})
            await applications.set_roles(connection, doctor_id, frozenset({"doctor", *roles}))
            await self._record(connection, doctor_id, "roles_changed", by=HOUSE)

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

    async def find(self, doctor_id: str) -> Doctor | None:
        """As she stands now; None when she is gone."""
        async with self._identity.reading() as connection:
            known = await identities.by_id(connection, doctor_id)
        return None if known is None else _doctor(known)

    async def verified_ids(self) -> list[str]:
        async with self._identity.reading() as connection:
            return await identities.verified_ids(connection)

    async def _open(
        self,
        known: DoctorRecord,
        label: str,
        replacing: str | None,
        kind: str,
        device: str | None,
        *,
        was: str | None = None,
        renewed: str | None = None,
    ) -> tuple[Visit, str]:
        id, secret, now = new_id(), new_secret(), self._clock()
        held = None if replacing is None else digest_of(replacing)
        async with self._identity.writing() as connection:
            # the password may have been replaced while we compared with the old one
            if was is not None and not await identities.replace_password(
                connection, known.id, renewed or was, was=was
            ):
                raise Unrecognised("session.wrong")
            elsewhere = await self._is_elsewhere(connection, known.id, held, kind, now)
            ended = held is not None and await visits.end_session_by_secret(connection, held, now)
            await visits.add_session(
                connection,
                id=id,
                digest=digest_of(secret),
                doctor_id=known.id,
                label=label[:LONGEST_LABEL],
                now=now,
                expires=now + LASTING[kind],
                kind=kind,
                device=digest_of(device) if kind == OWN and device else None,
            )
            if elsewhere:
                await self._record(connection, known.id, "device_new")
            if ended:
                await gate.raise_epoch(connection)
        if ended:
            await self.move_gate()
        return Visit(_doctor(known), id, None, kind == SHARED), secret

    async def _is_elsewhere(
        self, connection: AsyncConnection, doctor_id: str, held: bytes | None, kind: str, now: int
    ) -> bool:
        """On a ward's computers she signs in many times a day: of letters all the time none is read."""
        if self._demo:  # anybody is anybody there
            return False
        since = now - now % DAY_MS if kind == SHARED else None
        return await visits.is_elsewhere(connection, doctor_id, held, shared_since=since)

    async def _halted(self, doctor_id: str, kind: str) -> str | None:
        """A half session's secret, when this doctor's password is only the first step."""
        async with self._identity.reading() as connection:
            totp = await factors.totp_of(connection, doctor_id)
        if totp is None or totp.confirmed is None:
            return None
        secret, now = new_secret(), self._clock()
        async with self._identity.writing() as connection:
            half = (digest_of(secret), doctor_id, kind)
            await factors.add_half(connection, *half, now, now + HALF_MS)
        return secret

    async def _record(
        self, connection: AsyncConnection, doctor_id: str, act: str, *, by: str | None = None
    ) -> None:
        """An act on her account: told to her, and audited. Last but for the epoch."""
        await account_act(connection, self._keys, doctor_id, act, now=self._clock(), by=by)

    @asynccontextmanager
    async def _revoking(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that raises the epoch with what it ends; after it the gate is moved."""
        async with self._identity.writing() as connection:
            yield connection
            await gate.raise_epoch(connection)
        await self.move_gate()

    async def _open_sessions(self, digests: Collection[bytes]) -> dict[bytes, Opened]:
        async with self._identity.reading() as connection:
            return await visits.open_sessions(connection, digests, self._clock(), IDLE)

    async def _open_tokens(self, digests: Collection[bytes]) -> dict[bytes, Opened]:
        async with self._identity.reading() as connection:
            return await visits.open_tokens(connection, digests)

    async def _note(self, visit: Visit, used: int | None) -> None:
        """Write the last use, at most once a minute; a door never closes because that failed."""
        if visit.shared or (used is not None and self._clock() - used < NOTED_MS):
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


def is_from(bound_to: bytes | None, device: str | None) -> bool:
    """Whether a session's other cookie is there, if it is bound to one."""
    if bound_to is None:
        return True
    return device is not None and hmac.compare_digest(bound_to, digest_of(device))


def plain_email(email: str) -> str:
    return email.strip().lower()


def is_email(email: str) -> bool:
    """Whether a letter could be sent there at all."""
    return _EMAIL.fullmatch(email) is not None


def check(new: NewDoctor) -> None:
    """Raises Refusal `invalid` naming the first attribute that is not one the house knows."""
    for attribute, value, known in (
        ("country", new.country, COUNTRIES),
        ("specialty", new.specialty, SPECIALTIES),
        ("grade", new.grade, GRADES),
        ("language", new.language, LANGUAGES),
    ):
        if value not in known:
            raise Refusal(Code.INVALID, f"doctor.{attribute}", value=value)
    for role in filter(lambda each: not is_role(each), new.roles.split()):
        raise Refusal(Code.INVALID, "doctor.role", value=role)
    if not _EMAIL.fullmatch(new.email):
        raise Refusal(Code.INVALID, "doctor.email", value=new.email)
    if not new.name or not new.name.isprintable():  # also no sign that turns the writing round
        raise Refusal(Code.INVALID, "doctor.name")
    keep_apart(new.roles.split())


def is_role(word: str) -> bool:
    """One of ROLES, or a moderator of a room, a country or a language."""
    kind, _, place = word.partition(":")
    known = place in _PLACES or _HOUSE.fullmatch(place) is not None
    return word in ROLES or (kind == "moderator" and known)


def is_moderator(role: str) -> bool:
    """Of whatever."""
    return role.partition(":")[0] == "moderator"


def staff(roles: Collection[str]) -> bool:
    """She moderates, opens seals or lets doctors in: automation never acts on what she wrote."""
    return any(is_moderator(role) or role in ROLES[1:] for role in roles)


def keep_apart(roles: Collection[str]) -> None:
    """Who lets doctors in neither moderates them nor can name them. Raises Refusal `invalid`."""
    kinds = {role.partition(":")[0] for role in roles}
    if "registrar" in kinds and not APART.isdisjoint(kinds):
        raise Refusal(Code.INVALID, "doctor.registrar_apart")


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
        known.state,
        known.reason,
        known.accepted_texts >= TEXTS,
        known.screen_name,
        known.created,
    )


def _ids(asked: Iterable[Visit]) -> tuple[set[str], set[str]]:
    asked = list(asked)
    return {v.session for v in asked if v.session}, {v.token for v in asked if v.token}
