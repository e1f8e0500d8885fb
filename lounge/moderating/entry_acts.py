"""What moderators do with an entry: hide it, give it back, take its words for good, pin it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from lounge.acting import Plan, Seat
from lounge.advice import POOLS
from lounge.conversation import Conversation
from lounge.door import Guest
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.guarding import Waiver
from lounge.moderating.asked import Asked
from lounge.moderating.hands import Hands
from lounge.moderating.hiding import Hiding, Why
from lounge.moderating.page_words import PageWords
from lounge.moderating.scopes import Scopes
from lounge.oncall.places import is_page
from storage import moderating
from storage.acts import Noted, Outcome
from storage.database import Database

MOST_PINS = 5
NOTE_CODE_POINTS = 500


class EntryActs:
    """Each may be repeated with its client id. Raises Refusal."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        hiding: Hiding,
        scopes: Scopes,
        hands: Hands,
        page_words: PageWords,
    ) -> None:
        self._page_words = page_words
        self._database = database
        self._conversation = conversation
        self._hiding = hiding
        self._scopes = scopes
        self._hands = hands

    async def hide(self, guest: Guest, asked: Asked) -> Outcome:
        """Nobody is served it any more; its author is told why."""
        seat, seq, why = await self._about(guest, asked)

        async def plan() -> Plan:
            was = await self._hiding.standing(seat, seq)
            plan = await self._hiding.hide(seat, seq, was, why)
            hands = self._hands.rows_of(guest.doctor.id, seat, plan)
            return replace(plan, steps=(*plan.steps, *hands))

        return await self._done(seat, asked, plan)

    async def restore(self, guest: Guest, asked: Asked) -> Outcome:
        """What was hidden is served again."""
        seat, seq, why = await self._about(guest, asked)

        async def plan() -> Plan:
            was = await self._hiding.standing(seat, seq)
            return await self._hiding.restore(seat, seq, was, why)

        return await self._done(seat, asked, plan)

    async def purge(self, guest: Guest, asked: Asked) -> Outcome:
        """Its words are gone from everywhere, with every copy that was kept for a report.

        Also of what was taken back before. `lounge purge` then frees the room that they took on disk.
        """
        seat, seq, why = await self._about(guest, asked)

        async def plan() -> Plan:
            return await self._purging(guest, seat, seq, why)

        outcome = await self._done(seat, asked, plan)
        await self.purged(asked)
        return outcome

    async def purged(self, asked: Asked) -> None:
        """What lies in the other store is gone after it. May be repeated."""
        if is_page(asked.room):
            await self._page_words.forget(asked.room)

    async def pin(self, guest: Guest, asked: Asked) -> Outcome:
        """All see it first, or no longer; at most five in a room."""
        seat, seq, _ = await self._about(guest, asked)

        async def plan() -> Plan:
            await self._may_pin(seat, seq, on=asked.on)
            change = moderating.put_pin if asked.on else moderating.take_pin
            body = {"role": "moderator", "on": asked.on}
            act = "entry.pinned" if asked.on else "entry.unpinned"
            noted = Noted(act, "moderator", f"{asked.room} {seq}", {})
            steps = tuple(change(seat.number, seq))
            return Plan(draft("mod.pin", body, target=seq), steps, noted=noted)

        return await self._done(seat, asked, plan)

    # -- privates --------------------------------------------------------------------------------

    async def _about(self, guest: Guest, asked: Asked) -> tuple[Seat, int, Why]:
        """May they, about this entry, and do they say why?"""
        if asked.seq is None:
            raise Refusal(Code.INVALID, "refusal.which_entry", field="seq")
        if asked.reason is None and asked.act in _WITH_REASON:
            raise Refusal(Code.INVALID, "refusal.reason_needed", field="reason")
        if asked.note:
            waiver = Waiver(not_patient=asked.not_patient, room=asked.room)
            self._conversation.clean(asked.note, "note", NOTE_CODE_POINTS, waiver)
        await self._scopes.admit(guest.doctor, asked.room, asked.seq)
        seat = await self._conversation.seat_above(guest, asked.room)
        return seat, asked.seq, Why("moderator", asked.reason or "other", asked.note)

    async def _may_pin(self, seat: Seat, seq: int, *, on: bool) -> None:
        if on and (await self._hiding.standing(seat, seq)).hidden is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        async with self._database.reading() as connection:
            pins = (await moderating.mode_of(connection, seat.number)).pins
        if on and seq in pins:
            raise Refusal(Code.INVALID, "refusal.pinned_already", field="seq")
        if not on and seq not in pins:
            raise Refusal(Code.INVALID, "refusal.not_pinned", field="seq")
        if on and len(pins) >= MOST_PINS:
            raise Refusal(Code.INVALID, "refusal.too_many_pins", field="seq", most=MOST_PINS)

    async def _purging(self, guest: Guest, seat: Seat, seq: int, why: Why) -> Plan:
        was = await self._hiding.found(seat, seq)
        places = await self._scopes.as_one(seat.room.id, seq)
        if was.kind in POOLS:
            places = await self._hiding.together(seat, was)
        steps = tuple(step for place in places for step in moderating.forget_reports(*place))
        noted = Noted("entry.purged", "moderator", f"{seat.room.id} {seq}", {"reason": why.reason})
        if was.redacted is not None:
            return Plan(None, steps, noted=noted)
        plan = await self._conversation.erasing(seat, seq, was, "moderator", why.reason, why.note)
        hand = self._hands.row_of_this(guest.doctor.id, seat.room.id)
        return replace(plan, steps=(*plan.steps, *steps, hand), noted=noted)

    async def _done(self, seat: Seat, asked: Asked, plan: Callable[[], Awaitable[Plan]]) -> Outcome:
        request = self._conversation.request(seat, asked.cid, *asked.content)
        return await self._conversation.planned(seat, request, plan)


_WITH_REASON = ("hide", "purge")
