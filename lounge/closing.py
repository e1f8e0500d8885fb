"""Closing a case: what its author did, what helped, and later, asked for once, how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lounge import consults as cases
from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.conversation import Conversation, Plan, Seat
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.guarding import Waiver
from lounge.house_acts import HouseActs
from lounge.limits import CHANGES, Limits
from lounge.telling import Telling
from storage import consults, due, entries, personas
from storage.acts import Draft, Outcome, Step
from storage.consults import DECIDED, OPEN, OUTCOME, REVEALED, Consult
from storage.database import Database
from storage.due import Due

DUE = "consult.remind"
ASKED_AFTER_MS = 7 * 24 * 3_600_000
"""Then the author is asked once for the outcome."""
CODE_POINTS = 2000
MOST_HELPED = 50

Unseal = Callable[[Seat, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Move:
    """A phase that a case comes to, and what its author says of it."""

    kind: str
    phase: str
    body: Mapping[str, object]
    steps: tuple[Step, ...]


class Closing:
    """For a case's author alone. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        consults: Consults,
        telling: Telling,
        house_acts: HouseActs,
        limits: Limits,
        unseal: Unseal,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`unseal` ends the blind phase at its author's word: given her seat and a client id of ours."""
        self._database = database
        self._conversation = conversation
        self._consults = consults
        self._telling = telling
        self._house_acts = house_acts
        self._limits = limits
        self._unseal = unseal
        self._clock = clock

    async def decide(
        self, seat: Seat, did: str, helped: Sequence[int], cid: str, *, not_patient: bool = False
    ) -> Outcome:
        """What she did. Opinions that are still sealed are shown first: nobody is left without them."""
        request = self._conversation.request(seat, cid, "decide", did, helped)
        if (known := await self._conversation.receipt(request)) is not None:
            return known
        consult = await self._mine(seat)
        self._conversation.may_post(seat)
        waiver = Waiver(not_patient=not_patient, room=seat.room.id)
        self._conversation.clean(did, "did", CODE_POINTS, waiver)
        self._conversation.alerts(seat, did)  # what is blocked shows nothing first
        await self._helped(seat, helped)
        if consult.state == OPEN:
            await self._unseal(seat, f"{cid} decide")
        asked = due.add(f"{DUE} {seat.room.id}", DUE, seat.room.id, self._clock() + ASKED_AFTER_MS)
        body = waiver.kept({"text": did, "helped": sorted(set(helped))})
        move = _Move("consult.decided", DECIDED, body, (asked,))
        return await self._conversation.planned(seat, request, lambda: self._plan(seat, move))

    async def outcome(
        self, seat: Seat, text: str, cid: str, *, not_patient: bool = False
    ) -> Outcome:
        """How it went; once."""
        request = self._conversation.request(seat, cid, "outcome", text)
        if (known := await self._conversation.receipt(request)) is not None:
            return known
        await self._mine(seat)
        self._conversation.may_post(seat)
        waiver = Waiver(not_patient=not_patient, room=seat.room.id)
        self._conversation.clean(text, "text", CODE_POINTS, waiver)
        body, told = waiver.kept({"text": text}), (due.forget(DUE, seat.room.id),)
        move = _Move("consult.outcome", OUTCOME, body, told)
        return await self._conversation.planned(seat, request, lambda: self._plan(seat, move))

    async def dismiss(self, seat: Seat, cid: str) -> Outcome:
        """She does not wish to be asked how it went."""
        request = self._conversation.request(seat, cid, "outcome")
        if (known := await self._conversation.receipt(request)) is not None:
            return known
        consult = await self._mine(seat)
        if consult.state in (OPEN, REVEALED):
            raise Refusal(Code.FORBIDDEN, "refusal.consult_undecided")
        plan = Plan(None, (due.forget(DUE, seat.room.id),))
        return await self._conversation.perform(seat, request, plan)

    async def remind(self, what: Due) -> None:
        """Ask the author once, unless she has told meanwhile."""
        consult = await self._consults.find(what.subject)
        assert consult is not None
        author = [consult.author] if consult.state == DECIDED else []
        letters = await self._telling.tell_owners("consult_outcome", author, consult.slug)
        stands = (consults.stands(consult.slug, DECIDED),) if author else ()
        steps = (*stands, due.done(what.id))
        await self._house_acts.do(consult.room_id, steps=steps, letters=letters)

    # -- privates --------------------------------------------------------------------------------

    async def _mine(self, seat: Seat) -> Consult:
        consult = await self._consults.must_find(seat.room.id)
        self._conversation.may_act(seat)
        self._conversation.may_be_heard(seat)
        if consult.author not in seat.dress.ids:
            raise Refusal(Code.FORBIDDEN, "refusal.consult_author")
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        return consult

    async def _helped(self, seat: Seat, seqs: Sequence[int]) -> None:
        """They are says of others here. Raises Refusal."""
        if len(seqs) > MOST_HELPED:
            raise Refusal(Code.INVALID, "refusal.too_long", field="helped", most=MOST_HELPED)
        async with self._database.reading() as connection:
            said = [await entries.standing(connection, seat.number, seq) for seq in set(seqs)]
        for was in said:
            if was is None or was.kind != "say" or was.is_gone:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
            if was.persona in seat.dress.ids:
                raise Refusal(Code.FORBIDDEN, "refusal.own_thanks")

    async def _plan(self, seat: Seat, move: _Move) -> Plan:
        consult = await self._consults.must_find(seat.room.id)
        _may_move(consult, move.phase)
        now = cases.state(consult, phase=move.phase)
        plan = Plan(
            await self._by_author(consult, move),
            (consults.moving(consult, move.phase), *move.steps),
            also=(cases.update(now),),
            elsewhere=await self._consults.updates(consult, now),
        )
        return self._conversation.ruled(seat, plan, str(move.body["text"]))

    async def _by_author(self, consult: Consult, move: _Move) -> Draft:
        """By the persona that opened the case, whatever she wears now: another would be joined to it."""
        async with self._database.reading() as connection:
            row = (await personas.shown(connection, [consult.author]))[consult.author]
        said = draft(move.kind, move.body, consult.author)
        return replace(said, face=row.face, badge=row.badge, name=row.name)


def _may_move(consult: Consult, phase: str) -> None:
    """A case is decided once, and has one outcome after that. Raises Refusal."""
    if phase == DECIDED and consult.state != REVEALED:
        raise Refusal(Code.FORBIDDEN, "refusal.consult_decided")
    if phase == OUTCOME and consult.state == OUTCOME:
        raise Refusal(Code.FORBIDDEN, "refusal.consult_outcome")
    if phase == OUTCOME and consult.state != DECIDED:
        raise Refusal(Code.FORBIDDEN, "refusal.consult_undecided")
