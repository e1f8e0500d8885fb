"""Advice in consults: what may be said before the reveal, and that it is corrected, never overwritten.

Who acted on what was corrected or withdrawn is told. Only a moderator takes words away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from lounge.acting import Seat
from lounge.consults import Consults, state, update, words_of
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.personas import Personas
from lounge.telling import Telling, later_of_this
from storage import consults, entries, index, moderating
from storage.acts import Draft, Elsewhere, Letter, Step
from storage.consults import OPEN, OPENING_SEQ
from storage.database import Database
from storage.entries import Standing
from storage.tokenizer import index_terms

PLAN = "🧭"
"""The reaction that says that an entry changed somebody's plan; nobody says so of her own."""
QUESTION = "question"
CARD = "consult.card"
POOLS = frozenset({"consult.reveal", "consult.merge"})
HIDDEN_TOGETHER = POOLS | {"consult.open", CARD}
MOST_CORRECTIONS = 12
"""Every earlier text is served with a say: whoever corrects more withdraws it and writes anew."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What an act does besides, on the case and at each of its cards."""

    steps: tuple[Step, ...] = ()
    also: tuple[Draft, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()


class Advice:
    """The rules of saying, correcting and withdrawing in a consult. May raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        personas: Personas,
        consults: Consults,
        telling: Telling,
        doctor_ids: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._database = database
        self._personas = personas
        self._consults = consults
        self._telling = telling
        self._doctor_ids = doctor_ids

    async def saying(self, seat: Seat, sort: str | None, reply_to: int | None) -> tuple[Step, ...]:
        """What a say does besides: who is to be told of it.

        Before the reveal only the author speaks freely; anyone may warn or ask. Raises Refusal
        `forbidden`. What is revealed stays revealed, so this holds until the commit.
        """
        consult = await self._consults.must_find(seat.room.id)
        is_author = consult.author in seat.dress.ids
        if consult.state == OPEN and sort is None and not is_author:
            raise Refusal(Code.FORBIDDEN, "refusal.consult_sealed")
        room = consult.slug
        answers = () if reply_to is None else (later_of_this("replied", room),)
        asks = sort == QUESTION and not is_author
        return (*answers, later_of_this("consult_question", room)) if asks else answers

    def may_change(self, was: Standing) -> None:
        """Raises Refusal for what was withdrawn."""
        if was.withdrawn is not None:
            raise Refusal(Code.FORBIDDEN, "refusal.withdrawn")

    def may_correct(self, was: Standing) -> None:
        """Raises Refusal, also for what was corrected too often."""
        self.may_change(was)
        if len(was.edits) >= MOST_CORRECTIONS:
            raise Refusal(Code.FORBIDDEN, "refusal.corrected", most=MOST_CORRECTIONS)

    async def changed(self, seat: Seat, seq: int) -> tuple[Letter, ...]:
        """Letters to the author of the case, and to those whose plan the say at `seq` changed."""
        consult = await self._consults.must_find(seat.room.id)
        async with self._database.reading() as connection:
            acted = await entries.reactors(connection, seat.number, seq, PLAN)
        doctor_ids = await self._doctor_ids()
        author = await self._personas.owner(consult.author, consult.slug, doctor_ids)
        told = {*await self._personas.reactors(acted, consult.slug, doctor_ids), author or ""}
        told -= {"", seat.guest.doctor.id}
        letters = [
            await self._telling.tell("consult_changed", each, consult.slug, seq)
            for each in sorted(told)
        ]
        return tuple(one for each in letters for one in each)

    async def together(self, seat: Seat, was: Standing) -> list[tuple[int, int]]:
        """What is hidden and shown as one, by number of the room and seq: first a case, then its cards."""
        return await (self._pools(seat) if was.kind in POOLS else self._announced(seat, was))

    async def hiding(
        self, seat: Seat, seq: int, was: Standing, body: Mapping[str, object]
    ) -> Trace:
        """What is hidden with an entry that a moderator hides; `body` is that of the redaction.

        With a case its cards, and it with any of them; with a pool all others of it, which say the same.
        """
        found = await self.together(seat, was)
        others = [place for place in found if place != (seat.number, seq)]
        steps = [
            _silently(step, room) for room, at in others for step in entries.erase(room, at, None)
        ]
        for room, at in others:
            steps += moderating.after_erasing(room, at)
        if was.kind == CARD:
            steps += await self._forgotten(*found[0])
        told = [Elsewhere(room, (draft("redact", body, target=at),)) for room, at in others]
        return Trace(tuple(steps), (), tuple(told))

    async def trace(self, seat: Seat, was: Standing) -> Trace:
        """Of an opinion: what the author of the case says is none, nor is a question."""
        consult = await self._consults.must_find(seat.room.id)
        if consult.author in seat.dress.ids or was.sort == QUESTION:
            return Trace()
        now = state(consult, withdrawn=consult.withdrawn + 1)
        return Trace(
            (consults.withdrawing(consult),),
            (update(now),),
            await self._consults.updates(consult, now),
        )

    # -- privates --------------------------------------------------------------------------------

    async def _pools(self, seat: Seat) -> list[tuple[int, int]]:
        async with self._database.reading() as connection:
            seqs = await entries.of_kinds(connection, seat.number, POOLS)
        return [(seat.number, seq) for seq in seqs]

    async def _announced(self, seat: Seat, was: Standing) -> list[tuple[int, int]]:
        """Where a case stands: room and seq, of itself and of its cards."""
        consult = await self._consults.must_find(str(was.body.get("consult", seat.room.id)))
        async with self._database.reading() as connection:
            cards = await consults.cards(connection, consult.slug)
        return [(consult.room_id, OPENING_SEQ), *((card.room_id, card.seq) for card in cards)]

    async def _forgotten(self, room_number: int, seq: int) -> list[Step]:
        """The search finds the case no more, unless it was hidden before."""
        async with self._database.reading() as connection:
            case = await entries.standing(connection, room_number, seq)
        if case is None or case.is_gone:
            return []
        terms = index_terms(words_of(case.body))
        return [index.removal(self._database.is_sqlite, room_number, seq, terms)]


def _silently(step: Step, room_number: int) -> Step:
    """In another room, and no guard: what is there may have been hidden before."""
    return replace(step, rows=None, room_id=room_number)
