"""The house's own list of doctors: a CSV file that invites, and in time strikes off.

Columns `email`, `name`, `country`, `specialty`; and, where they are known, `grade`, `region`,
`language`, `body`, `licence`. A line that is wrong is reported and does not stop the others.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lounge.credentials.applications import Applications
from lounge.credentials.claims import BOTH, PERSON, Claim, Finding
from lounge.credentials.roll import NOT_LISTED
from lounge.credentials.validators import normalised
from lounge.doctors import CODE_MS, check, digest_of, new_id, plain_email
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.mail import mail_of, post
from storage import audit, identities, invitations
from storage.database import Database
from storage.identities import NewDoctor

COLUMNS = ("email", "name", "country", "specialty")


@dataclass(slots=True)
class Invited:
    """What came of a file: how many were new, were known, were struck off; and what was wrong."""

    added: int = 0
    known: int = 0
    struck: int = 0
    wrong: list[tuple[int, Refusal]] = field(default_factory=list)


class Listed:
    """A source: the house's own list says that she is one of its doctors."""

    name = "invitation"

    def __init__(self, identity: Database, *, strong: bool, clock: Callable[[], int]) -> None:
        self._identity = identity
        self._strong = strong
        self._clock = clock

    async def examine(self, claim: Claim) -> Finding | None:
        async with self._identity.reading() as connection:
            if not await invitations.has(connection, claim.email):
                return None
        return Finding(
            source=self.name,
            family="invitation",
            covers=BOTH if self._strong else PERSON,
            verdict="agrees",
            reason="invited",
            public=False,
            at=self._clock(),
            strong=self._strong,
        )


class Invitations:
    """Every method may raise StorageError."""

    def __init__(
        self, identity: Database, keys: Keys, joining: Applications, clock: Callable[[], int]
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._joining = joining
        self._clock = clock

    async def invite(self, lines: Iterable[str], *, remove_missing: bool) -> Invited:
        """Invite everybody in the file; may be repeated with the same or a newer one.

        With `remove_missing` whoever was invited and is not in it any more is suspended. That is not
        done for a file with a wrong line, for she might stand there. Raises Refusal for one that is no
        list at all.
        """
        done, emails = Invited(), set[str]()
        for line, row in _rows(lines):
            emails.add(plain_email(row.get("email") or ""))
            try:
                fresh = await self._invite(row)
            except Refusal as refusal:
                done.wrong.append((line, refusal))
            else:
                done.added, done.known = done.added + fresh, done.known + (not fresh)
        if remove_missing and not done.wrong and emails:
            done.struck = await self._strike(emails)
        return done

    async def _invite(self, row: Mapping[str, str]) -> bool:
        """True when she was not known. Raises Refusal `invalid`."""
        new, now = _new_doctor(row, self._clock()), self._clock()
        code = secrets.token_urlsafe(16)
        async with self._identity.writing() as connection:
            found = await identities.by_email(connection, new.email)
            listed = await invitations.has(connection, new.email)
            await invitations.add(connection, new.email, now)
            if found is None:
                await identities.add(connection, [new])
                await identities.issue_code(connection, digest_of(code), new.id, now + CODE_MS)
                letter = mail_of("invited", new.language, new.email, code=code)
                await post(connection, self._keys.identity, letter, now)
                await audit.append(connection, "invited", by="operator", about=new.id)
        if found is None:
            await self._joining.examine(new.id)
        elif not listed:
            await self._again(found[0].id, found[0].reason)
        return found is None

    async def _again(self, doctor_id: str, reason: str | None) -> None:
        """She was known, and is on the list from now on."""
        if reason == NOT_LISTED:
            await self._joining.reinstate(doctor_id)
        else:
            await self._joining.examine(doctor_id)

    async def _strike(self, emails: set[str]) -> int:
        async with self._identity.reading() as connection:
            gone = await invitations.missing_from(connection, emails)
            ids = await identities.ids_by_email(connection, gone)
        for email in gone:
            if email in ids:  # first, so that a repeated call finds her again after a fault
                await self._joining.suspend(ids[email], NOT_LISTED)
            async with self._identity.writing() as connection:
                await invitations.remove(connection, email)
        return len(gone)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The number of each line and what stands in it. Raises Refusal `invalid`."""
    reader = csv.DictReader(lines, restval="")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise Refusal(Code.INVALID, "invite.columns", value=", ".join(missing))
    for row in reader:
        yield reader.line_num, {name: (row.get(name) or "").strip() for name in row if name}


def _new_doctor(row: Mapping[str, str], now: int) -> NewDoctor:
    body, licence = row.get("body") or None, row.get("licence") or None
    new = NewDoctor(
        id=new_id(),
        email=plain_email(row["email"]),
        name=row["name"],
        country=row["country"],
        region=row.get("region") or None,
        specialty=row["specialty"],
        grade=row.get("grade") or "specialist",
        language=row.get("language") or "en",
        roles="doctor",
        verified_at=None,
        created=now,
        accepted=None,
        body=body,
        licence=normalised(body, licence) if body and licence else None,
    )
    check(new)
    return new
