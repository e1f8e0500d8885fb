"""What doctors do in rooms: enter, say, edit, redact, react, look back.

Everything that ends in the log goes through here: may they, may it be kept, under which persona, and then
to the writer as one act. Nothing is answered before it is committed.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from limits import RateLimitItem

from lounge import drafts, policy
from lounge.acting import Acting, Plan, Request, Seat, may_add
from lounge.advice import HIDDEN_TOGETHER, PLAN, Advice, Trace
from lounge.belongings import Shelf
from lounge.consults import Consults, is_consult, words_of
from lounge.doctors import Doctor
from lounge.door import Door, Guest
from lounge.errors import Code, Refusal
from lounge.events import Sort
from lounge.faces import Dress, Ids, Met, Wardrobe, Worn
from lounge.gathered import Gathered
from lounge.guarding import Guarding, Waiver
from lounge.keys import Keys
from lounge.limits import CHANGES, SAYS, TEXT_CODE_POINTS, Limits
from lounge.moderating.letters import Letters
from lounge.moderating.modes import Modes
from lounge.moderating.posting import Posting, Rulings
from lounge.moderating.ruling import Kept
from lounge.names import candidates
from lounge.oncall.places import PagePlace, Places, is_page
from lounge.personas import ANONYMOUS, Face, Persona, Personas
from lounge.rooms import Catalogue, Room
from lounge.talks import Place, Talks, is_talk
from lounge.titles import Title
from lounge.turns import Turn
from storage import entries, index, moderating, personas
from storage.acts import Draft, Letter, Noted, Outcome, PersonaRow, Step
from storage.database import Database
from storage.entries import Shown, Standing
from storage.tokenizer import index_terms
from storage.writer import Writer

__all__ = ["Conversation", "Outcome", "Plan", "Request", "Seat"]

_SAYS = frozenset({"say"})
Spared = Callable[[str, str, str], Awaitable[str]]
"""By doctor's id, room's id and text."""
WARNING = "warning"
THANKS = "🙏"
"""The reaction that says that an entry helped; nobody thanks herself."""


class Sanctions(Protocol):
    """Who may not speak just now."""

    def may_enter(self, doctor_id: str, room_id: str) -> None:
        """Raises Refusal `forbidden`."""
        ...

    def may_speak(self, doctor_id: str, room_id: str) -> None:
        """Raises Refusal `muted`."""
        ...


class Seals(Protocol):
    """What the officers will open together, if ever."""

    def seal(self, doctor_id: str) -> bytes | None:
        """The author of a persona, sealed to them; None without officers."""
        ...


@dataclass(frozen=True, slots=True)
class Voiced:
    """An entry with its persona: `row` goes into the same act, and `recorded` is called after it."""

    draft: Draft
    row: PersonaRow | None
    worn: Worn

    def recorded(self, outcome: Outcome) -> None:
        """The act is done."""
        if self.row is not None and not outcome.duplicate:
            self.worn.recorded(outcome.name)


class Conversation:
    """The rules of speaking, over one writer. Raises Refusal for whatever it declines."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        personas: Personas,
        catalogue: Catalogue,
        door: Door,
        limits: Limits,
        keys: Keys,
        doctor_ids: Callable[[], Awaitable[list[str]]],
        real_name: Callable[[str], Awaitable[str]],
        talks: Talks,
        consults: Consults,
        pages: Places,
        sanctions: Sanctions | None = None,
        seals: Seals | None = None,
        advice: Advice | None = None,
        modes: Modes | None = None,
    ) -> None:
        """`real_name` of a doctor's id: asked only by her own act."""
        self._database = database
        self._personas = personas
        self._catalogue = catalogue
        self._limits = limits
        self.guarding = Guarding()
        self._real_name = real_name
        self._talks = talks
        self._consults = consults
        self._pages = pages
        self._sanctions = sanctions
        self._seal = seals.seal if seals else _unsealed
        self.advice = advice
        self._modes = modes or Modes(database)
        self.letters = Letters(
            personas=personas, consults=consults, keys=keys, doctor_ids=doctor_ids
        )
        self._numbers: dict[str, int] = {}
        self._rows = Gathered(self._rows_of)
        self._acting = Acting(
            database=database,
            writer=writer,
            catalogue=catalogue,
            door=door,
            talks=talks,
            pages=pages,
            keys=keys,
        )
        self.spoke: Callable[[Seat], Awaitable[None]] = _nothing
        """Called with who has just said something in a page."""
        self.posting: Posting | None = None
        """The house's rules for what is posted."""
        self.may_moderate: Callable[[Doctor, str, int], Awaitable[None]] = _any_moderator
        """May this moderator act on that entry of a room? Raises Refusal."""
        self.spared: Spared = _all_of_it
        """In the room of a page: what of a text the guard looks at, when it holds something in the whole."""

    # -- entering --------------------------------------------------------------------------------

    async def take_seat(self, guest: Guest, room_id: str, shelf: Shelf) -> Seat:
        """Let a guest into a room, as whoever they are there. Asked anew on every join."""
        if self._sanctions is not None:
            self._sanctions.may_enter(guest.doctor.id, room_id)
        if is_talk(room_id):
            return await self.seat_at(guest, await self._talks.admit(guest.doctor, room_id))
        if is_page(room_id):
            return await self.seat_paged(guest, await self._pages.admit(guest.doctor, room_id))
        if is_consult(room_id):
            room = await self._consults.admit(guest.doctor, room_id)
            return await self.seat_in(guest, room, shelf)
        room = policy.admit(guest.doctor, room_id, self._catalogue)
        return await self.seat_in(guest, room, shelf)

    async def seat_in(self, guest: Guest, room: Room, shelf: Shelf) -> Seat:
        """A seat in a room that they were let into, or that they are about to open."""
        number = await self.number(room.id)
        ids = Ids(self._personas, guest.doctor.id, room.id)
        rows = await self._rows.get(ids.to_look_up(shelf.retired(room.id))) or {}
        dress = Wardrobe(self._personas, lambda: guest.doctor, room.id, shelf, ids, rows)
        seat = self._seated(guest, room, number, dress)
        if dress.needs_name(None):
            await self.call(seat)
        return seat

    async def seat_at(self, guest: Guest, place: Place) -> Seat:
        """The guest's place in a talk, as the persona that the other one met."""
        own, number = place.own, await self.number(place.talk.slug)
        row = (await self._rows.get((own.id,)) or {})[own.id]
        dress = Met(self._personas, lambda: guest.doctor, own.id, row)
        return self._seated(guest, place.room, number, dress, place)

    async def seat_paged(self, guest: Guest, place: PagePlace) -> Seat:
        """The guest's place in a page, as the persona that she has there."""
        own, number = place.own, place.page.room_id
        row = (await self._rows.get((own,)) or {})[own]
        dress = Met(self._personas, lambda: guest.doctor, own, row)
        seat = self._seated(guest, place.room, number, dress)
        seat.page = place
        return seat

    async def seat_above(self, guest: Guest, room_id: str) -> Seat:
        """A moderator's, for what was reported in a room, also one that they may not enter."""
        home = await self._talks.home_of(room_id)
        dress = Met(self._personas, lambda: guest.doctor, secrets.token_bytes(16), _NOBODY)
        number = await self.number(room_id)
        kinds = {"talk": is_talk, "consult": is_consult, "page": is_page}
        kind = next((kind for kind, is_one in kinds.items() if is_one(room_id)), policy.ABOVE)
        room = Room(room_id, Title("", ""), kind, listed=False)
        return Seat(guest, room, number, dress, b"", b"", home=home)

    def _seated(
        self, guest: Guest, room: Room, number: int, dress: Dress, talk: Place | None = None
    ) -> Seat:
        reactor = self._personas.reactor_of(guest.doctor.id, room.id)
        reporter = self._personas.reporter_of(guest.doctor.id, room.id)
        return Seat(guest, room, number, dress, reactor, reporter, talk)

    async def _rows_of(
        self, asked: Collection[tuple[bytes, ...]]
    ) -> dict[tuple[bytes, ...], dict[bytes, Shown]]:
        async with self._database.reading() as connection:
            found = await personas.shown(connection, [id for ids in asked for id in ids])
        return {ids: {id: found[id] for id in ids if id in found} for ids in asked}

    async def number(self, room_id: str) -> int:
        """The room's number in SQL, given on first use."""
        number = self._numbers.get(room_id)
        if number is None:
            number = self._numbers[room_id] = await entries.room_id(self._database, room_id)
        return number

    # -- speaking --------------------------------------------------------------------------------

    async def say(
        self,
        seat: Seat,
        cid: str,
        text: str,
        reply_to: int | None,
        face: Face | None,
        sort: Sort | None = None,
        *,
        not_patient: bool = False,
    ) -> Outcome:
        """Add a message, with that face or the one worn here; in a consult perhaps of a `sort`.

        The act is queued before the first await, so that order is kept; or its turn is taken before it.
        """
        sorts = () if sort is None else (sort,)
        request = self.request(seat, cid, "say", text, reply_to, face, *sorts)
        waiver = Waiver(not_patient=not_patient, room=seat.room.id)
        waits = seat.consult or seat.page is not None or self._modes.of(seat.room.id).slow
        if not waits and not seat.dress.needs_name(face):
            return await self._say(seat, request, text, reply_to, face, sort, waiver)
        turn = seat.turns.take()
        try:
            if seat.dress.needs_name(face):
                await self.call(seat)
            return await self._say(seat, request, text, reply_to, face, sort, waiver, turn)
        finally:
            turn.end()

    async def _say(
        self,
        seat: Seat,
        request: Request,
        text: str,
        reply_to: int | None,
        face: Face | None,
        sort: Sort | None,
        waiver: Waiver,
        turn: Turn | None = None,
    ) -> Outcome:
        async with self._modes.turn(seat.guest.doctor.id, seat.room.id):
            return await self._say_now(seat, request, text, reply_to, face, sort, waiver, turn)

    async def _say_now(
        self,
        seat: Seat,
        request: Request,
        text: str,
        reply_to: int | None,
        face: Face | None,
        sort: Sort | None,
        waiver: Waiver,
        turn: Turn | None,
    ) -> Outcome:
        try:
            await self._may_write(seat, text, SAYS, waiver)
            worn = seat.dress.wears(face)
            besides = await self._besides(seat, sort, reply_to)
            besides += await self._paced(seat, sort)
            met = self._asked(seat, request, text, sort)
        except Refusal as refusal:
            return await self._acting.recalled(request, refusal)
        body = waiver.kept({"text": text} if sort is None else {"text": text, "sort": sort})
        draft = _spoken("say", body, worn, reply_to, tuple(index_terms(text)))
        steps = () if reply_to is None else (entries.say_stands(seat.number, reply_to),)
        row = seat.dress.introduction(worn, self._seal)
        plan = Plan(draft, (*steps, *besides), row)
        if self.posting is not None and met.hold is not None:
            return await self.posting.hold(seat, request, plan, met.hold)
        if self.posting is not None and met.alerts:
            plan = self.posting.alerted(seat, plan, met.alerts)
        try:
            outcome = await self._acting.commit(seat, request, plan, turn)
        except Refusal as refusal:
            if refusal.code is Code.NOT_FOUND:  # or it was said too soon, through another process
                await self._paced(seat, sort)
            raise
        if row is not None and not outcome.duplicate:
            worn.recorded(outcome.name)
        if seat.page is not None:
            await self.spoke(seat)
        return outcome

    async def edit(
        self, seat: Seat, seq: int, cid: str, text: str, *, not_patient: bool = False
    ) -> Outcome:
        """Correct one's own message; who reads it later reads the new text."""
        request = self.request(seat, cid, "edit", seq, text)
        waiver = Waiver(not_patient=not_patient, room=seat.room.id)
        try:
            await self._may_write(seat, text, CHANGES, waiver)
        except Refusal as refusal:
            return await self._acting.recalled(request, refusal)
        body = waiver.kept({"text": text})
        return await self.change(
            seat, request, seq, lambda was: self._edit(seat, seq, text, body, was)
        )

    async def redact(
        self, seat: Seat, seq: int, cid: str, reason: str | None, *, not_patient: bool = False
    ) -> Outcome:
        """Take back one's own message, or hide another's as a moderator, with a reason."""
        request = self.request(seat, cid, "redact", seq, reason)
        try:
            self._limits.spend(CHANGES, seat.guest.doctor.id)
            self._clean(reason or "", Waiver(not_patient=not_patient, room=seat.room.id))
        except Refusal as refusal:
            return await self._acting.recalled(request, refusal)
        kinds = entries.HIDEABLE if policy.may_moderate(seat.guest.doctor) else _SAYS
        return await self.change(
            seat, request, seq, lambda was: self._redact(seat, seq, reason, was), kinds
        )

    async def react(self, seat: Seat, seq: int, cid: str, emoji: str, on: bool) -> Outcome:
        """Put or take a reaction. What is so already is answered with the entry that made it so."""
        request = self.request(seat, cid, "react", seq, emoji, on)
        if not _is_emoji(emoji):
            raise Refusal(Code.INVALID, "refusal.emoji", field="emoji")
        try:
            if on:
                self.may_be_heard(seat)
            self.may_post(seat)
            self._limits.spend(CHANGES, seat.guest.doctor.id)
        except Refusal as refusal:
            return await self._acting.recalled(request, refusal)
        body = {"emoji": emoji, "on": on}
        draft = drafts.draft("react", body, seat.reactor, seq)
        not_by = seat.dress.ids if on and _own(seat, emoji) else ()
        steps = (
            entries.say_stands(seat.number, seq, not_by=not_by, in_force=on),
            entries.put_reaction(
                self._database.is_sqlite, seat.number, seq, emoji, seat.reactor, on
            ),
        )
        try:
            return await self._acting.commit(seat, request, Plan(draft, steps))
        except Refusal as refusal:
            if refusal.code is not Code.NOT_FOUND:
                raise
            return await self._as_it_stands(seat, seq, emoji, on, refusal)

    # -- the acts --------------------------------------------------------------------------------

    def _asked(self, seat: Seat, request: Request, text: str, sort: Sort | None) -> Rulings:
        """What the house's rules say of it."""
        return Rulings() if self.posting is None else self.posting.saying(seat, text, sort, request)

    async def _besides(
        self, seat: Seat, sort: Sort | None, reply_to: int | None
    ) -> tuple[Step, ...]:
        """What a say in a consult does besides. Anywhere else nothing, and nothing is waited for."""
        if seat.consult and self.advice is not None:
            return await self.advice.saying(seat, sort, reply_to)
        if sort is not None:
            raise Refusal(Code.INVALID, "refusal.consult_only", field="sort")
        return ()

    async def _paced(self, seat: Seat, sort: Sort | None) -> tuple[Step, ...]:
        """In slow mode she has waited; a warning waits for nothing."""
        if sort == WARNING or seat.is_of_two:
            return ()
        return await self._modes.paced(seat.room.id, seat.number, seat.dress.ids)

    async def _edit(
        self, seat: Seat, seq: int, text: str, body: Mapping[str, object], was: Standing
    ) -> Plan:
        if was.persona is None or not policy.may_edit(was.persona in seat.dress.ids):
            raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
        if was.hidden is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        letters: tuple[Letter, ...] = ()
        if seat.consult and self.advice is not None:
            self.advice.may_correct(was)
            letters = await self.advice.changed(seat, seq)
        alerts = () if self.posting is None else self.posting.writing(seat, text, was.sort)
        draft = _spoken("edit", body, seat.dress.said(was.persona, was.shown), seq)
        is_sqlite = self._database.is_sqlite
        steps = (
            entries.mark_edited(seat.number, seq, was.persona, was.edited),
            index.removal(is_sqlite, seat.number, seq, index_terms(was.text)),
            index.addition(is_sqlite, seat.number, seq, index_terms(text)),
        )
        plan = Plan(draft, steps, letters=letters)
        return self.posting.alerted(seat, plan, alerts, seq) if self.posting and alerts else plan

    async def _withdraw(
        self, advice: Advice, seat: Seat, seq: int, reason: str | None, was: Standing
    ) -> Plan:
        """In a consult its words stay; only the search finds them no more."""
        assert was.persona is not None
        if was.hidden is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        advice.may_change(was)
        body: dict[str, object] = {} if reason is None else {"reason": reason}
        draft = drafts.draft("withdraw", body, None, seq)
        removal = index.removal(self._database.is_sqlite, seat.number, seq, index_terms(was.text))
        mark = entries.mark_withdrawn(seat.number, seq, was.persona, was.edited)
        trace = await advice.trace(seat, was)
        return Plan(
            _shown(draft, seat.dress.said(was.persona, was.shown)),
            (mark, removal, *trace.steps),
            letters=await advice.changed(seat, seq),
            also=trace.also,
            elsewhere=trace.elsewhere,
        )

    async def _redact(self, seat: Seat, seq: int, reason: str | None, was: Standing) -> Plan:
        is_own = was.persona in seat.dress.ids and was.kind == "say"
        if is_own:
            alerts = self._explained(seat, reason)
            if seat.consult and self.advice is not None:
                plan = await self._withdraw(self.advice, seat, seq, reason, was)
            else:
                plan = await self.erasing(seat, seq, was, "author", reason)
            return (
                self.posting.alerted(seat, plan, alerts, seq) if self.posting and alerts else plan
            )
        if seat.is_of_two or not policy.may_redact(seat.guest.doctor, is_own):
            raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
        if not reason:
            raise Refusal(Code.INVALID, "refusal.reason_needed", field="reason")
        await self.may_moderate(seat.guest.doctor, seat.room.id, seq)
        return await self.erasing(seat, seq, was, "moderator", reason)

    def _explained(self, seat: Seat, reason: str | None) -> tuple[Kept, ...]:
        """Everybody reads why an author takes it back: words like any others. Without any she always may."""
        if not reason:
            return ()
        self.may_be_heard(seat)
        self.may_post(seat)
        return self.alerts(seat, reason)

    async def erasing(
        self,
        seat: Seat,
        seq: int,
        was: Standing,
        role: str,
        reason: str | None,
        note: str | None = None,
    ) -> Plan:
        """An entry's words are gone, with what was written about it. By a moderator its author is told."""
        is_own = role == "author"
        body: dict[str, object] = {"role": role, "reason": reason}
        draft = drafts.draft("redact", body, was.persona if is_own else None, seq)
        told: tuple[Letter, ...] = ()
        if not is_own:
            told = await self.letters.about(seat, seq, was, "hidden", reason or "", note)
        steps = tuple(entries.erase(seat.number, seq, was.edited, was.withdrawn))
        steps += tuple(moderating.after_erasing(seat.number, seq))
        if (words := searched(was)) is not None and was.hidden is None:
            terms = index_terms(words)
            steps += (index.removal(self._database.is_sqlite, seat.number, seq, terms),)
        noted = None if is_own else _hiding(seat, seq)
        rest = Trace()
        if was.kind in HIDDEN_TOGETHER and self.advice is not None:
            rest = await self.advice.hiding(seat, seq, was, body)
        return Plan(
            draft, (*steps, *rest.steps), letters=told, noted=noted, elsewhere=rest.elsewhere
        )

    async def change(
        self,
        seat: Seat,
        request: Request,
        seq: int,
        plan: Callable[[Standing], Awaitable[Plan]],
        kinds: Collection[str] = _SAYS,
    ) -> Outcome:
        """Compare and set: read how an entry stands, and try again if it changed meanwhile."""

        async def look_and_plan() -> Plan:
            async with self._database.reading() as connection:
                was = await entries.standing(connection, seat.number, seq)
            if was is None or was.kind not in kinds or was.redacted is not None:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            return await plan(was)

        return await self._acting.planned(seat, request, look_and_plan)

    async def _as_it_stands(
        self, seat: Seat, seq: int, emoji: str, on: bool, refusal: Refusal
    ) -> Outcome:
        async with self._database.reading() as connection:
            made = await entries.reaction_entry(
                connection, seat.number, seq, emoji, seat.reactor, on
            )
            was = None if made else await entries.standing(connection, seat.number, seq)
        if made is not None:
            return Outcome((made,), duplicate=True)
        if was is not None and _own(seat, emoji) and was.persona in seat.dress.ids:
            raise Refusal(Code.FORBIDDEN, f"refusal.own_{_own(seat, emoji)}")
        if was is not None and was.withdrawn is not None and not was.is_gone:
            raise Refusal(Code.FORBIDDEN, "refusal.withdrawn")
        raise refusal

    # -- faces -----------------------------------------------------------------------------------

    async def call(self, seat: Seat) -> None:
        """Have the doctor's real name at hand, for the face that shows it."""
        seat.dress.is_called(await self._real_name(seat.guest.doctor.id))

    async def preview(self, seat: Seat, face: Face | None, exact: bool | None) -> Persona:
        """Exactly what others would see of a say."""
        if seat.dress.needs_name(face):
            await self.call(seat)
        persona = seat.dress.previewed(face, exact)
        return persona if persona.name else await self._first_free(seat, persona)

    async def introduced(self, seat: Seat, request: Request) -> Persona:
        """As whom they speak here, on record: also when they have not spoken yet."""
        if seat.dress.needs_name(None):
            await self.call(seat)
        worn = seat.dress.wears()
        row = seat.dress.introduction(worn, self._seal)
        if row is not None:
            plan = Plan(None, persona=row)
            outcome = await self._acting.submit(seat, self._acting.beside(request), plan)
            if outcome.duplicate:
                return await self._first_free(seat, worn.persona)
            worn.recorded(outcome.name)
        return worn.persona

    async def _first_free(self, seat: Seat, persona: Persona) -> Persona:
        """The persona as it is on record, or as it would be now."""
        names = candidates(persona.id)
        async with self._database.reading() as connection:
            known = (await personas.shown(connection, [persona.id])).get(persona.id)
            taken = await personas.taken(connection, seat.number, names)
        free = next((name for name in names if name not in taken), names[-1])
        return replace(persona, name=(known and known.name) or free)

    # -- for other acts of a seat ----------------------------------------------------------------

    def request(self, seat: Seat, cid: str, *fields: object) -> Request:
        """What makes a repetition of a command the same."""
        return self._acting.request(seat, cid, *fields)

    def request_of(self, guest: Guest, scope: str, cid: str, *fields: object) -> Request:
        """The same for what is done in no room; `scope` stands for one."""
        return self._acting.request_of(guest.doctor.id, scope, cid, *fields)

    async def receipt(self, request: Request) -> Outcome | None:
        """The first answer, if it was done before."""
        return await self._acting.receipt(request)

    def ruled(self, seat: Seat, plan: Plan, text: str, *others: str) -> Plan:
        """The plan of what is no say, held against the rules for its room and these. Raises Refusal."""
        alerts = self.alerts(seat, text, *others)
        return self.posting.alerted(seat, plan, alerts) if self.posting and alerts else plan

    def alerts(self, seat: Seat, text: str, *others: str) -> tuple[Kept, ...]:
        """The rules for its room and these by which it is to be reported. Raises Refusal for a block."""
        return () if self.posting is None else self.posting.writing(seat, text, others=others)

    def may_be_shown(self, doctor: Doctor, room_id: str, text: str) -> bool:
        """Whether words of hers may be read there by all: she is not muted, and no rule stops them."""
        try:
            if self._sanctions is not None:
                self._sanctions.may_speak(doctor.id, room_id)
        except Refusal:
            return False
        return self.posting is None or self.posting.lets(doctor, room_id, text)

    def beside(self, request: Request) -> Request:
        """Of something that is done once before it, or in its place."""
        return self._acting.beside(request)

    async def perform(self, seat: Seat, request: Request, plan: Plan) -> Outcome:
        """Do it once. Raises Missed when a guard did not hold."""
        return await self._acting.submit(seat, request, plan)

    async def planned(
        self, seat: Seat, request: Request, plan: Callable[[], Awaitable[Plan]]
    ) -> Outcome:
        """Plan and do it, anew while a guard does not hold; a repetition gets its first answer."""
        return await self._acting.planned(seat, request, plan)

    def may_act(self, seat: Seat) -> None:
        """They are still here, and the room is still open to them."""
        if seat.guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        policy.stays(seat.guest.doctor, seat.room, self._catalogue)
        if self._sanctions is not None:
            self._sanctions.may_enter(seat.guest.doctor.id, seat.room.id)

    def may_be_heard(self, seat: Seat, *others: str) -> None:
        """They are not muted here, nor in these other rooms."""
        for room_id in (seat.room.id, *others):
            if self._sanctions is not None:
                self._sanctions.may_speak(seat.guest.doctor.id, room_id)

    def may_post(self, seat: Seat, *others: str) -> None:
        """The room is not frozen, nor are these other ones."""
        for room_id in (seat.room.id, *others):
            self._modes.may_add(room_id)

    def clean(self, text: str, field: str, most: int, waiver: Waiver) -> None:
        """There is something in it, at most so many code points, and nothing that leads to a person."""
        if not text.strip():
            raise Refusal(Code.INVALID, "refusal.empty", field=field)
        if len(text) > most:
            raise Refusal(Code.TOO_LONG, "refusal.too_long", most=most, field=field)
        self.guarding.admit(text, waiver, field)

    def draft(self, seat: Seat, kind: str) -> Draft:
        """An entry without words, as whoever they are here."""
        return _shown(drafts.draft(kind, {}, None, None), seat.dress.wears())

    async def voiced(
        self,
        seat: Seat,
        kind: str,
        body: dict[str, object],
        *,
        face: Face | None = None,
        target: int | None = None,
    ) -> Voiced:
        """An entry as whoever they are here, with that face or the one worn. Raises Refusal."""
        if seat.dress.needs_name(face):
            await self.call(seat)
        worn = seat.dress.wears(face)
        draft = _shown(drafts.draft(kind, body, None, target), worn)
        return Voiced(draft, seat.dress.introduction(worn, self._seal), worn)

    # -- rules -----------------------------------------------------------------------------------

    async def _may_write(self, seat: Seat, text: str, limit: RateLimitItem, waiver: Waiver) -> None:
        """As `_may_speak`; in a page, one's own verified number may be spared. Waits for nothing else."""
        try:
            self._may_speak(seat, text, limit, waiver)
        except Refusal as refusal:
            if seat.page is None or refusal.code is not Code.HELD_PRIVACY:
                raise
            self._clean(await self.spared(seat.guest.doctor.id, seat.room.id, text), waiver)

    def _may_speak(self, seat: Seat, text: str, limit: RateLimitItem, waiver: Waiver) -> None:
        self.may_act(seat)
        may_add(seat)
        self.may_be_heard(seat)
        self.may_post(seat)
        if not text.strip():
            raise Refusal(Code.INVALID, "refusal.empty", field="text")
        self._limits.spend(limit, seat.guest.doctor.id)  # first: the guard's work is not free
        self._limits.fill(seat.room.id)
        self._clean(text, waiver)

    def _clean(self, text: str, waiver: Waiver) -> None:
        """Short enough, and nothing in it that leads to a person."""
        if len(text) > TEXT_CODE_POINTS:
            raise Refusal(Code.TOO_LONG, "refusal.too_long", most=TEXT_CODE_POINTS)
        self.guarding.admit(text, waiver)


