"""Hiding an entry, giving it back, and warning of what it says: what each does, for whoever may do it.

The words of what is hidden stay in SQL. Nobody is served them, and no search finds them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from lounge.acting import Plan, Seat
from lounge.advice import CARD, HIDDEN_TOGETHER, Advice
from lounge.conversation import searched
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.moderating.letters import Letters
from storage import entries, index, moderating
from storage.acts import Elsewhere, Noted, Step
from storage.database import Database
from storage.entries import Standing
from storage.tokenizer import index_terms

Role = Literal["moderator", "crowd", "house"]
MOST_NOTES = 5


@dataclass(frozen=True, slots=True)
class Why:
    """In which capacity and for which kind of report; `note`: what those concerned read besides.

    `pending`: until a moderator has looked at it.
    """

    role: Role
    reason: str
    note: str | None = None
    pending: bool = False


class Hiding:
    """Plans for the act of a seat, or for an act of the house. May raise StorageError."""

    def __init__(self, *, database: Database, advice: Advice, letters: Letters) -> None:
        self._database = database
        self._advice = advice
        self._letters = letters

    async def found(self, seat: Seat, seq: int) -> Standing:
        """An entry of a kind that has words. Raises Refusal."""
        async with self._database.reading() as connection:
            was = await entries.standing(connection, seat.number, seq)
        if was is None or was.kind not in entries.HIDEABLE:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return was

    async def standing(self, seat: Seat, seq: int) -> Standing:
        """One that was not redacted; it may be hidden. Raises Refusal."""
        was = await self.found(seat, seq)
        if was.redacted is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return was

    async def hide(self, seat: Seat, seq: int, was: Standing, why: Why) -> Plan:
        """From now on it is served to nobody, and those concerned are told why.

        What is pending a moderator may hide for good. Raises Refusal for what is hidden already.
        """
        await self._may_hide(seat, was, why)
        body: dict[str, object] = {"role": why.role, "reason": why.reason}
        if why.pending:
            body["pending"] = True
        steps = list(moderating.hide(seat.number, seq, was))
        if was.hidden is None:
            steps += await self._indexed(seat, seq, was, put=False)
        notice = "hidden_pending" if why.pending else "hidden"
        others = await self._others(seat, seq, was)
        for room_number, at in others:
            steps += moderating.hide_silently(room_number, at)
        return Plan(
            draft("mod.hide", body, target=seq),
            tuple(steps),
            letters=await self._letters.about(seat, seq, was, notice, why.reason, why.note),
            noted=_noted("entry.hidden", seat, seq, why),
            elsewhere=_elsewhere(others, "mod.hide", body),
        )

    async def hide_all(self, seat: Seat, found: Sequence[tuple[int, Standing]], why: Why) -> Plan:
        """The same of at least one say in one act: their author is told of the newest."""
        plans = [
            await self._one_of_many(seat, seq, was, why, nth)
            for nth, (seq, was) in enumerate(found)
        ]
        first, *rest = (plan.draft for plan in plans if plan.draft is not None)
        seq, was = found[-1]
        return Plan(
            first,
            tuple(step for plan in plans for step in plan.steps),
            letters=await self._letters.about(seat, seq, was, "hidden", why.reason, why.note),
            noted=_noted("entry.hidden", seat, seq, why, entries=str(len(found))),
            also=tuple(rest),
        )

    async def restore(self, seat: Seat, seq: int, was: Standing, why: Why) -> Plan:
        """It is served and found again, with its edits. Raises Refusal for what is not hidden."""
        if was.hidden is None:
            raise Refusal(Code.INVALID, "refusal.not_hidden", field="seq")
        body: dict[str, object] = {"role": why.role, "reason": why.reason}
        steps = list(moderating.restore(seat.number, seq, was))
        steps += await self._indexed(seat, seq, was, put=True)
        others = await self._others(seat, seq, was)
        for room_number, at in others:
            steps += moderating.restore_silently(room_number, at)
        return Plan(
            draft("mod.restore", body, target=seq),
            tuple(steps),
            letters=await self._letters.about(seat, seq, was, "restored", why.reason, why.note),
            noted=_noted("entry.restored", seat, seq, why),
            elsewhere=_elsewhere(others, "mod.restore", body),
        )

    async def together(self, seat: Seat, was: Standing) -> list[tuple[int, int]]:
        """What is hidden and shown as one, by the room's number and seq: a case and its cards, all pools."""
        return await self._advice.together(seat, was)

    def caution(self, seat: Seat, seq: int, doctors: int, why: Collection[str]) -> Plan:
        """It is disputed by so many `doctors`, who wrote that; it stays where it is."""
        notes = list(why)[:MOST_NOTES]
        body = {"role": "crowd", "doctors": doctors, "why": notes}
        noted = Noted("entry.cautioned", "crowd", _place(seat, seq), {"doctors": str(doctors)})
        warned = (moderating.caution(seat.number, seq),)
        return Plan(draft("mod.caution", body, target=seq), warned, noted=noted)

    # -- privates --------------------------------------------------------------------------------

    async def _may_hide(self, seat: Seat, was: Standing, why: Why) -> None:
        if was.hidden is None:
            return
        async with self._database.reading() as connection:
            by = await entries.standing(connection, seat.number, was.hidden)
        if why.pending or by is None or not by.body.get("pending"):
            raise Refusal(Code.INVALID, "refusal.hidden_already", field="seq")

    async def _one_of_many(self, seat: Seat, seq: int, was: Standing, why: Why, nth: int) -> Plan:
        body = {"role": why.role, "reason": why.reason}
        steps = [*moderating.hide(seat.number, seq, was, nth)]
        steps += await self._indexed(seat, seq, was, put=False)
        return Plan(draft("mod.hide", body, target=seq), tuple(steps))

    async def _indexed(self, seat: Seat, seq: int, was: Standing, *, put: bool) -> list[Step]:
        """Taken out of the search, or put back: of a card the case itself."""
        number = seat.number
        if was.kind == CARD:
            number, seq = (await self._advice.together(seat, was))[0]
            async with self._database.reading() as connection:
                case = await entries.standing(connection, number, seq)
            if case is None or case.redacted is not None or (case.hidden is not None) is not put:
                return []
            was = case
        words = searched(was)
        if words is None:
            return []
        change = index.addition if put else index.removal
        return [change(self._database.is_sqlite, number, seq, index_terms(words))]

    async def _others(self, seat: Seat, seq: int, was: Standing) -> list[tuple[int, int]]:
        """What is hidden with it, by the room's number and seq: a case with its cards, a pool with others."""
        if was.kind not in HIDDEN_TOGETHER:
            return []
        found = await self._advice.together(seat, was)
        return [place for place in found if place != (seat.number, seq)]


def _elsewhere(
    places: Sequence[tuple[int, int]], kind: str, body: dict[str, object]
) -> tuple[Elsewhere, ...]:
    return tuple(Elsewhere(room, (draft(kind, body, target=at),)) for room, at in places)


def _noted(act: str, seat: Seat, seq: int, why: Why, **detail: str) -> Noted:
    """Never what it said, nor what was written about it."""
    state = {"pending": "yes"} if why.pending else {}
    return Noted(act, why.role, _place(seat, seq), {"reason": why.reason, **state, **detail})


def _place(seat: Seat, seq: int) -> str:
    return f"{seat.room.id} {seq}"
