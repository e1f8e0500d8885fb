"""The queue of reports: what lies open for one moderator, whose turn each is, and what came of it.

A claim is of an entry: whoever has one of its reports has them all.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge import policy
from lounge.clock import now_ms
from lounge.conversation import Conversation
from lounge.doctors import Doctor, Doctors
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.moderating import evidence as copies
from lounge.moderating.asked import Means
from lounge.moderating.claims import Claims
from lounge.moderating.docket import Docket
from lounge.moderating.restricted import Restricted
from lounge.moderating.scopes import Scopes
from lounge.moderating.settling import Settling
from lounge.notices import letter
from lounge.personas import Personas
from storage import audit, evidence, outbox, report_notes, reports
from storage.database import Database
from storage.report_notes import Remark
from storage.reports import Report

SHOWN = 100
NOTE_CODE_POINTS = 1000
CONTEXT = 41
OF_TWO = ("talk/", "page/")
_MOST_READ = 1000
_BY = "moderator"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open report as one moderator sees it; `same`: others about its entry; `event`: as it stands, JSON.

    `evidence`: its words as they were reported, where it is hers.
    """

    report: Report
    same: int
    claimed: Literal["mine", "other"] | None
    event: bytes | None
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """`until` in ms."""

    until: int
    evidence: str | None


