"""Applications: how a doctor who has applied stands, and when that is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.credentials.claims import Claim, Finding, Source, Subject
from lounge.credentials.decision import AGAIN, REGISTRAR, Decision, decide
from lounge.credentials.forms import amended, require_open
from lounge.credentials.presets import Preset
from lounge.credentials.records import claim_of, finding_of, mark_of, record_of, whom_of
from lounge.credentials.roll import BY_HOUSE, HOUSE, HOUSE_REASONS, NOT_LISTED, house_finding, place
from lounge.errors import Code, Refusal
from lounge.house import TEXTS
from lounge.keys import Keys
from storage import applications, audit, findings, gate, oidc_links, vouchers
from storage.applications import Applicant
from storage.database import Database

__all__ = ["Applicant", "Applications"]

LOOK_AGAIN_MS = 10 * 60_000
AWAY_MS = 3_600_000
DUE_AT_ONCE = 20
_WORDS = ("agrees", "disagrees")


class Applications:
    """Every method may raise StorageError. Times are ms since 1970."""

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        keys: Keys,
        *,
        preset: Preset,
        sources: Sequence[Source],
        inherit: Callable[[str, bytes], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._keys = keys
        self.preset = preset
        self.sources = sources
        self._inherit = inherit
        self._clock = clock

    # as she stands

    async def see(self, doctor_id: str) -> tuple[Applicant, list[Finding]]:
        """How she stands and what was found. Raises Refusal `not_found`."""
        async with self._identity.reading() as connection:
            who = await applications.by_id(connection, doctor_id)
            found = [finding_of(each) for each in await findings.of(connection, doctor_id)]
        if who is None:
            raise Refusal(Code.NOT_FOUND, "application.unknown")
        return who, found

    async def see_open(self, doctor_id: str) -> None:
        """Raises Refusal `forbidden` once there is nothing more to show."""
        who, _ = await self.see(doctor_id)
        require_open(who)

    async def amend(self, doctor_id: str, **changes: str) -> None:
        """Correct what she has claimed, by name, before she is verified. Raises Refusal.

        Whoever spoke for her did so for what she had said: nothing of that counts any more, and a new
        name asks for new vouchers. What spoke against her is not got rid of so: a registrar looks.
        """
        async with self._identity.writing() as connection:
            who = await applications.by_id(connection, doctor_id, hold=True)
            if who is None:
                raise Refusal(Code.NOT_FOUND, "application.unknown")
            values = amended(who, changes)
            await applications.amend(connection, doctor_id, **values)
            found = [finding_of(each) for each in await findings.of(connection, doctor_id)]
            left = _left(who, values, found, self._clock())
            await findings.replace(
                connection, doctor_id, [record_of(doctor_id, each) for each in left]
            )
            if values.get("name", who.name) != who.name:
                await vouchers.drop(connection, whom_of(self._keys.identity, who.email))
            await audit.append(connection, "application_amended", by=doctor_id, about=doctor_id)

    async def accept(self, doctor_id: str, version: int) -> None:
        """She has read what the screens before the first room say. Raises Refusal for earlier ones."""
        if version != TEXTS:
            raise Refusal(Code.INVALID, "application.texts", field="version")
        async with self._changing() as connection:
            await applications.amend(
                connection, doctor_id, accepted=self._clock(), accepted_texts=version
            )
            detail = {"version": str(version)}
            await audit.append(
                connection, "screens_accepted", by=doctor_id, about=doctor_id, detail=detail
            )
            await gate.raise_epoch(connection)

    # how she is to stand

    async def examine(self, doctor_id: str, *, by: str = "sources") -> Applicant:
        """Ask every source, and have her stand as they say. Raises Refusal `not_found`.

        A suspension by the house stays. Rooms close in the same transaction in which she no longer
        is verified.
        """
        who, stored = await self.see(doctor_id)
        claim = claim_of(who)
        asked = await self._asked(claim)
        found = _merged(stored, asked) + _by_hand(who, stored, self._clock())
        is_away = any(finding.verdict == "away" for finding in asked)
        if decide(found, self.preset, self._clock()).state == "verified":
            await self._burden(claim)
        async with self._changing() as connection:
            now_stands = await applications.by_id(connection, doctor_id, hold=True)
            if now_stands is None or claim_of(now_stands) != claim:
                return who  # she has changed it meanwhile, and is examined for that
            if _is_shut(now_stands):
                await applications.amend(connection, doctor_id, valid_until=None)
                return now_stands
            said = [finding_of(each) for each in await findings.of(connection, doctor_id)]
            if _by_people(said) != _by_people(stored):  # who spoke meanwhile is not overruled
                await applications.ask_anew(connection, doctor_id, self._clock())
                return now_stands
            await findings.replace(
                connection, doctor_id, [record_of(doctor_id, each) for each in found]
            )
            await self._settle(connection, claim, found, by, is_away=is_away)
        return (await self.see(doctor_id))[0]

    async def suspend(
        self, doctor_id: str, reason: str = BY_HOUSE, *, by: str = "operator"
    ) -> None:
        """Close the rooms to her at once, until `reinstate`.

        A list that no longer has her says nothing new of whom the house has suspended, or who has left:
        else the next list would let her in again.
        """
        async with self._changing() as connection:
            now, who = self._clock(), await applications.by_id(connection, doctor_id, hold=True)
            if who and reason == NOT_LISTED and _is_shut(who):
                return
            if await place(connection, self._keys, doctor_id, "suspended", reason, by=by, now=now):
                await gate.raise_epoch(connection)

    async def reinstate(self, doctor_id: str, *, by: str = "operator") -> Applicant:
        """Lift the house's own suspension: she stands as the sources say."""
        async with self._changing() as connection:
            now = self._clock()
            if await place(connection, self._keys, doctor_id, "checking", None, by=by, now=now):
                await gate.raise_epoch(connection)
        return await self.examine(doctor_id, by=by)

    async def recheck_due(self) -> None:
        """Examine again whose day has come, or of whom something new is known. Runs as a loop."""
        now = self._clock()
        async with self._identity.reading() as connection:
            if not await applications.any_due(connection, now):
                return
        async with self._identity.writing() as connection:
            due = await applications.take_due(connection, now, now + LOOK_AGAIN_MS, DUE_AT_ONCE)
        for doctor_id in due:
            await self.examine(doctor_id)

    async def _asked(self, claim: Claim) -> list[Finding]:
        found = await asyncio.gather(*(source.examine(claim) for source in self.sources))
        return [finding for finding in found if finding is not None]

    async def _burden(self, claim: Claim) -> None:
        """Whoever left under a sanction comes back under it, before any room opens."""
        async with self._identity.reading() as connection:
            marks = await self._marks(connection, claim)
        for each in marks:
            await self._inherit(claim.doctor_id, each)

    async def _marks(self, connection: AsyncConnection, claim: Claim) -> list[bytes]:
        """What she is known again by: her licence, then who she is in other houses."""
        marks = await oidc_links.subjects(connection, claim.doctor_id)
        if claim.body and claim.licence:
            marks.insert(0, mark_of(self._keys.identity, claim.body, claim.licence))
        return marks

    async def _settle(
        self,
        connection: AsyncConnection,
        claim: Claim,
        found: Sequence[Finding],
        by: str,
        *,
        is_away: bool,
    ) -> None:
        now = self._clock()
        decision = decide(found, self.preset, now)
        is_strong = any(each.strong and each.verdict == "agrees" for each in found)
        decision = await self._with_licence(connection, claim, decision, is_strong)
        if await place(
            connection,
            self._keys,
            claim.doctor_id,
            decision.state,
            decision.reason,
            by=by,
            now=now,
            valid_until=_until(decision, now) if is_away else decision.valid_until,
        ):
            await gate.raise_epoch(connection)

    async def _with_licence(
        self, connection: AsyncConnection, claim: Claim, decision: Decision, is_strong: bool
    ) -> Decision:
        """One licence, one account. It is hers once she is verified: a claim alone blocks nobody."""
        if (claim.body is None or claim.licence is None) and not is_strong:
            return _numbered(decision)
        marks = await self._marks(connection, claim)
        if any([await applications.is_banned(connection, each) for each in marks]):
            return Decision("refused", "licence_banned")
        if not marks:
            return decision
        if await applications.holder(connection, marks[0]) not in (None, claim.doctor_id):
            return Decision("refused", "licence_in_use")
        if decision.state == "verified":
            await applications.hold_mark(connection, claim.doctor_id, marks[0])
        return decision

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction after which the gate stands where it should."""
        async with self._identity.writing() as connection:
            yield connection
        await gate.follow(self._lounge, self._identity)


def _merged(stored: Iterable[Finding], asked: Iterable[Finding]) -> list[Finding]:
    """What was asked now; from a source that is away, what it said last, for her or against.

    What a registrar or the house has said stays said.
    """
    now = {finding.source: finding for finding in asked}
    kept = {}
    for finding in stored:
        is_away = finding.source in now and now[finding.source].verdict == "away"
        if finding.source in (REGISTRAR, HOUSE) or (is_away and finding.verdict in _WORDS):
            kept[finding.source] = finding
    return list({**now, **kept}.values())


def _left(
    who: Applicant, values: Mapping[str, object], found: Iterable[Finding], now: int
) -> list[Finding]:
    """What still counts of a claim that she changes: the operator's word, and what she may not escape.

    Whom a registrar refused, and whoever parts with a licence that is no longer good, is hers to see.
    """
    kept, refused = [], False
    for finding in found:
        if finding.source == HOUSE:
            kept.append(finding)
        refused |= finding.source == REGISTRAR and finding.verdict != "agrees"
    parts = (values["body"], values["licence"]) != (who.body, who.licence)
    if refused or (parts and (who.state == "expired" or who.reason == "licence_banned")):
        none = frozenset[Subject]()
        kept.append(Finding(REGISTRAR, REGISTRAR, none, "unknown", AGAIN, False, now))
    return kept


def _numbered(decision: Decision) -> Decision:
    """Without a number nobody could see that one licence opens two accounts, or opens one again."""
    if decision.state != "verified":
        return decision
    return Decision("checking", "licence_unproved")


def _by_people(found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.source in (REGISTRAR, HOUSE)]


def _is_shut(who: Applicant) -> bool:
    return who.state == "suspended" and who.reason in HOUSE_REASONS


def _by_hand(who: Applicant, stored: Sequence[Finding], now: int) -> list[Finding]:
    """Whom the operator verified before any source was asked stays so until one speaks against her."""
    return [house_finding(now)] if who.state == "verified" and not stored else []


def _until(decision: Decision, now: int) -> int:
    """Whom a source that was away could tell of is asked for again soon."""
    return min(now + AWAY_MS, decision.valid_until or now + AWAY_MS)
