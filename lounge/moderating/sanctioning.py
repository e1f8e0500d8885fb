"""What is done about whoever wrote an entry, without learning who it is, or whether anybody was found."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lounge import policy
from lounge.acting import Plan, Seat
from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.faces import face_of
from lounge.guarding import Waiver
from lounge.moderating.asked import Asked
from lounge.moderating.entry_acts import NOTE_CODE_POINTS
from lounge.moderating.hands import Hands
from lounge.moderating.hiding import Hiding, Why
from lounge.moderating.restricted import Restricted
from lounge.moderating.scopes import EVERYWHERE, Scopes, may
from lounge.notices import letter
from lounge.sanctions import MUTE, REMOVE, Sanction, one_each, terms_of
from storage import audit, entries, officers, sanctions, voices
from storage import hands as hands_of
from storage.acts import Letter, Noted, Outcome, Step
from storage.entries import Standing

if TYPE_CHECKING:
    from lounge.opening import Lounge

LONGEST_MINUTES = 366 * 24 * 60
HOUR_MS = 3_600_000
MOST_HIDDEN = 200
WARNING = "warn"
"""With this begins what its hand and an appeal call a warning: no row stands for it."""
_BY = "moderator"
_OF_TWO = ("talk", "page")


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote an entry, as far as that is known: Nones when she has left."""

    doctor_id: str | None
    licence: bytes | None