class Queue:
    """Every method asks whether she may, and raises Refusal; what is read is in the audit before it is."""

    def __init__(
        self,
        *,
        database: Database,
        doctors: Doctors,
        personas: Personas,
        conversation: Conversation,
        keys: Keys,
        scopes: Scopes,
        claims: Claims,
        docket: Docket,
        restricted: Restricted,
        settling: Settling,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._doctors = doctors
        self._personas = personas
        self._conversation = conversation
        self._keys = keys
        self._scopes = scopes
        self._claims = claims
        self._docket = docket
        self._restricted = restricted
        self._settling = settling
        self._clock = clock

    async def open(self, doctor: Doctor) -> list[Waiting]:
        """What is hers to look at: the urgent first, then the oldest, at most 100."""
        _require_moderator(doctor)
        await self._restricted.read("reports")
        found = await self._of_hers(doctor)
        mine = [each.id for each in found if self._is_mine(doctor, each)]
        for id in mine:
            await self._restricted.read("evidence", id)
        async with self._database.reading() as connection:
            same = await reports.counts(connection, {(each.room_id, each.seq) for each in found})
            sealed = await evidence.of(connection, mine)
        events = await self._docket.events({(each.room, each.seq) for each in found})
        return [
            Waiting(
                report=each,
                same=same.get((each.room_id, each.seq), 1) - 1,
                claimed=self._claims.whose(doctor.id, each),
                event=events.get((each.room, each.seq)),
                evidence=self._unsealed(each.id, sealed),
            )
            for each in found
        ]

    async def claim(self, doctor: Doctor, report_id: str) -> Claimed:
        """Hers for 15 minutes, with all other reports about the entry; or 15 more. Another's is refused."""
        report = await self._must_find(doctor, report_id)
        await self._scopes.admit(doctor, report.room, report.seq)
        await self._not_her_own(doctor, report)
        until = self._claims.until()
        async with self._database.writing() as connection:
            for each in await self._held(connection, doctor, report):
                mark = self._claims.mark(doctor.id, each.id)
                await reports.set_claim(connection, each.id, mark, until)
            await _note(connection, "report.claimed", report)
        await self._restricted.read("evidence", report.id)
        async with self._database.reading() as connection:
            sealed = await evidence.of(connection, [report.id])
        return Claimed(until, self._unsealed(report.id, sealed))

    async def release(self, doctor: Doctor, report_id: str) -> None:
        """Anybody's turn again, with the others about the entry."""
        report = await self._must_find(doctor, report_id)
        async with self._database.writing() as connection:
            for each in await self._held(connection, doctor, report, is_hers=True):
                await reports.set_claim(connection, each.id, None, None)
            await _note(connection, "report.released", report)

    async def remark(self, doctor: Doctor, report_id: str, text: str) -> None:
        """A note for other moderators, on what is hers."""
        report = await self._must_find(doctor, report_id)
        await self._scopes.admit(doctor, report.room, report.seq)
        waiver = Waiver(not_patient=False, room=report.room)
        self._conversation.clean(text, "text", NOTE_CODE_POINTS, waiver)
        id = secrets.token_urlsafe(12)
        async with self._database.writing() as connection:
            await self._held(connection, doctor, report, is_hers=True)
            await report_notes.add(connection, id=id, report=report.id, text=text, at=self._clock())
            await _note(connection, "report.noted", report)

    async def remarks(self, doctor: Doctor, report_id: str) -> list[Remark]:
        """What was noted, the oldest first."""
        report = await self._must_find(doctor, report_id)
        await self._scopes.reach(doctor, report.room, report.seq)
        await self._not_her_own(doctor, report)
        await self._restricted.read("notes", report.id)
        async with self._database.reading() as connection:
            return await report_notes.of(connection, report.id)

    async def context(self, doctor: Doctor, report_id: str) -> Sequence[bytes]:
        """The entries around what was reported, ascending, as events (JSON); of two alone, only that one."""
        report = await self._must_find(doctor, report_id)
        await self._scopes.reach(doctor, report.room, report.seq)
        await self._not_her_own(doctor, report)
        await self._restricted.read("context", f"{report.room} {report.seq}")
        if report.room.startswith(OF_TWO):
            place = (report.room, report.seq)
            return list((await self._docket.events({place})).values())
        stretch = await self._docket.transcript.stretch(
            report.room, around=report.seq, limit=CONTEXT
        )
        return stretch.events

    async def close(
        self,
        guest: Guest,
        report_id: str,
        outcome: Literal["upheld", "dismissed"],
        act: Means | None,
    ) -> None:
        """What came of it, for all reports of that kind about the entry; their authors are told.

        What a crowd has done to the entry is confirmed or taken back with it.
        """
        doctor = guest.doctor
        report = await self._must_find(doctor, report_id)
        self._claims.is_hers(doctor.id, report)
        await self._scopes.admit(doctor, report.room, report.seq)
        await self._settling.settle(guest, report, outcome)
        doctor_ids = await self._doctors.verified_ids()
        async with self._database.writing() as connection:
            await self._held(connection, doctor, report, is_hers=True)
            about, now = (report.room_id, report.seq, report.kind), self._clock()
            ids, personas = await reports.close(connection, *about, outcome, now)
            await evidence.drop(connection, ids)
            told = await self._personas.reporters(personas, report.room, doctor_ids)
            await self._tell(connection, told, report, outcome)
            await _note(connection, "report.closed", report, outcome=outcome, means=act or "none")

    # -- privates --------------------------------------------------------------------------------

    async def _of_hers(self, doctor: Doctor) -> list[Report]:
        found: list[Report] = []
        read = 0
        while len(found) < SHOWN and read < _MOST_READ:
            async with self._database.reading() as connection:
                page = await reports.open_reports(connection, SHOWN, read)
            places = {(each.room_id, each.seq): each.room for each in page}
            hers = await self._docket.hers(doctor, places)
            found += [each for each in page if (each.room_id, each.seq) in hers]
            read += len(page)
            if len(page) < SHOWN:
                break
        return found[:SHOWN]

    async def _must_find(self, doctor: Doctor, report_id: str) -> Report:
        _require_moderator(doctor)
        async with self._database.reading() as connection:
            found = await reports.by_id(connection, report_id)
        if found is None or found.outcome is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_report")
        return found

    async def _not_her_own(self, doctor: Doctor, report: Report) -> None:
        """What was said against her is not hers to read."""
        place = (report.room_id, report.seq)
        if place not in await self._docket.hers(doctor, {place: report.room}):
            raise Refusal(Code.FORBIDDEN, "refusal.speaks_here")

    async def _held(
        self, connection: AsyncConnection, doctor: Doctor, report: Report, *, is_hers: bool = False
    ) -> Collection[Report]:
        """The open reports about its entry, locked: free for her, or hers. Raises Refusal."""
        found = await reports.open_about(connection, report.room_id, report.seq, lock=True)
        for each in found:
            self._claims.is_free_for(doctor.id, each)
        this = next((each for each in found if each.id == report.id), None)
        if this is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_report")
        if is_hers:
            self._claims.is_hers(doctor.id, this)
        return found

    async def _tell(
        self, connection: AsyncConnection, doctor_ids: Sequence[str], report: Report, outcome: str
    ) -> None:
        notice = {"notice": f"report_{outcome}", "about": report.room, "target": report.seq}
        said = {**notice, "reason": report.kind}
        for each in doctor_ids:
            await outbox.put(connection, letter(self._keys, each, said, at=self._clock()))

    def _is_mine(self, doctor: Doctor, report: Report) -> bool:
        return self._claims.whose(doctor.id, report) == "mine"

    def _unsealed(self, report_id: str, sealed: dict[str, bytes]) -> str | None:
        found = sealed.get(report_id)
        return None if found is None else copies.unseal(self._keys, report_id, found)


async def _note(connection: AsyncConnection, act: str, report: Report, **detail: str) -> None:
    place = f"{report.room} {report.seq}"
    said = {"report": report.id, "kind": report.kind, **detail}
    await audit.append_lounge(connection, act, by=_BY, about=place, detail=said)


def _require_moderator(doctor: Doctor) -> None:
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
