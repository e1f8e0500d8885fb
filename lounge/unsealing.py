"""The end of the blind phase: ballots are counted while it lasts, revealed once, their spellings merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from lounge.ballots import opened
from lounge.consults import Consults, state, update
from lounge.conversation import Conversation, Outcome, Plan, Seat
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.house_acts import HouseActs
from lounge.limits import CHANGES, Limits
from lounge.personas import Personas
from lounge.pool import Ballot, Merged, celled, folded, merging, pooled, singly
from lounge.telling import later
from storage import ballots, consults, due
from storage.acts import Draft, Elsewhere, Step
from storage.ballots import MERGE, REVEAL, Box, Pooling
from storage.consults import NOW, OPEN, REVEALED, Consult
from storage.database import Database
from storage.due import Due

ATTEMPTS = 20
"""Ballots that come and go meanwhile make it look again."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What reveals a case: entries of its room, their guards, and what tells of it at its cards."""

    drafts: tuple[Draft, ...]
    steps: tuple[Step, ...]
    elsewhere: tuple[Elsewhere, ...]


class Unsealing:
    """Counts, reveals and merges. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        consults: Consults,
        personas: Personas,
        limits: Limits,
        house_acts: HouseActs,
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._consults = consults
        self._personas = personas
        self._limits = limits
        self._house_acts = house_acts

    # -- by its author ---------------------------------------------------------------------------

    async def unseal(self, seat: Seat, cid: str) -> Outcome:
        """The author's word: reveal what is in, now."""
        request = self._conversation.request(seat, cid, "unseal")
        self._conversation.may_act(seat)
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        self._conversation.may_post(seat)
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        return await self._conversation.planned(seat, request, lambda: self._unsealed(seat))

    async def merge(self, seat: Seat, cid: str, into: str, labels: Sequence[str]) -> Outcome:
        """The author takes these labels of the pool for another of it: all is pooled anew."""
        request = self._conversation.request(seat, cid, "merge", into, *labels)
        self._conversation.may_act(seat)
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        self._conversation.may_post(seat)
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        return await self._conversation.planned(
            seat, request, lambda: self._merged(seat, into, labels)
        )

    # -- by itself -------------------------------------------------------------------------------

    async def count(self, what: Due) -> None:
        """Tell all how many opinions are in, unless they know."""
        for _ in range(ATTEMPTS):
            case = await self._consults.find(what.subject)
            if case is None or await self._counted(what, case):
                return

    async def close(self, what: Due) -> None:
        """Reveal what is in: enough are, or it is time."""
        for _ in range(ATTEMPTS):
            case = await self._consults.find(what.subject)
            if case is None or await self._closed(what, case):
                return

    # -- privates --------------------------------------------------------------------------------

    async def _unsealed(self, seat: Seat) -> Plan:
        case = await self._own(seat)
        if case.state != OPEN:
            raise Refusal(Code.FROZEN, "refusal.consult_closed")
        it = await self._opening(case)
        reveal, *also = it.drafts
        return Plan(reveal, it.steps, also=tuple(also), elsewhere=it.elsewhere)

    async def _merged(self, seat: Seat, into: str, labels: Sequence[str]) -> Plan:
        case = await self._own(seat)
        box, was = await self._shown(case)
        if was is None:
            raise Refusal(Code.FORBIDDEN, "refusal.consult_unrevealed")
        there = {folded(each["label"]) for each in was.body["pool"]}
        wanted = {folded(each) for each in labels}
        if not {*wanted, folded(into)} <= there:
            raise Refusal(Code.NOT_FOUND, "refusal.consult_label")
        if wanted <= {folded(into)}:
            raise Refusal(Code.INVALID, "refusal.consult_label", field="labels")
        merged = merging(was.body.get("merged", {}), labels, into)
        body = self._body(opened(box.bodies), merged)
        return Plan(draft(MERGE, body), (ballots.remaking(case.slug, box),))

    async def _counted(self, what: Due, case: Consult) -> bool:
        """True once it is settled, by whomever."""
        if case.state != OPEN:
            return await self._nothing(what, case)
        box = await self._box(case)
        opinions = len(box.bodies)
        steps: tuple[Step, ...] = (due.done(what.id), ballots.unturned(case.slug, box))
        if opinions == case.told:
            return await self._done(case, (), steps, ())
        if case.first is None and case.urgency != NOW:
            steps = (*steps, later("consult_opinion", case.slug))
        now = state(case, opinions=opinions)
        return await self._done(
            case,
            (update(now),),
            (*steps, consults.counting(case, opinions)),
            await self._consults.updates(case, now),
        )

    async def _closed(self, what: Due, case: Consult) -> bool:
        if case.state != OPEN:
            return await self._nothing(what, case)
        it = await self._opening(case)
        steps = (due.done(what.id), *it.steps, later("consult_closed", case.slug))
        return await self._done(case, it.drafts, steps, it.elsewhere)

    async def _nothing(self, what: Due, case: Consult) -> bool:
        """It was revealed meanwhile: whoever did so has left nothing due, or somebody else ends this."""
        await self._house_acts.do(case.room_id, steps=(due.done(what.id),))
        return True

    async def _done(
        self,
        case: Consult,
        drafts: tuple[Draft, ...],
        steps: tuple[Step, ...],
        elsewhere: tuple[Elsewhere, ...],
    ) -> bool:
        done = await self._house_acts.do(case.room_id, drafts, steps, elsewhere)
        return done is not None

    async def _opening(self, case: Consult) -> Opening:
        box = await self._box(case)
        now = state(case, phase=REVEALED, opinions=len(box.bodies))
        reveal = draft(REVEAL, self._body(opened(box.bodies), {}))
        steps = (
            ballots.unturned(case.slug, box),
            consults.moving(case, REVEALED, len(box.bodies)),
            ballots.settled(case.slug),
        )
        return Opening((reveal, update(now)), steps, await self._consults.updates(case, now))

    def _body(self, given: Sequence[Ballot], merged: Merged) -> Mapping[str, object]:
        """`merged` is not shown: it is what the next merge goes on from."""
        body: dict[str, object] = {
            "opinions": len(given),
            "pool": msgspec.to_builtins(pooled(given, merged)),
        }
        if single := singly(given):
            body["single"] = msgspec.to_builtins(single)
        if cells := celled(given, merged, self._personas.crowd.size):
            body["cells"] = msgspec.to_builtins(cells)
        if merged:
            body["merged"] = dict(merged)
        return body

    async def _box(self, case: Consult) -> Box:
        async with self._database.reading() as connection:
            return await ballots.box(connection, case.slug)

    async def _shown(self, case: Consult) -> tuple[Box, Pooling | None]:
        """The box first: what is shown may be newer, and then a guard misses."""
        async with self._database.reading() as connection:
            box = await ballots.box(connection, case.slug)
            return box, None if case.state == OPEN else await ballots.pooling(connection, case)

    async def _own(self, seat: Seat) -> Consult:
        case = await self._consults.must_find(seat.room.id)
        if case.author not in seat.dress.ids:
            raise Refusal(Code.FORBIDDEN, "refusal.consult_author")
        return case
