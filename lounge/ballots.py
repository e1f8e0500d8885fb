"""Ballots: each doctor's ranked opinion of a case, held back from all others until the case is revealed."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.conversation import Conversation, Outcome, Plan, Request, Seat
from lounge.errors import Code, Refusal
from lounge.events import Badge
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import CHANGES, READS, SAYS, Limits
from lounge.personas import Personas
from lounge.pool import Ballot, folded
from lounge.telling import later
from storage import ballots, due
from storage.acts import Step
from storage.ballots import COUNT, Pooling
from storage.consults import NOW, OPEN, Consult
from storage.database import Database

LABEL_CODE_POINTS = 120
WHY_CODE_POINTS = 1000
COUNTED_MS = 30_000
"""How often all are told how many opinions are in: an opinion's moment is not."""
_DECIDED = 200
_SUGGESTIONS = 200
_SUGGESTED_MS = 60_000


@dataclass(frozen=True, slots=True)
class Views:
    """What one doctor may know of a case's ballots: her own; `others` to the author of a *now* case.

    `suggestions` while she may still give hers: labels of cases that are decided, the most frequent first.
    """

    own: Ballot | None = None
    others: tuple[Ballot, ...] | None = None
    suggestions: tuple[str, ...] = ()


class Ballots:
    """Gives, takes back and shows ballots. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        consults: Consults,
        personas: Personas,
        limits: Limits,
        keys: Keys,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._consults = consults
        self._personas = personas
        self._limits = limits
        self._key = keys.persona.subkey("ballot")
        self._clock = clock
        self._suggested: tuple[int, tuple[str, ...]] = (0, ())

    async def opine(
        self,
        seat: Seat,
        cid: str,
        ranked: Sequence[str],
        why: str | None,
        *,
        not_patient: bool = False,
    ) -> Outcome:
        """Commit up to three labels, the likeliest first: once, while the case is open."""
        request = self._conversation.request(seat, cid, "opine", *ranked, why)
        known = await self._known(seat, request)
        if known is not None:
            return known
        self._conversation.may_be_heard(seat)
        self._conversation.may_post(seat)
        self._limits.spend(SAYS, seat.guest.doctor.id)
        self._limits.fill(seat.room.id)
        waiver = Waiver(not_patient=not_patient, room=seat.room.id)
        ballot = self._filled_in(seat, ranked, why, waiver)
        words = "\n".join((*ballot.ranked, ballot.why or ""))
        self._conversation.alerts(seat, words)  # only what blocks: there is no entry to report
        return await self._conversation.planned(seat, request, lambda: self._given(seat, ballot))

    async def unopine(self, seat: Seat, cid: str) -> Outcome:
        """Take one's ballot back, while the case is open."""
        request = self._conversation.request(seat, cid, "unopine")
        known = await self._known(seat, request)
        if known is not None:
            return known
        self._conversation.may_post(seat)
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        return await self._conversation.planned(seat, request, lambda: self._taken_back(seat))

    async def views(self, seat: Seat) -> Views:
        """What may be shown to her now."""
        self._conversation.may_act(seat)
        self._limits.spend(READS, seat.guest.doctor.id)
        case = await self._consults.must_find(seat.room.id)
        own, others = await self._own(seat), None
        if case.state != OPEN:
            return Views(own)
        if sees_each(seat, case):
            async with self._database.reading() as connection:
                box = await ballots.box(connection, case.slug)
            others = opened(box.bodies)
        return Views(own, others, () if own else await self._suggestions())

    # -- privates --------------------------------------------------------------------------------

    async def _known(self, seat: Seat, request: Request) -> Outcome | None:
        """A repetition gets its first answer, before any rule but that she is here, in a consult."""
        self._conversation.may_act(seat)
        await self._consults.must_find(seat.room.id)
        return await self._conversation.receipt(request)

    def _filled_in(
        self, seat: Seat, ranked: Sequence[str], why: str | None, waiver: Waiver
    ) -> Ballot:
        labels = tuple(" ".join(each.split()) for each in ranked)
        for label in labels:
            words = label if folded(label) else ""
            self._conversation.clean(words, "ranked", LABEL_CODE_POINTS, waiver)
        if len({folded(each) for each in labels}) < len(labels):
            raise Refusal(Code.INVALID, "refusal.consult_twice", field="ranked")
        why = (why or "").strip() or None
        if why is not None:
            self._conversation.clean(why, "why", WHY_CODE_POINTS, waiver)
        return Ballot(labels, why, self._personas.badge_of(seat.guest.doctor))

    async def _given(self, seat: Seat, ballot: Ballot) -> Plan:
        case = await self._open(seat)
        if sees_each(seat, case):
            raise Refusal(Code.FORBIDDEN, "refusal.consult_seen")
        if await self._own(seat) is not None:
            raise Refusal(Code.FORBIDDEN, "refusal.consult_voted")
        kept = msgspec.json.encode(_for(case, ballot))
        put = ballots.putting(self._key_of(seat), case.slug, kept)
        enough = ballots.closing_when_enough(case.slug, self._clock())
        return Plan(None, (*await self._turned(case), put, self._counting(case), enough))

    async def _taken_back(self, seat: Seat) -> Plan:
        case = await self._open(seat)
        if await self._own(seat) is None:
            raise Refusal(Code.NOT_FOUND, "refusal.consult_no_ballot")
        taking = ballots.taking_back(self._key_of(seat))
        return Plan(None, (ballots.turning(case.slug, self._clock()), taking, self._counting(case)))

    async def _turned(self, case: Consult) -> tuple[Step, ...]:
        """The author of a *now* case is told of the first ballot at once; of others, as all are."""
        if case.urgency != NOW:
            return (ballots.turning(case.slug, self._clock()),)
        async with self._database.reading() as connection:
            was = await ballots.cast(connection, case.slug)
        if was:
            return (ballots.turning(case.slug, self._clock()),)
        return ballots.turning(case.slug, self._clock(), was), later("consult_opinion", case.slug)

    def _counting(self, case: Consult) -> Step:
        """To be counted at the next half minute, unless it is already."""
        at = (self._clock() // COUNTED_MS + 1) * COUNTED_MS
        return due.add(f"{COUNT} {case.slug}", COUNT, case.slug, at)

    async def _open(self, seat: Seat) -> Consult:
        case = await self._consults.must_find(seat.room.id)
        is_late = case.closes is not None and case.closes <= self._clock()
        if case.state != OPEN or is_late:
            raise Refusal(Code.FROZEN, "refusal.consult_closed")
        return case

    async def _own(self, seat: Seat) -> Ballot | None:
        async with self._database.reading() as connection:
            body = await ballots.own(connection, self._key_of(seat))
        return None if body is None else msgspec.json.decode(body, type=Ballot)

    def _key_of(self, seat: Seat) -> bytes:
        who = f"{seat.guest.doctor.id}\n{seat.room.id}".encode()
        return hmac.digest(self._key, who, hashlib.sha256)[:16]

    async def _suggestions(self) -> tuple[str, ...]:
        at, labels = self._suggested
        if not at <= self._clock() < at + _SUGGESTED_MS:
            async with self._database.reading() as connection:
                found = await ballots.decided(connection, _DECIDED)
            at, labels = self._suggested = self._clock(), _labels(found)
        return labels


def sees_each(seat: Seat, case: Consult) -> bool:
    """Sealing must never withhold help: the author of a *now* case reads each opinion as it comes."""
    return case.urgency == NOW and case.author in seat.dress.ids


def opened(bodies: Sequence[bytes]) -> tuple[Ballot, ...]:
    """Ballots as they lie in a box."""
    return tuple(msgspec.json.decode(body, type=Ballot) for body in bodies)


def _for(case: Consult, ballot: Ballot) -> Ballot:
    """With the whole badge only where somebody will read it beside the opinion; cells need less."""
    if case.urgency == NOW:
        return ballot
    badge = Badge(specialty=ballot.badge.specialty, country=ballot.badge.country)
    return replace(ballot, badge=badge)


def _labels(shown: Sequence[Pooling]) -> tuple[str, ...]:
    """Each as it was written last."""
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    for each in shown:
        pool = [label["label"] for label in each.body["pool"]]
        single = [label for one in each.body.get("single", ()) for label in one["ranked"]]
        for label in (*pool, *single):
            counts[folded(label)] += 1
            written.setdefault(folded(label), label)
    return tuple(written[label] for label, _ in counts.most_common(_SUGGESTIONS))
