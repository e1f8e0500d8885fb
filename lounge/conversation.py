"""What doctors do in rooms: enter, say, edit, redact, react, report, look back.

Everything that ends in the log goes through here: may they, may it be kept, under which persona, and then
to the writer as one act. Nothing is answered before it is committed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import unicodedata
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace

from limits import RateLimitItem

from lounge import guard, policy
from lounge.door import Door, Guest
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.keys import Keys
from lounge.limits import CHANGES, REPORTS, SAYS, TEXT_CODE_POINTS, Limits
from lounge.notices import letter
from lounge.personas import (
    ANONYMOUS,
    Persona,
    Personas,
    decode_badge,
    encode_badge,
)
from lounge.rooms import Catalogue, Room
from lounge.turns import Turns
from storage import entries, index, reports
from storage.acts import (
    Act,
    CidConflict,
    Draft,
    Letter,
    Missed,
    Outcome,
    PersonaRow,
    QueueFull,
    Stale,
    Step,
)
from storage.database import Database, Locked, StorageError
from storage.entries import Standing
from storage.tokenizer import index_terms
from storage.writer import Writer

__all__ = ["Conversation", "Outcome", "Seat"]

REPORT_KINDS = frozenset(
    {
        "patient_identifiable",
        "dangerous_advice",
        "harassment",
        "advertising",
        "not_a_doctor",
        "other",
    }
)
ATTEMPTS = 5


@dataclass(slots=True)
class Seat:
    """A guest in a room: the room, its number in SQL and the persona they speak with there."""

    guest: Guest
    room: Room
    number: int
    persona: Persona
    stored: str | None
    """The badge that the persona's row holds; None before its first say."""
    turns: Turns = field(default_factory=Turns)