def _spoken(
    kind: str,
    body: Mapping[str, object],
    worn: Worn,
    target: int | None,
    terms: tuple[str, ...] | None = None,
) -> Draft:
    draft = drafts.draft(kind, body, None, target)
    return replace(_shown(draft, worn), is_say=kind == "say", terms=terms)


def _shown(draft: Draft, worn: Worn) -> Draft:
    """The draft as one of hers."""
    persona = worn.persona
    return replace(
        draft, persona=persona.id, face=persona.face, badge=worn.badge, name=persona.name
    )


def searched(was: Standing) -> str | None:
    """The words by which an entry is found, just as they went into the index."""
    if was.kind == "consult.open":
        return words_of(was.body)
    return was.text if was.kind == "say" and was.withdrawn is None else None


def _own(seat: Seat, emoji: str) -> str | None:
    """What a reaction says that nobody says of her own."""
    if emoji == PLAN and seat.consult:
        return "plan"
    return "thanks" if emoji == THANKS else None


def _hiding(seat: Seat, seq: int) -> Noted:
    """Not why: that is in her own words."""
    return Noted("entry.hidden", "moderator", f"{seat.room.id} {seq}", {})


def _unsealed(_: str) -> None:
    """Without officers no author is sealed."""


async def _all_of_it(_: str, __: str, text: str) -> str:
    """Nothing is spared."""
    return text


async def _any_moderator(_: Doctor, __: str, ___: int) -> None:
    """Until moderators are appointed for something."""


async def _nothing(_: Seat) -> None:
    """Until there is somebody to tell."""


def _is_emoji(emoji: str) -> bool:
    """Symbols and what joins and colours them; no letters, so that a reaction cannot speak."""
    kinds = {unicodedata.category(character) for character in emoji}
    return "So" in kinds and kinds <= _EMOJI_KINDS


_NOBODY = Shown(ANONYMOUS, "{}", None)
_EMOJI_KINDS = frozenset({"So", "Sk", "Mn", "Me", "Cf"})
