"""Texts that a rule holds: sealed, until one moderator has claimed and read them and lets them go, or not."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import msgspec

from lounge import drafts, policy
from lounge.acting import Plan, Request, Seat
from lounge.clock import now_ms
from lounge.consults import is_consult
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.house_acts import HouseActs
from lounge.keys import Keys
from lounge.moderating.asked import Reason
from lounge.moderating.claims import Claims
from lounge.moderating.modes import Modes
from lounge.moderating.pulse import Pulse
from lounge.moderating.restricted import Restricted
from lounge.moderating.ruling import Kept
from lounge.moderating.scopes import Scopes
from lounge.notices import letter
from lounge.personas import Personas
from lounge.sanctions import Sanctions
from lounge.telling import later_of_this
from storage import entries, personas, waiting
from storage.acts import Draft, Letter, Noted, Outcome, PersonaRow, Step
from storage.database import Database
from storage.tokenizer import index_terms
from storage.waiting import WaitingRow

if TYPE_CHECKING:
    from lounge.conversation import Conversation

_LABEL = "waiting"
SHOWN = 100
MOST_WAITING = 5
_RETRY_S = 60
_LOOKED_AT = 1_000
Outcomes = Literal["released", "refused"]


class Held(msgspec.Struct, frozen=True):
    """A say as it was to be posted, and as whose: her persona there, never the doctor."""

    body: str
    persona: bytes
    face: str
    badge: str
    name: str | None
    reply_to: int | None
    names: tuple[str, ...] | None
    exact: bool
    author: bytes | None
    dedup: bytes
    fingerprint: bytes
    rule: str
    reason: Reason

    @property
    def text(self) -> str:
        return str(json.loads(self.body)["text"])


@dataclass(frozen=True, slots=True)
class Line:
    """What waits, without its words. `claimed`: by whom of those who ask."""

    id: str
    room: str
    rule: str
    reason: Reason
    at: int
    claimed: Literal["mine", "other"] | None
    claimed_until: int | None


class Waiting:
    """May raise StorageError, and Refusal for what is declined."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        house_acts: HouseActs,
        personas: Personas,
        keys: Keys,
        modes: Modes,
        pulse: Pulse,
        claims: Claims,
        scopes: Scopes,
        restricted: Restricted,
        doctor_ids: Callable[[], Awaitable[list[str]]],
        sanctions: Sanctions,
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._house_acts = house_acts
        self._personas = personas
        self._keys = keys
        self._modes = modes
        self._pulse = pulse
        self._claims = claims
        self._scopes = scopes
        self._restricted = restricted
        self._doctor_ids = doctor_ids
        self._sanctions = sanctions
        self._holding = asyncio.Lock()

    async def hold(self, seat: Seat, request: Request, plan: Plan, kept: Kept) -> Outcome:
        """Keep it, however often it is sent, and refuse it `held_rule`; once posted, its first answer.

        Of one persona at most five wait in a room: more is refused `rate_limited`.
        """
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        id = secrets.token_urlsafe(12)
        held = _held(request, plan, kept)
        sealed = self._sealed(id, held)
        beside = self._conversation.beside(request)
        keep = waiting.adding(id=id, room_id=seat.number, rule=kept.id, sealed=sealed, at=now_ms())
        noted = Noted("rule.held", "house", seat.room.id, {"rule": kept.id})
        async with self._holding:  # what is sent at once is counted one after the other
            if await self._conversation.receipt(beside) is None:
                await self._may_wait(seat, held)
            await self._conversation.perform(seat, beside, Plan(None, (keep,), noted=noted))
        self._pulse.note(seat.room.id, "held")
        raise Refusal(Code.HELD_RULE, "refusal.held_rule", words=kept.rule.words)

    async def lines(self, moderator: Doctor) -> list[Line]:
        """What waits where she is appointed, the oldest first."""
        _must_moderate(moderator)
        await self._restricted.read("waiting")
        async with self._database.reading() as connection:
            rows = await waiting.everything(connection, _LOOKED_AT)
        hers = [row for row in rows if await self._covers(moderator, row)]
        return [self._line(moderator, row) for row in hers[:SHOWN]]

    async def claim(self, moderator: Doctor, id: str) -> tuple[Held, int]:
        """It is hers for a quarter of an hour, until that ms, and she is told its words: noted before."""
        row = await self._found(moderator, id)
        await self._scopes.apart(moderator, row.room)
        self._claims.is_free_for(moderator.id, row)
        await self._restricted.read("waiting", f"{row.room} {row.id}")
        until = self._claims.until()
        await self._claimed(row, self._claims.mark(moderator.id, id), until)
        return self._opened(row), until

    async def release(self, moderator: Doctor, id: str) -> None:
        """It is anybody's again."""
        row = await self._found(moderator, id)
        self._claims.is_hers(moderator.id, row)
        await self._claimed(row, None, None)

    async def close(
        self, moderator: Doctor, id: str, outcome: Outcomes, reason: Reason | None
    ) -> None:
        """Post it as its author's, or not; she is told. Of who has left nothing is posted.

        Nor of who may no longer speak there; the answer to the moderator is the same.
        """
        row = await self._found(moderator, id)
        self._claims.is_hers(moderator.id, row)
        await self._scopes.admit(moderator, row.room)
        held = self._opened(row)
        author = await self._personas.owner(held.persona, row.room, await self._doctor_ids())
        if outcome == "released" and author is not None and not self._may_speak(author, row.room):
            outcome = "refused"
        noted = Noted(f"rule.{outcome}", "moderator", row.room, {"rule": row.rule, "text": row.id})
        told = self._letters(author, row, held, outcome, reason)
        if outcome == "refused" or author is None:
            await self._done(row, noted, told)
        else:
            await self._post(row, held, noted, told)

    async def forget(self, doctor_id: str) -> None:
        """Whatever waits of hers is dropped: she leaves."""
        async with self._database.reading() as connection:
            rows = await waiting.everything(connection)
        rooms = sorted({row.room for row in rows})
        hers = set(self._personas.all_ids_of(doctor_id, rooms))
        ids = [row.id for row in rows if self._opened(row).persona in hers]
        if ids:
            async with self._database.writing() as connection:
                await waiting.drop(connection, ids)

    # -- privates --------------------------------------------------------------------------------

    async def _may_wait(self, seat: Seat, held: Held) -> None:
        async with self._database.reading() as connection:
            rows = await waiting.of_room(connection, seat.number)
        if sum(self._opened(row).persona == held.persona for row in rows) >= MOST_WAITING:
            raise Refusal(
                Code.RATE_LIMITED, "refusal.most_waiting", retry_after=_RETRY_S, most=MOST_WAITING
            )

    def _may_speak(self, author: str, room: str) -> bool:
        try:
            self._sanctions.may_speak(author, room)
        except Refusal:
            return False
        return True

    def _sealed(self, id: str, held: Held) -> bytes:
        return self._keys.identity.seal(_LABEL, msgspec.json.encode(held), id.encode())

    def _opened(self, row: WaitingRow) -> Held:
        opened = self._keys.identity.unseal(_LABEL, row.sealed, row.id.encode())
        return msgspec.json.decode(opened, type=Held)

    def _line(self, moderator: Doctor, row: WaitingRow) -> Line:
        held = self._opened(row)
        whose = self._claims.whose(moderator.id, row)
        until = row.claimed_until if whose else None
        return Line(row.id, row.room, held.rule, held.reason, row.at, whose, until)

    async def _covers(self, moderator: Doctor, row: WaitingRow) -> bool:
        return self._scopes.covers(moderator, await self._scopes.about(row.room))

    async def _found(self, moderator: Doctor, id: str) -> WaitingRow:
        _must_moderate(moderator)
        async with self._database.reading() as connection:
            row = await waiting.by_id(connection, id)
        if row is None or not await self._covers(moderator, row):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_waiting")
        return row

    async def _claimed(self, row: WaitingRow, mark: bytes | None, until: int | None) -> None:
        async with self._database.writing() as connection:
            if not await waiting.claim(connection, row, mark, until):
                raise Refusal(Code.FROZEN, "refusal.claimed", retry_after=1)

    def _letters(
        self,
        author: str | None,
        row: WaitingRow,
        held: Held,
        outcome: Outcomes,
        reason: Reason | None,
    ) -> tuple[Letter, ...]:
        if author is None:
            return ()
        notice = {"notice": outcome, "about": row.room, "name": held.rule}
        if outcome == "refused":
            notice["reason"] = reason or held.reason
        return (letter(self._keys, author, notice, at=now_ms()),)

    async def _post(
        self, row: WaitingRow, held: Held, noted: Noted, letters: tuple[Letter, ...]
    ) -> None:
        self._modes.may_add(row.room)
        draft, persona = await self._as_now(held)
        posted = await self._house_acts.do(
            row.room_id,
            [draft],
            _steps(row, held),
            letters=letters,
            persona=persona,
            noted=noted,
            as_if=Request(held.dedup, held.fingerprint),
        )
        if posted is None:  # what it answers is gone; or another moderator was first
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")

    async def _as_now(self, held: Held) -> tuple[Draft, PersonaRow | None]:
        """Whoever has spoken there meanwhile is shown as she is by now."""
        body = json.loads(held.body)
        draft = drafts.draft("say", body, held.persona, held.reply_to)
        draft = replace(draft, is_say=True, terms=tuple(index_terms(held.text)))
        async with self._database.reading() as connection:
            shown = (await personas.shown(connection, [held.persona])).get(held.persona)
        if shown is not None:
            return replace(draft, face=shown.face, badge=shown.badge, name=shown.name), None
        row = PersonaRow(
            held.persona, held.face, held.badge, None, held.names or (), held.exact, held.author
        )
        return replace(draft, face=held.face, badge=held.badge, name=held.name), row

    async def _done(self, row: WaitingRow, noted: Noted, letters: tuple[Letter, ...]) -> None:
        done = await self._house_acts.do(
            row.room_id, steps=(waiting.taking(row.id),), letters=letters, noted=noted
        )
        if done is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_waiting")


def _must_moderate(doctor: Doctor) -> None:
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")


def _held(request: Request, plan: Plan, kept: Kept) -> Held:
    draft, row = plan.draft, plan.persona
    assert draft is not None
    assert draft.persona is not None
    return Held(
        body=draft.body.decode(),
        persona=draft.persona,
        face=draft.face or "",
        badge=draft.badge or "",
        name=draft.name,
        reply_to=draft.target,
        names=row.names if row else None,
        exact=row.exact if row else False,
        author=row.sealed if row else None,
        dedup=request.dedup,
        fingerprint=request.fingerprint,
        rule=kept.rule.name,
        reason=kept.rule.reason,
    )


def _steps(row: WaitingRow, held: Held) -> tuple[Step, ...]:
    """It still waits, and what it answers stands; in a case, who is answered is told."""
    steps = [waiting.taking(row.id)]
    if held.reply_to is not None:
        steps.append(entries.say_stands(row.room_id, held.reply_to))
        if is_consult(row.room):
            steps.append(later_of_this("replied", row.room))
    return tuple(steps)
