"""Other houses that sign doctors in here, each also a source: what it says of her is asked again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.credentials.claims import REMOVED, Claim, Finding, Verdict
from lounge.credentials.folding import same_name
from lounge.credentials.oidc import Answer, Away, Denied, Errand, Oidc, errand_for
from lounge.credentials.providers import Provider
from lounge.errors import Code, Refusal
from lounge.keys import KeyFault, Keys
from lounge.knocks import Knocks
from lounge.notices import account_act
from storage import applications, identities, leavings, oidc_links
from storage.database import Database, StorageError
from storage.oidc_links import Link

AGREES, AGAIN = "house_agrees", "house_again"
PROFESSION, NAME, LICENCE, AWAY = (
    "house_profession",
    "house_name",
    "house_licence",
    "source_away",
)
ERRAND_MS = 10 * 60_000
JUST_NOW_MS = 60_000
RETRY_MS = 15 * 60_000
_ANOTHER_MAY_HAVE_ASKED_SECONDS = 1.0
_LABEL, _ERRAND = "oidc link", "oidc errand"


class House:
    """One provider: who signs in by it, and what it says of her. Methods may raise StorageError."""

    def __init__(
        self,
        provider: Provider,
        identity: Database,
        keys: Keys,
        knocks: Knocks,
        clock: Callable[[], int],
    ) -> None:
        self.provider = provider
        self.name = f"oidc:{provider.name}"
        self._oidc = Oidc(provider)
        self._identity = identity
        self._keys = keys
        self._keyring = keys.identity
        self._knocks = knocks
        self._clock = clock

    # signing in

    async def send(self, doctor_id: str | None, kind: str, back: str) -> tuple[str, str]:
        """Where to send the browser, and what it keeps meanwhile. Raises Refusal `busy`.

        `doctor_id`: who is signed in here already and wants to be known there too. `kind`: of the
        session that is opened otherwise.
        """
        errand = errand_for(self.provider.name, doctor_id, kind, self._clock() + ERRAND_MS)
        try:
            url = await self._oidc.start(errand, back)
        except (Away, Denied):
            raise Refusal(Code.BUSY, "oidc.away") from None
        return url, self._keyring.seal(_ERRAND, msgspec.json.encode(errand)).hex()

    async def receive(
        self, kept: str, said: Mapping[str, str], back: str, *, address: str
    ) -> tuple[str, str | None]:
        """The doctor who comes back, known here from now on, and the kind of session to open for her.

        None for the kind: she was signed in when she left. Raises Refusal.
        """
        errand, now = self._errand(kept, said.get("state", "")), self._clock()
        await self._knocks.count(f"oidc {errand.state}", address, now)
        if "code" not in said:
            raise Refusal(Code.FORBIDDEN, "oidc.refused")
        try:
            answer = await self._oidc.arrive(errand, said["code"], back)
        except Away:
            raise Refusal(Code.BUSY, "oidc.away") from None
        except Denied:
            raise Refusal(Code.FORBIDDEN, "oidc.refused") from None
        doctor_id = await self._linked(errand.doctor, answer)
        await self._knocks.forgive(f"oidc {errand.state}", address, now)
        return doctor_id, None if errand.doctor else errand.kind

    def _errand(self, kept: str, state: str) -> Errand:
        """What this browser left with, if it comes back with the same. Raises Refusal."""
        try:
            plain = self._keyring.unseal(_ERRAND, bytes.fromhex(kept))
            errand = msgspec.json.decode(plain, type=Errand)
        except (KeyFault, ValueError):
            raise Refusal(Code.FORBIDDEN, "oidc.expired") from None
        same = hmac.compare_digest(errand.state.encode(), state.encode())
        if not same or errand.provider != self.provider.name or errand.until <= self._clock():
            raise Refusal(Code.FORBIDDEN, "oidc.expired")
        return errand

    async def _linked(self, doctor_id: str | None, answer: Answer) -> str:
        subject = self._subject(answer.told.subject)
        async with self._identity.writing() as connection:
            known = await oidc_links.by_subject(connection, self.provider.name, subject)
            owner = known.doctor if known else None
            if owner is None and doctor_id is None:
                owner = await self._by_email(connection, answer)
            if owner is None and doctor_id is None:
                raise Refusal(Code.FORBIDDEN, "oidc.unknown")
            if owner is not None and await leavings.has_left(connection, owner):
                raise Refusal(Code.FORBIDDEN, "oidc.unknown")  # on hold perhaps, but closed
            if owner is not None and doctor_id not in (None, owner):
                raise Refusal(Code.FORBIDDEN, "oidc.taken")
            who = owner or doctor_id or ""
            sealed = self._sealed(who, answer)
            link = Link(self.provider.name, subject, who, sealed, self._clock())
            await oidc_links.keep(connection, link)
            await self._adopt_licence(connection, who, answer)
            await applications.ask_anew(connection, who, self._clock())
            if known is None:
                await self._tell(connection, who)
        return who

    async def _tell(self, connection: AsyncConnection, doctor_id: str) -> None:
        """Another way into her account is something that she must hear of."""
        detail, now = {"provider": self.provider.name}, self._clock()
        await account_act(connection, self._keys, doctor_id, "house_linked", now=now, detail=detail)

    async def _by_email(self, connection: AsyncConnection, answer: Answer) -> str | None:
        """Only where the operator trusts the provider with e-mails, and it has checked this one."""
        if not self.provider.by_email or answer.told.email is None:
            return None
        found = await identities.by_email(connection, answer.told.email)
        return found[0].id if found else None

    async def _adopt_licence(
        self, connection: AsyncConnection, doctor_id: str, answer: Answer
    ) -> None:
        """Who named no licence has the one that is told of her: one licence opens one account."""
        who = await applications.by_id(connection, doctor_id, hold=True)
        if who and who.licence is None and answer.told.licence:
            told = {"body": self.provider.body, "licence": answer.told.licence}
            await applications.amend(connection, doctor_id, **told)

    # as a source

    async def examine(self, claim: Claim) -> Finding | None:
        """None for a doctor whom this house has never signed in here."""
        try:
            async with self._identity.reading() as connection:
                link = await oidc_links.by_doctor(connection, self.provider.name, claim.doctor_id)
            if link is None:
                return None
            return await self._examined(claim, link)
        except StorageError:
            return self._finding(("away", AWAY), None)

    async def _examined(self, claim: Claim, link: Link) -> Finding:
        now, answer = self._clock(), self._unsealed(link)
        if answer is None:
            return self._finding(("disagrees", REMOVED), None)
        until = link.confirmed + self.provider.recheck_ms
        if now < link.confirmed + JUST_NOW_MS or (answer.refresh is None and now < until):
            return self._finding(self._judged(claim, answer), until)
        if answer.refresh is None:
            return self._finding(("unknown", AGAIN), None)
        try:
            fresh = await self._again(link, answer)
        except Away:
            return self._while_away(claim, answer, link)
        if fresh is None:
            return self._finding(("disagrees", REMOVED), None)
        return self._finding(self._judged(claim, fresh), now + self.provider.recheck_ms)

    def _while_away(self, claim: Claim, answer: Answer, link: Link) -> Finding:
        """A provider that is down for a night puts nobody out: what it said is good once as long."""
        end = link.confirmed + 2 * self.provider.recheck_ms
        if self._clock() >= end:
            return self._finding(("away", AWAY), None)
        return self._finding(self._judged(claim, answer), min(end, self._clock() + RETRY_MS))

    async def _again(self, link: Link, answer: Answer) -> Answer | None:
        """What it says now, kept; None when it knows her no more. Raises Away."""
        try:
            fresh: Answer | None = await self._oidc.again(answer)
        except Denied:
            fresh = None
        if fresh is None:
            # a refresh token may be good only once, and another process may just have used it
            await asyncio.sleep(_ANOTHER_MAY_HAVE_ASKED_SECONDS)
        async with self._identity.writing() as connection:
            sealed = self._sealed(link.doctor, fresh)
            if await oidc_links.confirm(connection, link, sealed, self._clock()):
                return fresh
            standing = await oidc_links.by_doctor(connection, link.provider, link.doctor)
        return None if standing is None else self._unsealed(standing)

    def _judged(self, claim: Claim, answer: Answer) -> tuple[Verdict, str]:
        told = answer.told
        if not told.meets:
            return "disagrees", PROFESSION
        if "licence" in self.provider.claims and (
            told.licence is None
            or (claim.body, claim.licence) != (self.provider.body, told.licence)
        ):
            return "disagrees", LICENCE
        if not same_name(claim.name, told.name):
            return "disagrees", NAME
        return "agrees", AGREES

    def _finding(self, said: tuple[Verdict, str], until: int | None) -> Finding:
        verdict, reason = said
        return Finding(
            source=self.name,
            family=self.name,
            covers=self.provider.covers,
            verdict=verdict,
            reason=reason,
            public=False,
            at=self._clock(),
            strong=self.provider.strong,
            valid_until=until,
        )

    def _subject(self, subject: str) -> bytes:
        key = self._keyring.subkey(_LABEL)
        return hmac.digest(key, f"{self.provider.issuer} {subject}".encode(), hashlib.sha256)

    def _sealed(self, doctor_id: str, answer: Answer | None) -> bytes:
        return self._keyring.seal(_LABEL, msgspec.json.encode(answer), self._about(doctor_id))

    def _unsealed(self, link: Link) -> Answer | None:
        plain = self._keyring.unseal(_LABEL, link.sealed, self._about(link.doctor))
        return msgspec.json.decode(plain, type=Answer | None)

    def _about(self, doctor_id: str) -> bytes:
        return f"{self.provider.name} {doctor_id}".encode()


class Houses:
    """All of them, by name."""

    def __init__(self, houses: Sequence[House] = ()) -> None:
        self.all = tuple(houses)

    @classmethod
    def opened(
        cls,
        providers: Iterable[Provider],
        identity: Database,
        keys: Keys,
        knocks: Knocks,
        clock: Callable[[], int],
    ) -> Houses:
        """One house a provider; nobody is asked before somebody comes."""
        return cls([House(each, identity, keys, knocks, clock) for each in providers])

    def __getitem__(self, name: str) -> House:
        """Raises Refusal `not_found`."""
        for house in self.all:
            if house.provider.name == name:
                return house
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_page")