class Sanctioning:
    """The answer is the same whether the author is found, sanctioned already, or has left.

    Every act may be repeated with its client id. Raises Refusal.
    """

    def __init__(
        self,
        lounge: Lounge,
        scopes: Scopes,
        hands: Hands,
        hiding: Hiding,
        restricted: Restricted,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._lounge = lounge
        self._scopes = scopes
        self._hands = hands
        self._hiding = hiding
        self._restricted = restricted
        self._clock = clock

    async def warn(self, guest: Guest, asked: Asked) -> Outcome:
        """Tell the author of `asked.seq` what is wrong with it: notice `warned`."""
        seat, seq = await self._seat(guest, asked)

        async def plan() -> Plan:
            author = await self._author(seat, seq)
            warning = f"{WARNING} {secrets.token_urlsafe(12)}"
            notice = {**_about(asked), "notice": "warned"}
            said = {"reason": str(asked.reason), "sanction": warning}
            noted = Noted("sanction.warn", _BY, _place(asked), said)
            hand = self._hands.row(guest.doctor.id, warning)
            return Plan(None, (hand,), letters=self._letters(author, notice), noted=noted)

        return await self._done(seat, asked, plan)

    async def mute(self, guest: Guest, asked: Asked) -> Outcome:
        """She may read on and not speak, here or `everywhere`, for `minutes` or until it is lifted."""
        seat, seq = await self._seat(guest, asked)
        if asked.everywhere and not may(guest.doctor, EVERYWHERE):
            raise Refusal(Code.FORBIDDEN, "refusal.out_of_scope")
        return await self._imposed(seat, seq, asked, MUTE)

    async def remove(self, guest: Guest, asked: Asked) -> Outcome:
        """She may not be in this room for so many `minutes`, which are required."""
        seat, seq = await self._seat(guest, asked)
        if asked.minutes is None:
            raise Refusal(Code.INVALID, "refusal.minutes_needed", field="minutes")
        if asked.everywhere or seat.room.kind in _OF_TWO:
            raise Refusal(Code.INVALID, "refusal.remove_where", field="everywhere")
        return await self._imposed(seat, seq, asked, REMOVE)

    async def hide_hour(self, guest: Guest, asked: Asked) -> Outcome:
        """Hide what that persona said there in the hour up to its newest say, at most 200, in one act.

        What is out of the moderator's scope, or claimed by another, stays.
        """
        seat, seq = await self._seat(guest, asked)
        if seat.room.kind in _OF_TWO:
            raise Refusal(Code.INVALID, "refusal.hour_of_two", field="room")

        async def plan() -> Plan:
            said = await self._last_hour(seat, seq)
            found = await self._scopes.acted_on(guest.doctor, asked.room, said)
            if not found:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            why = Why("moderator", str(asked.reason), asked.note)
            plan = await self._hiding.hide_all(seat, found, why)
            hands = (self._hand(guest, asked, nth) for nth in range(len(found)))
            return replace(plan, steps=(*plan.steps, *hands))

        return await self._done(seat, asked, plan)

    async def lift(self, moderator: Doctor, id: str) -> None:
        """End one of `in_force` before its time: not about herself, nor another's where she speaks."""
        _must_moderate(moderator)
        self._not_about_her(moderator, id)
        was = next((each for each in await self._hers(moderator) if each.id == id), None)
        if was is None:
            raise Refusal(Code.NOT_FOUND, "sanction.unknown")
        if was.room is not None and not await self._own(moderator, [id]):  # everywhere is no thread
            await self._scopes.apart(moderator, was.room)
        await self.end(moderator, id)

    async def end(self, moderator: Doctor, id: str) -> None:
        """The same for who was asked already whether she may act on the entry that it was for."""
        self._not_about_her(moderator, id)
        async with self._lounge.database.writing() as connection:
            was = await sanctions.lift(connection, id)
            if was is None or (was.room is None and not may(moderator, EVERYWHERE)):
                raise Refusal(Code.NOT_FOUND, "sanction.unknown")
            await audit.append_lounge(
                connection, "sanction.lifted", by=_BY, about=was.room, detail={"sanction": id}
            )
        await self._lounge.sanctions.refresh()

    async def in_force(self, moderator: Doctor) -> tuple[Sanction, ...]:
        """All that stand where she is appointed, and what she imposed herself; the newest first.

        Where, until when and why, never whom.
        """
        _must_moderate(moderator)
        await self._restricted.read("sanctions")
        hers = one_each(await self._hers(moderator))
        return tuple(sorted(hers, key=lambda each: -each.at))

    # -- privates --------------------------------------------------------------------------------

    async def _seat(self, guest: Guest, asked: Asked) -> tuple[Seat, int]:
        """May they, about this entry?"""
        if asked.seq is None:
            raise Refusal(Code.INVALID, "refusal.which_entry", field="seq")
        if asked.reason is None:
            raise Refusal(Code.INVALID, "refusal.reason_needed", field="reason")
        if asked.minutes is not None and not 1 <= asked.minutes <= LONGEST_MINUTES:
            raise Refusal(Code.INVALID, "refusal.minutes_needed", field="minutes")
        if asked.note is not None:
            waiver = Waiver(not_patient=asked.not_patient, room=asked.room)
            self._lounge.conversation.clean(asked.note, "note", NOTE_CODE_POINTS, waiver)
        await self._scopes.admit(guest.doctor, asked.room, asked.seq)
        return await self._lounge.conversation.seat_above(guest, asked.room), asked.seq

    async def _hers(self, moderator: Doctor) -> list[Sanction]:
        """What stands in a room of hers; or anywhere but everywhere, by her own hand.

        Over a language or a country she acts in rooms that are not hers.
        """
        async with self._lounge.database.reading() as connection:
            found = await sanctions.in_force(connection, self._clock())
        own = await self._own(moderator, [each.id for each in found])
        hers = [each for each in found if each.id in own and each.room is not None]
        terms = {terms_of(each) for each in hers}  # also of who came back since
        rooms = {each.room or EVERYWHERE for each in found}
        covered = {room for room in rooms if await self._covers(moderator, room)}
        return [
            each
            for each in found
            if (each.room or EVERYWHERE) in covered or terms_of(each) in terms
        ]

    async def _own(self, moderator: Doctor, ids: Collection[str]) -> set[str]:
        """Which of these sanctions she imposed."""
        async with self._lounge.database.reading() as connection:
            rows = await hands_of.of(connection, ids)
        return {row.act for row in rows if self._hands.is_own(moderator.id, [row])}

    async def _covers(self, moderator: Doctor, room: str) -> bool:
        if room == EVERYWHERE:
            return may(moderator, EVERYWHERE)
        return self._scopes.covers(moderator, await self._scopes.about(room))

    def _not_about_her(self, moderator: Doctor, id: str) -> None:
        if any(each.id == id for each in self._lounge.sanctions.of(moderator.id)):
            raise Refusal(Code.FORBIDDEN, "refusal.own_sanction")

    def _hand(self, guest: Guest, asked: Asked, nth: int) -> Step:
        return self._hands.row_of_this(guest.doctor.id, asked.room, nth)

    async def _imposed(self, seat: Seat, seq: int, asked: Asked, kind: str) -> Outcome:
        """Sanction, letter and audit: all or nothing; and in force here at once."""

        async def plan() -> Plan:
            author = await self._author(seat, seq)
            made = self._lounge.sanctions.new(
                author.doctor_id,
                author.licence,
                room=None if asked.everywhere else asked.room,
                until=None if asked.minutes is None else self._clock() + asked.minutes * 60_000,
                reason=str(asked.reason),
                kind=kind,
            )
            letters = self._letters(author, _notice(made, asked))
            hand = self._hands.row(seat.guest.doctor.id, made.id)
            steps = (*sanctions.adding(made), hand)
            return Plan(None, steps, letters=letters, noted=_noted(made, asked))

        outcome = await self._done(seat, asked, plan)
        await self._lounge.sanctions.refresh()
        return outcome

    async def _done(self, seat: Seat, asked: Asked, plan: Callable[[], Awaitable[Plan]]) -> Outcome:
        conversation = self._lounge.conversation
        request = conversation.request(seat, asked.cid, *asked.content)
        return await conversation.planned(seat, request, plan)

    async def _last_hour(self, seat: Seat, seq: int) -> list[tuple[int, Standing]]:
        async with self._lounge.database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
            if was is None or was.kind != "say" or was.persona is None:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            seqs = await voices.last_says(
                connection, seat.number, was.persona, HOUR_MS, MOST_HIDDEN
            )
            found = [(each, await entries.standing(connection, seat.number, each)) for each in seqs]
        if not found:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return [(each, said) for each, said in found if said is not None]

    async def _author(self, seat: Seat, seq: int) -> Author:
        async with self._lounge.database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
        if was is None or was.kind not in entries.HIDEABLE or was.persona is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        doctor_id = await self._whose(was, was.persona, seat.home)
        if doctor_id is None:
            return Author(None, None)
        async with self._lounge.identity_database.reading() as connection:
            return Author(doctor_id, await officers.licence_of(connection, doctor_id))

    async def _whose(self, was: Standing, persona: bytes, home: str) -> str | None:
        async with self._lounge.identity_database.reading() as connection:
            doctor_ids = await officers.everybody(connection)
        home = str(was.body.get("consult", home))  # a card is by its author in the consult
        face = face_of(was.shown)
        return await self._lounge.personas.owner(persona, home, doctor_ids, face)

    def _letters(self, author: Author, notice: dict[str, object]) -> tuple[Letter, ...]:
        if author.doctor_id is None:
            return ()
        return (letter(self._lounge.keys, author.doctor_id, notice, at=self._clock()),)


def _must_moderate(doctor: Doctor) -> None:
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")


def _notice(made: Sanction, asked: Asked) -> dict[str, object]:
    """What she is told; `code` is the sanction's id, by which she may appeal."""
    words = {MUTE: "muted", REMOVE: "removed"}[made.kind]
    if made.kind == MUTE:
        words += ("" if made.room else "_everywhere") + ("" if made.until else "_open")
    return {**_about(asked), "notice": words, "until": made.until, "code": made.id}


def _about(asked: Asked) -> dict[str, object]:
    about: dict[str, object] = {"about": asked.room, "target": asked.seq, "reason": asked.reason}
    return about if asked.note is None else {**about, "text": asked.note}


def _noted(made: Sanction, asked: Asked) -> Noted:
    detail = {
        "sanction": made.id,
        "reason": made.reason,
        "where": "everywhere" if made.room is None else "here",
        "minutes": "until lifted" if asked.minutes is None else str(asked.minutes),
    }
    return Noted(f"sanction.{made.kind}", _BY, _place(asked), detail)


def _place(asked: Asked) -> str:
    return f"{asked.room} {asked.seq}"
