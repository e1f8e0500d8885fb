"""Polls: a question with choices in any room, and ballots that lead to nobody.

A ballot lies outside the log, under a keyed hash of doctor and poll: who votes again finds her own by
computing it, nobody else does.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from lounge.acting import Plan, Seat
from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.conversation import Conversation
from lounge.counting import CLOSE, Counting, count_soon
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import CHANGES, POLLS, READS, Limits
from lounge.personas import Face
from lounge.pool import folded
from storage import due, polls
from storage.acts import Missed, Outcome, Step
from storage.consults import OPEN
from storage.database import Database
from storage.polls import Ballot, Counts, Poll

QUESTION_CODE_POINTS = 300
CHOICE_CODE_POINTS = 120


@dataclass(frozen=True, slots=True)
class NewPoll:
    """What is put to a room. `minutes`: until it ends by itself; None: when its author says so."""

    question: str
    choices: tuple[str, ...]
    multiple: bool
    final: bool
    shown: str
    minutes: int | None
    not_patient: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What a doctor may know of a poll: her own choices, and counts once they are shown to her."""

    votes: int
    own: tuple[int, ...] | None
    counts: tuple[int, ...] | None
    duplicate: bool = False


class Polls:
    """Asking, voting, ending. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        consults: Consults,
        counting: Counting,
        limits: Limits,
        keys: Keys,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._database = database
        self._conversation = conversation
        self._consults = consults
        self._counting = counting
        self._limits = limits
        self._key = keys.persona.subkey("ballot")
        self._clock = clock
        self._polls = Gathered(self._read_polls)
        self._standings = Gathered(self._read_standings)

    # -- by doctors ------------------------------------------------------------------------------

    async def open(self, seat: Seat, new: NewPoll, face: Face | None, cid: str) -> Outcome:
        """Put a question to the room."""
        what = (new.question, new.choices, new.multiple, new.final, new.shown, new.minutes)
        request = self._conversation.request(seat, cid, "poll", *what, face)
        known = await self._conversation.receipt(request)
        if known is not None:
            return known
        waiver = Waiver(not_patient=new.not_patient, room=seat.room.id)
        await self._may_open(seat, new, waiver)
        closes = None if new.minutes is None else self._clock() + new.minutes * 60_000
        body = waiver.kept(_body(new, closes))
        voiced = await self._conversation.voiced(seat, "poll.open", body, face=face)
        poll = _poll(seat.number, voiced.draft.id, new, closes)
        plan = Plan(voiced.draft, _opening(poll), voiced.row)
        plan = self._conversation.ruled(seat, plan, "\n".join((new.question, *new.choices)))
        outcome = await self._conversation.perform(seat, request, plan)
        voiced.recorded(outcome)
        return outcome

    async def vote(self, seat: Seat, seq: int, choices: tuple[int, ...], cid: str) -> Tally:
        """Put one's ballot, or change it where that is allowed; what is shown of the poll from now on."""
        request = self._conversation.request(seat, cid, "vote", seq, choices)
        if await self._conversation.receipt(request) is not None:
            return await self._tally(seat, seq, duplicate=True)
        self._may_vote(seat)
        poll = await self._open_poll(seat, seq)
        _require_choices(poll, choices)
        key, now = self._ballot_key(seat.guest, poll), self._clock()
        steps = polls.casting(self._database.is_sqlite, poll, key, choices, now)
        try:
            plan = Plan(None, (*steps, count_soon(poll, now)))
            done = await self._conversation.perform(seat, request, plan)
        except Missed:
            await self._open_poll(seat, seq)
            raise Refusal(Code.FORBIDDEN, "refusal.poll_final") from None
        return await self._tally(seat, seq, duplicate=done.duplicate)

    async def tally(self, seat: Seat, seq: int) -> Tally:
        """How the poll stands for this doctor."""
        self._conversation.may_act(seat)
        self._limits.spend(READS, seat.guest.doctor.id)
        return await self._tally(seat, seq)

    async def close(self, seat: Seat, seq: int, cid: str) -> Outcome:
        """Its author ends it: no vote counts from now on, and all see the counts."""
        request = self._conversation.request(seat, cid, "poll_close", seq)

        async def plan() -> Plan:
            self._limits.spend(CHANGES, seat.guest.doctor.id)
            self._conversation.may_act(seat)
            self._conversation.may_post(seat)
            poll = await self._must_find(seat, seq)
            if poll.author not in seat.dress.ids:
                raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
            if poll.closed is not None:
                raise Refusal(Code.FROZEN, "refusal.poll_closed")
            return Plan(*await self._counting.ending(poll))

        return await self._conversation.planned(seat, request, plan)

    # -- rules -----------------------------------------------------------------------------------

    async def _may_open(self, seat: Seat, new: NewPoll, waiver: Waiver) -> None:
        self._conversation.may_act(seat)
        self._conversation.may_be_heard(seat)
        self._conversation.may_post(seat)
        if seat.is_of_two:
            raise Refusal(Code.INVALID, "refusal.poll_talk", field="room")
        self._limits.spend(POLLS, seat.guest.doctor.id)
        self._limits.fill(seat.room.id)
        self._conversation.clean(new.question, "question", QUESTION_CODE_POINTS, waiver)
        for each in new.choices:
            words = each if folded(each) else ""
            self._conversation.clean(words, "choices", CHOICE_CODE_POINTS, waiver)
        if len({folded(each) for each in new.choices}) < len(new.choices):
            raise Refusal(Code.INVALID, "refusal.poll_choices", field="choices")
        if await self._is_sealed(seat):
            raise Refusal(Code.FORBIDDEN, "refusal.poll_sealed")

    async def _is_sealed(self, seat: Seat) -> bool:
        """Whether others' opinions are held back: bars would show what the ballots do not."""
        consult = await self._consults.find(seat.room.id) if seat.consult else None
        return consult is not None and consult.state == OPEN

    def _may_vote(self, seat: Seat) -> None:
        self._conversation.may_act(seat)
        self._conversation.may_be_heard(seat)
        self._conversation.may_post(seat)
        self._limits.spend(CHANGES, seat.guest.doctor.id)

    async def _open_poll(self, seat: Seat, seq: int) -> Poll:
        poll = await self._must_find(seat, seq)
        if poll.closed is not None or (poll.closes is not None and poll.closes <= self._clock()):
            raise Refusal(Code.FROZEN, "refusal.poll_closed")
        return poll

    async def _must_find(self, seat: Seat, seq: int) -> Poll:
        poll = await self._polls.get((seat.number, seq))
        if poll is None or poll.hidden:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return poll

    # -- privates --------------------------------------------------------------------------------

    async def _tally(self, seat: Seat, seq: int, *, duplicate: bool = False) -> Tally:
        poll = await self._must_find(seat, seq)
        counts, own = await self._standing(seat.guest, poll)
        is_shown = poll.closed is not None or (poll.shown == polls.VOTED and own is not None)
        return Tally(
            votes=counts.votes,
            own=None if own is None else own.chosen,
            counts=counts.of if is_shown else None,
            duplicate=duplicate,
        )

    async def _standing(self, guest: Guest, poll: Poll) -> tuple[Counts, Ballot | None]:
        """What is counted and shown by now, one's own ballot always as it is."""
        found = await self._standings.get((poll, self._ballot_key(guest, poll)))
        assert found is not None
        counts, own = found
        return (counts, own) if own is None else (counts.with_own(own), own)

    async def _read_polls(
        self, places: Collection[tuple[int, int]]
    ) -> Mapping[tuple[int, int], Poll]:
        async with self._database.reading() as connection:
            return await polls.at(connection, places)

    async def _read_standings(
        self, asked: Collection[tuple[Poll, bytes]]
    ) -> Mapping[tuple[Poll, bytes], tuple[Counts, Ballot | None]]:
        async with (
            self._database.reading() as connection
        ):  # one snapshot: counts hold it, or do not yet
            counts = await polls.shown(connection, {poll for poll, _ in asked})
            own = await polls.own(connection, [key for _, key in asked])
        return {(poll, key): (counts[poll.id], own.get(key)) for poll, key in asked}

    def _ballot_key(self, guest: Guest, poll: Poll) -> bytes:
        about = f"{guest.doctor.id}\n{poll.id}".encode()
        return hmac.digest(self._key, about, hashlib.sha256)[:16]


def _body(new: NewPoll, closes: int | None) -> dict[str, object]:
    body: dict[str, object] = {
        "question": new.question,
        "choices": list(new.choices),
        "multiple": new.multiple,
        "final": new.final,
        "shown": new.shown,
    }
    return body if closes is None else {**body, "closes": closes}


def _poll(room_number: int, id: str, new: NewPoll, closes: int | None) -> Poll:
    return Poll(
        room_id=room_number,
        seq=0,  # the act gives it one
        id=id,
        choices=len(new.choices),
        multiple=new.multiple,
        final=new.final,
        shown=new.shown,
        closes=closes,
    )


def _opening(poll: Poll) -> tuple[Step, ...]:
    if poll.closes is None:
        return (polls.opening(poll),)
    return polls.opening(poll), due.add(f"{CLOSE} {poll.id}", CLOSE, poll.id, poll.closes)


def _require_choices(poll: Poll, choices: tuple[int, ...]) -> None:
    fits = len(choices) == 1 or (choices and poll.multiple)
    if not fits or len(set(choices)) < len(choices) or max(choices) >= poll.choices:
        raise Refusal(Code.INVALID, "refusal.poll_choice", field="choices")
