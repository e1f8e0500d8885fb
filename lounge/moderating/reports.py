"""Reports by doctors: how much one weighs, what enough of them do at once, and who is told.

A crowd hides what names a patient or advertises until a moderator has looked. Advice it cannot hide, for
somebody may be acting on it: it is shown as disputed. What moderators and officers wrote it does not touch.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from lounge import doctors
from lounge.acting import Plan, Seat
from lounge.clock import now_ms
from lounge.conversation import Conversation
from lounge.doctors import Doctor, Doctors
from lounge.errors import Code, Refusal
from lounge.faces import face_of
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import REPORTS, Limits
from lounge.moderating import evidence as copies
from lounge.moderating.accuracy import Accuracy
from lounge.moderating.asked import Reason
from lounge.moderating.duty import Duty, Staff
from lounge.moderating.hiding import Hiding, Why
from lounge.moderating.scopes import Scopes, about
from lounge.notices import letter
from lounge.personas import Personas
from storage import entries, evidence, reports
from storage.acts import Letter, Outcome, Step
from storage.database import Database
from storage.entries import Standing
from storage.reports import URGENT, Filed

KINDS = frozenset(get_args(Reason))
HIDDEN_BY_MANY = frozenset({"patient_identifiable", "advertising"})
DISPUTED_BY_MANY = "dangerous_advice"
ENOUGH = 3
"""The weight at which something happens; of a dispute also the least number of doctors."""


@dataclass(frozen=True, slots=True)
class _Case:
    """An entry that is being reported: how it stands, and what is open of that kind about it."""

    seq: int
    kind: str
    note: str | None
    weight: int
    reporter: bytes
    was: Standing
    filed: Sequence[Filed]
    restored: bool

    @property
    def total(self) -> int:
        return sum(each.weight for each in self.filed)

    @property
    def stands(self) -> bool:
        """It has words that everybody can read."""
        return not self.was.is_gone and self.was.kind in entries.HIDEABLE

    @property
    def may_be_hidden(self) -> bool:
        """By a crowd: not what a moderator has looked at and shown again."""
        return self.kind in HIDDEN_BY_MANY and self.stands and not self.restored

    @property
    def disputing(self) -> list[Filed]:
        """The reports that count, this one last."""
        filed = (*self.filed, Filed(self.reporter, self.weight, self.note))
        return [each for each in filed if each.weight]


class Reports:
    """Takes reports, and does what enough of them ask for in the act of the last one."""

    def __init__(
        self,
        *,
        database: Database,
        doctors: Doctors,
        conversation: Conversation,
        personas: Personas,
        limits: Limits,
        keys: Keys,
        accuracy: Accuracy,
        duty: Duty,
        scopes: Scopes,
        hiding: Hiding,
    ) -> None:
        self._database = database
        self._doctors = doctors
        self._conversation = conversation
        self._personas = personas
        self._limits = limits
        self._keys = keys
        self._accuracy = accuracy
        self._duty = duty
        self._scopes = scopes
        self._hiding = hiding

    async def report(
        self,
        seat: Seat,
        seq: int,
        cid: str,
        kind: str,
        note: str | None,
        *,
        not_patient: bool = False,
    ) -> Outcome:
        """Ask a moderator to look at an entry; once more about the same is the same report.

        Raises Refusal.
        """
        request = self._conversation.request(seat, cid, "report", seq, kind, note)
        if kind not in KINDS:
            raise Refusal(Code.INVALID, "refusal.report_kind", field="kind")
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        self._limits.spend(REPORTS, seat.guest.doctor.id)
        may_be_shown = kind == DISPUTED_BY_MANY  # to everybody, who wrote none of it
        waiver = Waiver(not_patient=not_patient and not may_be_shown, room=seat.room.id)
        self._conversation.guarding.admit(note or "", waiver, field="note")
        weight = await self._weight(seat.guest.doctor)

        async def plan() -> Plan:
            return await self._plan(seat, await self._case(seat, seq, kind, note, weight))

        try:
            return await self._conversation.planned(seat, request, plan)
        except _FiledBefore:
            return Outcome((), duplicate=True)

    def by_house(self, room_number: int, note: str) -> Step:
        """For an act in that room: its own first entry is reported by nobody, as `other`."""
        return reports.filing_of_this(
            id=secrets.token_urlsafe(12),
            room_id=room_number,
            kind="other",
            note=note,
            persona=secrets.token_bytes(16),
            at=now_ms(),
        )

    # -- privates --------------------------------------------------------------------------------

    async def _weight(self, doctor: Doctor) -> int:
        """What moderators and officers say counts as a newcomer's word: they act otherwise."""
        return 1 if doctors.staff(doctor.roles) else await self._accuracy.weight_of(doctor.id)

    async def _case(self, seat: Seat, seq: int, kind: str, note: str | None, weight: int) -> _Case:
        async with self._database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
            filed = await reports.filed(connection, seat.number, seq, kind)
            restored = await reports.was_restored(connection, seat.number, seq)
        if was is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        if any(each.persona == seat.reporter for each in filed):
            raise _FiledBefore
        return _Case(seq, kind, note, weight, seat.reporter, was, filed, restored)

    async def _plan(self, seat: Seat, case: _Case) -> Plan:
        filing = self._filing(seat, case)
        staff = await self._duty.staff()
        done = await self._done_by_many(seat, case, staff)
        letters = await self._urgent(seat, case, staff, done)
        if done is None:
            return Plan(None, (*filing, *_not_yet(seat, case)), letters=letters)
        return replace(done, steps=(*filing, *done.steps), letters=(*done.letters, *letters))

    def _filing(self, seat: Seat, case: _Case) -> list[Step]:
        id, about = secrets.token_urlsafe(12), (seat.number, case.seq, case.kind)
        counted = (len(case.filed), case.total)
        steps = [reports.none_by(*about, seat.reporter)]
        if case.kind == DISPUTED_BY_MANY:
            steps.append(reports.stand_so(*about, *counted))
        steps.append(
            reports.filing(
                id=id,
                room_id=seat.number,
                seq=case.seq,
                kind=case.kind,
                note=case.note,
                persona=seat.reporter,
                weight=case.weight,
                at=now_ms(),
            )
        )
        said = copies.words(case.was) if case.was.redacted is None else ""
        if said:
            steps.append(evidence.still_said(seat.number, case.seq, case.was.edited))
            steps.append(evidence.keep(id, copies.seal(self._keys, id, said)))
        return steps

    async def _done_by_many(self, seat: Seat, case: _Case, staff: Staff) -> Plan | None:
        """What this report does to the entry besides waiting for a moderator."""
        if not case.stands or case.total + case.weight < ENOUGH:
            return None
        if await self._is_by(staff.roles, seat, case.was):
            return None
        if case.may_be_hidden:
            why = Why("crowd", case.kind, pending=True)
            return await self._hiding.hide(seat, case.seq, case.was, why)
        disputing = case.disputing
        if case.kind == DISPUTED_BY_MANY and len(disputing) >= ENOUGH:
            notes = await self._shown(seat.room.id, disputing)
            return self._hiding.caution(seat, case.seq, len(disputing), notes)
        return None

    async def _shown(self, room_id: str, disputing: Sequence[Filed]) -> list[str]:
        """Of their notes those that all may read: as if she said it there herself."""
        noted = [each for each in disputing if each.note]
        found = await self._personas.reporters(
            [each.persona for each in noted], room_id, await self._doctors.verified_ids()
        )
        authors = {self._personas.reporter_of(id, room_id): id for id in found}
        notes = []
        for each in noted:
            id = authors.get(each.persona)
            doctor = None if id is None else await self._doctors.find(id)
            if doctor and self._conversation.may_be_shown(doctor, room_id, each.note or ""):
                notes.append(each.note or "")
        return notes

    async def _is_by(self, doctor_ids: Collection[str], seat: Seat, was: Standing) -> bool:
        if was.persona is None:
            return False
        home = str(was.body.get("consult", seat.home))  # a card is by its author in the consult
        face = face_of(was.shown)
        owner = await self._personas.owner(was.persona, home, sorted(doctor_ids), face)
        return owner is not None

    async def _urgent(
        self, seat: Seat, case: _Case, staff: Staff, done: Plan | None
    ) -> tuple[Letter, ...]:
        """To moderators: the first of an urgent kind about an entry, and what a crowd has hidden."""
        is_hidden = done is not None and case.kind in HIDDEN_BY_MANY
        if not (is_hidden or (case.kind in URGENT and not case.filed)):
            return ()
        place = await self._scopes.about(seat.room.id)
        what = about(seat.room.id, place.rooms, case.was)
        but = frozenset({seat.guest.doctor.id, *self._authors(staff, seat, case.was)})
        notice = {"notice": "report_urgent", "about": seat.room.id, "target": case.seq}
        notice["reason"] = case.kind
        return tuple(letter(self._keys, each, notice) for each in staff.told(what, but=but))

    def _authors(self, staff: Staff, seat: Seat, was: Standing) -> list[str]:
        """Of the staff who wrote it: she is not the one to look at it."""
        home = str(was.body.get("consult", seat.home))
        ids = self._personas.all_ids_of
        return [each for each in staff.roles if was.persona in ids(each, [home])]


class _FiledBefore(Exception):  # noqa: N818 - an answer, not a fault
    """She has an open report of that kind about the entry."""


def _not_yet(seat: Seat, case: _Case) -> tuple[Step, ...]:
    """Guard, where nothing is done: it still weighs too little, whoever else reports it at this moment."""
    if not case.may_be_hidden or case.total + case.weight >= ENOUGH:
        return ()
    return (reports.weigh_less(seat.number, case.seq, case.kind, ENOUGH),)
