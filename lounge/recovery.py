"""When something is lost: codes on paper instead of the app, and a letter instead of the password."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import digest_of, is_email, plain_email
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.knocks import Knocks
from lounge.mail import mail_of, post
from lounge.notices import account_act
from lounge.settings import Settings
from storage import factors, identities, leavings
from storage.database import Database
from storage.identities import DoctorRecord

CODES = 10
MOST_ASKED = 1_000  # letters that wait to be written
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another on paper
GROUP = 5
GROUPS = 4  # 20 of 31 letters: 99 bits
MAILED_MS = 3_600_000


class RecoveryCodes:
    """Ten at a time, kept as hashes; each stands in once for a code of the app."""

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

    async def left(self, doctor_id: str) -> int:
        async with self._identity.reading() as connection:
            return await factors.recovery_codes_left(connection, doctor_id)

    async def make(self, doctor_id: str) -> list[str]:
        """New ones, shown once; those before are good no more."""
        codes, now = [_code() for _ in range(CODES)], self._clock()
        digests = [digest_of(_plain(code)) for code in codes]
        async with self._identity.writing() as connection:
            await factors.put_recovery_codes(connection, doctor_id, digests, now)
            await account_act(connection, self._keys, doctor_id, "recovery_codes_made", now=now)
        return codes

    async def spend(self, connection: AsyncConnection, doctor_id: str, code: str) -> bool:
        """True once for each code, however it is spaced. She is told."""
        digest, now = digest_of(_plain(code)), self._clock()
        if not await factors.spend_recovery_code(connection, doctor_id, digest, now):
            return False
        await account_act(connection, self._keys, doctor_id, "recovery_code_used", now=now)
        return True


class Recovery:
    """A forgotten password: a code by mail, with which the owner sets another."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        settings: Settings,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._knocks = Knocks(identity, keys.identity, lifted=settings.bench)
        self._clock = clock
        self._asked: deque[tuple[str, str]] = deque()

    async def ask(self, email: str, language: str, *, address: str) -> None:
        """A letter goes to `email` whether or not anybody is known by it: nobody else learns which.

        It is written at the next round of the mail, so that neither this answer's time nor the next one's
        says anything either. Raises Refusal `rate_limited`, `busy`, StorageError.
        """
        email = plain_email(email)
        await self._knocks.count(f"recovery {email}", address, self._clock())
        if len(self._asked) == MOST_ASKED:
            raise Refusal(Code.BUSY, "error.busy", retry_after=1)
        self._asked.append((email, language))

    async def write(self) -> None:
        """Write every letter that was asked for. On a StorageError the rest waits for the next time."""
        while self._asked:
            await self._write(*self._asked[0])
            self._asked.popleft()

    async def _write(self, email: str, language: str) -> None:
        async with self._identity.writing() as connection:
            found = await identities.by_email(connection, email)
            if found is None or await leavings.has_left(connection, found[0].id):
                await self._tell_nobody(connection, email, language)
            else:
                await self._tell_owner(connection, email, found[0])

    async def _tell_owner(
        self, connection: AsyncConnection, email: str, known: DoctorRecord
    ) -> None:
        code, now = secrets.token_urlsafe(16), self._clock()
        await identities.issue_code(connection, digest_of(code), known.id, now + MAILED_MS)
        letter = mail_of("recovery", known.language, email, code=code)
        await post(connection, self._keys.identity, letter, now)
        await account_act(connection, self._keys, known.id, "recovery_asked", now=now)

    async def _tell_nobody(self, connection: AsyncConnection, email: str, language: str) -> None:
        if is_email(email):
            letter = mail_of("recovery_unknown", language, email)
            await post(connection, self._keys.identity, letter, self._clock())


def _code() -> str:
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())
