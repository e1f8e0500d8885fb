"""What is asked of a text before it is posted, besides the guard: rules, and an account's first hours."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lounge.acting import Plan, Request, Seat
from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderating.newcomers import Newcomers
from lounge.moderating.ruling import Kept, Ruling, gravest_first, is_staff
from storage import reports
from storage.acts import Noted, Outcome, Step

if TYPE_CHECKING:
    from lounge.moderating.waiting import Waiting

_REPORTED_AS = "other"
_FREE = "warning"


@dataclass(frozen=True, slots=True)
class Rulings:
    """What becomes of a text that may go on: held for the sake of one rule, or reported for others'."""

    hold: Kept | None = None
    alerts: tuple[Kept, ...] = ()


class Posting:
    """Never asked of staff, in talks and pages, nor of a warning in a case. Raises Refusal."""

    def __init__(self, ruling: Ruling, newcomers: Newcomers, waiting: Waiting) -> None:
        self._ruling = ruling
        self._newcomers = newcomers
        self._waiting = waiting

    def saying(self, seat: Seat, text: str, sort: str | None, request: Request) -> Rulings:
        """Of a say, before its act is queued. No I/O."""
        doctor = seat.guest.doctor
        if _is_free(seat, sort):
            return Rulings()
        self._newcomers.may_say(doctor, seat.room.id, text)
        met = self._ruling.met(doctor, seat.room.id, text, request.dedup)
        _may_be_posted(met)
        hold = next((each for each in met if each.rule.action == "hold"), None)
        return Rulings(hold, tuple(each for each in met if each.rule.action == "alert"))

    def writing(
        self, seat: Seat, text: str, sort: str | None = None, others: tuple[str, ...] = ()
    ) -> tuple[Kept, ...]:
        """Of a correction, or of another text than a say: it cannot wait, so that what holds blocks it.

        `others`: rooms in which it is read besides. Returns the rules by which it is reported. No I/O.
        """
        if _is_free(seat, sort):
            return ()
        doctor = seat.guest.doctor
        self._newcomers.may_write(doctor, text)
        rooms = (seat.room.id, *others)
        found = {each.id: each for room in rooms for each in self._ruling.met(doctor, room, text)}
        met = gravest_first(found.values())
        _may_be_posted(met)
        for each in met:
            if each.rule.action == "hold":
                raise Refusal(Code.BLOCKED, "refusal.blocked_change", words=each.rule.words)
        return met

    def lets(self, doctor: Doctor, room_id: str, text: str) -> bool:
        """Whether she might post that there at once. Nothing is counted. No I/O."""
        try:
            self._newcomers.may_write(doctor, text)
        except Refusal:
            return False
        met = self._ruling.met(doctor, room_id, text)
        return all(each.rule.action == "alert" for each in met)

    def alerted(
        self, seat: Seat, plan: Plan, alerts: tuple[Kept, ...], seq: int | None = None
    ) -> Plan:
        """With reports by the house, about the act's own first entry or the one at `seq`."""
        steps = [_report(seat.number, each, seq) for each in alerts]
        detail = {"rules": " ".join(each.id for each in alerts)}
        noted = plan.noted or Noted("rule.alerted", "house", seat.room.id, detail)
        return replace(plan, steps=(*plan.steps, *steps), noted=noted)

    async def hold(self, seat: Seat, request: Request, plan: Plan, kept: Kept) -> Outcome:
        """Keep the plan of a say until a moderator has looked, and refuse it `held_rule`.

        Of one that was posted since: its first answer.
        """
        return await self._waiting.hold(seat, request, plan, kept)


def _is_free(seat: Seat, sort: str | None) -> bool:
    return seat.is_of_two or sort == _FREE or is_staff(seat.guest.doctor)


def _may_be_posted(met: tuple[Kept, ...]) -> None:
    if met and met[0].rule.action == "block":
        raise Refusal(Code.BLOCKED, "refusal.blocked", words=met[0].rule.words)


def _report(room_number: int, kept: Kept, seq: int | None) -> Step:
    filed = {
        "id": secrets.token_urlsafe(12),
        "room_id": room_number,
        "kind": _REPORTED_AS,
        "note": kept.rule.name,
        "persona": secrets.token_bytes(16),  # of nobody
        "at": now_ms(),
    }
    if seq is None:
        return reports.filing_of_this(**filed)  # type: ignore[arg-type]
    return reports.filing(**filed, seq=seq, weight=1)  # type: ignore[arg-type]