@dataclass(frozen=True, slots=True)
class _Request:
    """A command's identity: what makes a repetition of it the same."""

    dedup: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an act will do, once it is known how things stand."""

    draft: Draft | None
    steps: tuple[Step, ...] = ()
    persona: PersonaRow | None = None
    letters: tuple[Letter, ...] = ()


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
    ) -> None:
        self._database = database
        self._writer = writer
        self._personas = personas
        self._catalogue = catalogue
        self._door = door
        self._limits = limits
        self._keys = keys
        self._receipt_key = keys.persona.subkey("receipt")
        self._doctor_ids = doctor_ids
        self._numbers: dict[str, int] = {}
        self._badges = Gathered(self._badges_of)

    # -- entering --------------------------------------------------------------------------------

    async def take_seat(self, guest: Guest, room_id: str) -> Seat:
        """Let a guest into a room, as the persona they have there. Asked anew on every join."""
        room = policy.admit(guest.doctor, room_id, self._catalogue)
        number = await self.number(room.id)
        persona_id = self._personas.id_of(guest.doctor.id, room.id)
        stored = await self._badges.get(persona_id)
        badge = self._personas.badge_of(guest.doctor)
        if stored is not None:
            badge = self._personas.meet(decode_badge(stored), badge)
        return Seat(guest, room, number, Persona(persona_id, ANONYMOUS, badge), stored)

    async def _badges_of(self, persona_ids: Collection[bytes]) -> dict[bytes, str]:
        async with self._database.reading() as connection:
            return await entries.badges_of(connection, persona_ids)

    async def number(self, room_id: str) -> int:
        """The room's number in SQL, given on first use."""
        number = self._numbers.get(room_id)
        if number is None:
            number = self._numbers[room_id] = await entries.room_id(self._database, room_id)
        return number

    # -- speaking --------------------------------------------------------------------------------

    async def say(
        self, seat: Seat, cid: str, text: str, reply_to: int | None, face: str
    ) -> Outcome:
        """Add a message. The act is queued before the first await, so that order is kept."""
        request = self._request(seat, cid, "say", text, reply_to, face)
        try:
            self._may_speak(seat, text, face, SAYS)
        except Refusal as refusal:
            return await self._recalled(request, refusal)
        draft = _draft("say", {"text": text}, seat.persona, reply_to, tuple(index_terms(text)))
        steps = () if reply_to is None else (entries.say_stands(seat.number, reply_to),)
        persona = _introduction(seat)
        outcome = await self._commit(seat, request, _Plan(draft, steps, persona))
        if persona is not None and not outcome.duplicate:
            seat.stored = persona.badge
        return outcome

    async def edit(self, seat: Seat, seq: int, cid: str, text: str) -> Outcome:
        """Correct one's own message; who reads it later reads the new text."""
        request = self._request(seat, cid, "edit", seq, text)
        try:
            self._may_speak(seat, text, seat.persona.face, CHANGES)
        except Refusal as refusal:
            return await self._recalled(request, refusal)
        return await self._change(seat, request, seq, lambda was: self._edit(seat, seq, text, was))

    async def redact(self, seat: Seat, seq: int, cid: str, reason: str | None) -> Outcome:
        """Take back one's own message, or hide another's as a moderator, with a reason."""
        request = self._request(seat, cid, "redact", seq, reason)
        try:
            self._limits.spend(CHANGES, seat.guest.doctor.id)
            self._clean(reason or "")
        except Refusal as refusal:
            return await self._recalled(request, refusal)
        return await self._change(
            seat, request, seq, lambda was: self._redact(seat, seq, reason, was)
        )

    async def react(self, seat: Seat, seq: int, cid: str, emoji: str, on: bool) -> Outcome:
        """Put or take a reaction. What is so already is answered with the entry that made it so."""
        request = self._request(seat, cid, "react", seq, emoji, on)
        if not _is_emoji(emoji):
            raise Refusal(Code.INVALID, "refusal.emoji", field="emoji")
        try:
            self._limits.spend(CHANGES, seat.guest.doctor.id)
        except Refusal as refusal:
            return await self._recalled(request, refusal)
        body = {"emoji": emoji, "on": on}
        draft = _draft("react", body, seat.persona, seq)
        steps = (
            entries.say_stands(seat.number, seq),
            entries.put_reaction(
                self._database.is_sqlite, seat.number, seq, emoji, seat.persona.id, on
            ),
        )
        try:
            return await self._commit(seat, request, _Plan(draft, steps))
        except Refusal as refusal:
            if refusal.code is not Code.NOT_FOUND:
                raise
            return await self._as_it_stands(seat, seq, emoji, on, refusal)

    async def report(self, seat: Seat, seq: int, cid: str, kind: str, note: str | None) -> Outcome:
        """Ask a moderator to look at an entry."""
        request = self._request(seat, cid, "report", seq, kind, note)
        if kind not in REPORT_KINDS:
            raise Refusal(Code.INVALID, "refusal.report_kind", field="kind")
        try:
            self._limits.spend(REPORTS, seat.guest.doctor.id)
            self._clean(note or "")
        except Refusal as refusal:
            return await self._recalled(request, refusal)
        async with self._database.reading() as connection:
            found = await entries.standing(connection, seat.number, seq)
        if found is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        filing = reports.filing(
            id=secrets.token_urlsafe(12),
            room_id=seat.number,
            seq=seq,
            kind=kind,
            note=note,
            persona=seat.persona.id,
            at=_now(),
        )
        return await self._commit(seat, request, _Plan(None, (filing,)))

    # -- the acts --------------------------------------------------------------------------------

    async def _edit(self, seat: Seat, seq: int, text: str, was: Standing) -> _Plan:
        if not policy.may_edit(was.persona == seat.persona.id):
            raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
        draft = _draft("edit", {"text": text}, seat.persona, seq)
        is_sqlite = self._database.is_sqlite
        steps = (
            entries.mark_edited(seat.number, seq, seat.persona.id, was.edited),
            index.removal(is_sqlite, seat.number, seq, index_terms(was.text)),
            index.addition(is_sqlite, seat.number, seq, index_terms(text)),
        )
        return _Plan(draft, steps)

    async def _redact(self, seat: Seat, seq: int, reason: str | None, was: Standing) -> _Plan:
        is_own = was.persona == seat.persona.id
        if not policy.may_redact(seat.guest.doctor, is_own):
            raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
        if not is_own and not reason:
            raise Refusal(Code.INVALID, "refusal.reason_needed", field="reason")
        body: dict[str, object] = {"role": "author" if is_own else "moderator", "reason": reason}
        draft = _draft("redact", body, seat.persona if is_own else None, seq)
        removal = index.removal(self._database.is_sqlite, seat.number, seq, index_terms(was.text))
        letters = () if is_own else await self._letter_to_author(seat, seq, was.persona, reason)
        steps = (*entries.erase(seat.number, seq, was.edited), removal)
        return _Plan(draft, steps, letters=letters)

    async def _letter_to_author(
        self, seat: Seat, seq: int, author: bytes | None, reason: str | None
    ) -> tuple[Letter, ...]:
        if author is None:
            return ()
        doctor_id = await self._personas.owner(author, seat.room.id, await self._doctor_ids())
        if doctor_id is None:
            return ()
        notice = {"notice": "hidden", "about": seat.room.id, "target": seq, "reason": reason}
        return (letter(self._keys, doctor_id, notice, at=_now()),)

    # -- committing ------------------------------------------------------------------------------

    async def _change(
        self,
        seat: Seat,
        request: _Request,
        seq: int,
        plan: Callable[[Standing], Awaitable[_Plan]],
    ) -> Outcome:
        """Compare and set: read how the say stands, and try again if it changed meanwhile."""
        known = await self._receipt(request)
        if known is not None:
            return known
        for _ in range(ATTEMPTS):
            async with self._database.reading() as connection:
                was = await entries.standing(connection, seat.number, seq)
            if was is None or was.kind != "say" or was.redacted is not None:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            try:
                return await self._submit(seat, request, await plan(was))
            except Missed:
                continue
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def _commit(self, seat: Seat, request: _Request, plan: _Plan) -> Outcome:
        try:
            return await self._submit(seat, request, plan)
        except Missed:
            known = await self._receipt(request)
            if known is not None:
                return known
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry") from None

    async def _submit(self, seat: Seat, request: _Request, plan: _Plan) -> Outcome:
        """Queue the act at once and wait for its commit; after a revocation ask again whether it may be."""
        turn = seat.turns.take()
        try:
            for _ in range(ATTEMPTS):
                while not turn.is_next(
                    seat.guest.epoch
                ):  # asking again must not change their order
                    await turn.comes(seat.guest.epoch)
                turn.epoch = seat.guest.epoch
                try:
                    return await self._queued(seat, request, plan)
                except Stale:
                    turn.epoch = None
                    await self._door.recheck(seat.guest, self._writer.epoch)
                    policy.admit(seat.guest.doctor, seat.room.id, self._catalogue)
        finally:
            turn.end()
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def _queued(self, seat: Seat, request: _Request, plan: _Plan) -> Outcome:
        try:
            return await self._writer.submit(self._act(seat, request, plan))
        except QueueFull:
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=1) from None
        except CidConflict:
            raise Refusal(Code.CID_CONFLICT, "refusal.cid_conflict") from None
        except Locked:
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=2) from None
        except StorageError:
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=2) from None

    def _act(self, seat: Seat, request: _Request, plan: _Plan) -> Act:
        return Act(
            room_id=seat.number,
            dedup=request.dedup,
            fingerprint=request.fingerprint,
            epoch=seat.guest.epoch,
            drafts=() if plan.draft is None else (plan.draft,),
            steps=plan.steps,
            persona=plan.persona,
            letters=plan.letters,
            scrub=plan.draft is not None and plan.draft.kind == "redact",
        )

    # -- repetition ------------------------------------------------------------------------------

    def _request(self, seat: Seat, cid: str, *fields: object) -> _Request:
        """Keyed by the client id, which is kept nowhere: neither hash can be tried without it."""
        scope = f"{seat.guest.doctor.id}\n{seat.room.id}\n{cid}\n"
        content = scope + json.dumps(fields, ensure_ascii=False)
        return _Request(self._hash("who" + scope), self._hash("what" + content))

    def _hash(self, message: str) -> bytes:
        return hmac.digest(self._receipt_key, message.encode(), hashlib.sha256)[:16]

    async def _recalled(self, request: _Request, refusal: Refusal) -> Outcome:
        """A repetition gets its first answer, before any limit, mute or mode."""
        known = await self._receipt(request)
        if known is None:
            raise refusal
        return known

    async def _receipt(self, request: _Request) -> Outcome | None:
        async with self._database.reading() as connection:
            found = await entries.receipt_of(connection, request.dedup)
        if found is None:
            return None
        fingerprint, placed = found
        if fingerprint != request.fingerprint:
            raise Refusal(Code.CID_CONFLICT, "refusal.cid_conflict")
        return Outcome(placed, duplicate=True)

    async def _as_it_stands(
        self, seat: Seat, seq: int, emoji: str, on: bool, refusal: Refusal
    ) -> Outcome:
        async with self._database.reading() as connection:
            made = await entries.reaction_entry(
                connection, seat.number, seq, emoji, seat.persona.id, on
            )
        if made is None:
            raise refusal
        return Outcome((made,), duplicate=True)

    # -- rules -----------------------------------------------------------------------------------

    def _may_speak(self, seat: Seat, text: str, face: str, limit: RateLimitItem) -> None:
        if seat.guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        policy.admit(seat.guest.doctor, seat.room.id, self._catalogue)
        self._coarsen(seat)
        if not text.strip():
            raise Refusal(Code.INVALID, "refusal.empty", field="text")
        if face != ANONYMOUS:
            raise Refusal(Code.FORBIDDEN, "refusal.face")
        self._limits.spend(limit, seat.guest.doctor.id)  # first: the guard's work is not free
        self._limits.fill(seat.room.id)
        self._clean(text)

    def _coarsen(self, seat: Seat) -> None:
        """The k-guard is asked with every say: colleagues may have gone since the join."""
        shown = seat.persona.badge
        badge = self._personas.meet(shown, self._personas.badge_of(seat.guest.doctor))
        if badge != shown:
            seat.persona = replace(seat.persona, badge=badge)

    def _clean(self, text: str) -> None:
        """Short enough, and nothing in it that leads to a person."""
        if len(text) > TEXT_CODE_POINTS:
            raise Refusal(Code.TOO_LONG, "refusal.too_long", most=TEXT_CODE_POINTS)
        held = guard.examine(text)
        if held:
            raise Refusal(Code.HELD_PRIVACY, "refusal.held_privacy", spans=held)


def _introduction(seat: Seat) -> PersonaRow | None:
    """The persona's row, when it is not there yet or its badge has become coarser."""
    persona, badge = seat.persona, encode_badge(seat.persona.badge)
    if badge == seat.stored:
        return None
    return PersonaRow(persona.id, persona.face, badge, was=seat.stored)


def _draft(
    kind: str,
    body: dict[str, object],
    persona: Persona | None,
    target: int | None,
    terms: tuple[str, ...] | None = None,
) -> Draft:
    return Draft(
        id=secrets.token_urlsafe(12),
        kind=kind,
        salt=secrets.token_bytes(16),
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        persona=persona.id if persona else None,
        face=persona.face if persona else None,
        badge=encode_badge(persona.badge) if persona else None,
        target=target,
        is_say=kind == "say",
        terms=terms,
    )


def _is_emoji(emoji: str) -> bool:
    """Symbols and what joins and colours them; no letters, so that a reaction cannot speak."""
    kinds = {unicodedata.category(character) for character in emoji}
    return "So" in kinds and kinds <= _EMOJI_KINDS


_EMOJI_KINDS = frozenset({"So", "Sk", "Mn", "Me", "Cf"})


def _now() -> int:
    return time.time_ns() // 1_000_000
