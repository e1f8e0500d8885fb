"""Asking for a talk, answering, ending it: what leads into a thread of two and out of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from lounge.belongings import Belongings
from lounge.conversation import Conversation, Plan, Request, Seat
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.events import By
from lounge.keys import Keys
from lounge.limits import ASKS, Limits
from lounge.notices import letter
from lounge.personas import Personas, wire_id
from lounge.talks import Place, Talks, shown
from storage import entries, talks
from storage.acts import Letter, Missed, Outcome
from storage.database import Database
from storage.talks import ASKED, CLOSED, DECLINED, OPEN, PREFIX, WITHDRAWN


@dataclass(frozen=True, slots=True)
class Asked:
    """The talk's room; `duplicate`: it was asked for before; `waiting`: by herself, and can be withdrawn."""

    talk: str
    duplicate: bool = False
    waiting: bool = False


class Asking:
    """The way into a talk and out of it. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        talks: Talks,
        personas: Personas,
        belongings: Belongings,
        limits: Limits,
        keys: Keys,
        doctor_ids: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._talks = talks
        self._personas = personas
        self._belongings = belongings
        self._limits = limits
        self._keys = keys
        self._doctor_ids = doctor_ids
        self._slug_key = keys.persona.subkey("talk")

    async def ask(self, seat: Seat, seq: int, cid: str) -> Asked:
        """Ask whoever said that.

        The answer is the same whether she is told, has left, or ignores the asker.
        """
        request = self._conversation.request(seat, cid, "talk", seq)
        slug = self._slug(request)
        if await self._conversation.receipt(request) is not None:
            return Asked(slug, duplicate=True)
        self._may_ask(seat)
        asked = await self._author(seat, seq)
        own = self._talks.own(seat.guest.doctor.id, seat.room.id)
        if asked in own:
            raise Refusal(Code.INVALID, "refusal.talk_self", field="seq")
        if before := await self._before(own, asked):
            return before
        me = await self._conversation.introduced(seat, request)
        step = talks.asking(slug, seat.room.id, me.id, asked, own)
        letters = await self._invitation(seat, seq, asked, slug, me.by)
        try:
            await self._conversation.perform(seat, request, Plan(None, (step,), letters=letters))
        except Missed:  # another of her sockets was first, or the other one asked her
            if before := await self._before(own, asked):
                return before
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=1) from None
        return Asked(slug)

    async def answer(self, guest: Guest, talk: str, accept: bool, cid: str) -> Outcome:
        """Accept what one was asked for, or not; withdraw what one asked for, until it is answered."""
        place = await self._talks.find(guest.doctor, talk)
        state = _answered(place, accept)
        if place.talk.state == state:
            return Outcome((), duplicate=True)
        if place.talk.state == WITHDRAWN:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_withdrawn")
        seat = await self._conversation.seat_at(guest, place)
        request = self._conversation.request(seat, cid, "talk_answer", accept)
        self._conversation.may_act(seat)
        step = talks.moving(talk, ASKED, state)
        letters = await self._told(place, _NOTICES[state], guest.doctor.id)
        try:
            return await self._conversation.perform(
                seat, request, Plan(None, (step,), letters=letters)
            )
        except Missed:
            known = await self._conversation.receipt(request)
            if known is None:
                raise Refusal(Code.FORBIDDEN, "refusal.talk_answered") from None
            return known

    async def end(self, seat: Seat, cid: str) -> Outcome:
        """Nobody adds to it from now on."""
        if seat.talk is None:
            raise Refusal(Code.INVALID, "refusal.talk_only", field="room")
        request = self._conversation.request(seat, cid, "talk_end")
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        self._conversation.may_act(seat)
        draft = self._conversation.draft(seat, "end")
        step = talks.moving(seat.room.id, OPEN, CLOSED)
        try:
            return await self._conversation.perform(seat, request, Plan(draft, (step,)))
        except Missed:
            raise Refusal(Code.FROZEN, "refusal.talk_closed") from None

    # -- privates --------------------------------------------------------------------------------

    def _slug(self, request: Request) -> str:
        """The same for a repetition, and nobody's guess."""
        made = hmac.digest(self._slug_key, request.dedup, hashlib.sha256)[:16]
        return PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")

    def _may_ask(self, seat: Seat) -> None:
        self._conversation.may_act(seat)
        if seat.is_of_two:
            raise Refusal(Code.INVALID, "refusal.talk_here", field="room")
        self._conversation.may_be_heard(seat)
        self._limits.spend(ASKS, seat.guest.doctor.id)

    async def _author(self, seat: Seat, seq: int) -> bytes:
        async with self._database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
        spoke = was is not None and was.kind in ("say", "consult.open") and not was.is_gone
        if was is None or not spoke or was.persona is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return was.persona

    async def _before(self, own: frozenset[bytes], asked: bytes) -> Asked | None:
        """The talk that there is between the two, or that one of them asked for. Raises Refusal."""
        async with self._database.reading() as connection:
            found = await talks.between(connection, own, asked)
        if found is None:
            return None
        if found.state == DECLINED:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_again")
        if found.state == WITHDRAWN:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_withdrawn")
        if found.state == CLOSED:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_over")
        waiting = found.state == ASKED and found.asker.id in own
        return Asked(found.slug, duplicate=True, waiting=waiting)

    async def _invitation(
        self, seat: Seat, seq: int, asked: bytes, slug: str, me: By
    ) -> tuple[Letter, ...]:
        owner = await self._personas.owner(asked, seat.room.id, await self._doctor_ids())
        if owner is None or await self._ignores(owner, seat.room.id, seat.guest.doctor.id):
            return ()
        notice = {
            "notice": "talk_asked",
            "about": seat.room.id,
            "target": seq,
            "talk": slug,
            "by": msgspec.to_builtins(me),
        }
        return (letter(self._keys, owner, notice),)

    async def _ignores(self, owner: str, room: str, doctor_id: str) -> bool:
        shelf = await self._belongings.of(owner)
        ignored = shelf.ignored(room)
        return any(wire_id(each) in ignored for each in self._talks.own(doctor_id, room))

    async def _told(self, place: Place, notice: str, doctor_id: str) -> tuple[Letter, ...]:
        """The other one's letter; none of a withdrawal for whoever was not told of the asking."""
        origin = place.talk.origin
        owner = await self._personas.owner(place.other.id, origin, await self._doctor_ids())
        if owner is None:
            return ()
        if not place.was_asked and await self._ignores(owner, origin, doctor_id):
            return ()
        by = msgspec.to_builtins(shown(place.own))
        told = {"notice": notice, "talk": place.talk.slug, "by": by}
        return (letter(self._keys, owner, told),)


_NOTICES = {OPEN: "talk_accepted", DECLINED: "talk_declined", WITHDRAWN: "talk_withdrawn"}


def _answered(place: Place, accept: bool) -> str:
    """What becomes of the talk. Raises Refusal for who would accept what she asked for herself."""
    if place.was_asked:
        return OPEN if accept else DECLINED
    if accept:
        raise Refusal(Code.FORBIDDEN, "refusal.talk_waiting")
    return WITHDRAWN
