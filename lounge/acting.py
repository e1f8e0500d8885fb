"""How an act is done: queued in its turn, asked anew after a revocation, answered once however often sent."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from lounge import policy
from lounge.door import Door, Guest
from lounge.errors import Code, Refusal
from lounge.faces import Dress
from lounge.keys import Keys
from lounge.oncall.places import PagePlace, Places
from lounge.rooms import Catalogue, Room
from lounge.talks import Place, Talks
from lounge.turns import Turn, Turns
from storage import entries, pages, talks
from storage.acts import (
    Act,
    CidConflict,
    Draft,
    Elsewhere,
    Letter,
    Missed,
    Noted,
    Outcome,
    PersonaRow,
    QueueFull,
    Stale,
    Step,
)
from storage.database import Database, Locked, StorageError
from storage.writer import Writer

ATTEMPTS = 5
ASKED_ANEW = 60
"""More: each of fifty revocations at once makes every act of the others ask again, which is soon done."""


@dataclass(slots=True)
class Seat:
    """A guest in a room: the room, its number in SQL and what they wear there.

    `reactor` and `reporter`: as whom they react and report. `talk` and `page`: there, the place of one of its
    two. `home`: the room in which those who speak here are who they are.
    """

    guest: Guest
    room: Room
    number: int
    dress: Dress
    reactor: bytes
    reporter: bytes
    talk: Place | None = None
    home: str = ""
    page: PagePlace | None = None
    turns: Turns = field(default_factory=Turns)

    @property
    def consult(self) -> bool:
        """Whether the room is a consult."""
        return self.room.kind == "consult"

    @property
    def is_of_two(self) -> bool:
        """A talk or a page: nobody but its two reads it."""
        return self.talk is not None or self.page is not None

    def __post_init__(self) -> None:
        self.home = self.home or (self.talk.talk.origin if self.talk else self.room.id)


@dataclass(frozen=True, slots=True)
class Request:
    """A command's identity: what makes a repetition of it the same."""

    dedup: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What an act will do, once it is known how things stand."""

    draft: Draft | None
    steps: tuple[Step, ...] = ()
    persona: PersonaRow | None = None
    letters: tuple[Letter, ...] = ()
    noted: Noted | None = None
    also: tuple[Draft, ...] = ()
    """Entries that follow `draft` in the same room."""
    elsewhere: tuple[Elsewhere, ...] = ()


class Acting:
    """Brings acts of seats to the writer. Raises Refusal for whatever is not done."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        catalogue: Catalogue,
        door: Door,
        talks: Talks,
        pages: Places,
        keys: Keys,
    ) -> None:
        self._database = database
        self._talks = talks
        self._pages = pages
        self._writer = writer
        self._catalogue = catalogue
        self._door = door
        self._receipt_key = keys.persona.subkey("receipt")

    # -- repetition ------------------------------------------------------------------------------

    def request(self, seat: Seat, cid: str, *fields: object) -> Request:
        """Keyed by the client id, which is kept nowhere: neither hash can be tried without it."""
        return self.request_of(seat.guest.doctor.id, seat.room.id, cid, *fields)

    def request_of(self, doctor_id: str, scope: str, cid: str, *fields: object) -> Request:
        """The same of somebody who has no seat yet: `scope` stands for the room."""
        scope = f"{doctor_id}\n{scope}\n{cid}\n"
        content = scope + json.dumps(fields, ensure_ascii=False)
        return Request(self._hash("who" + scope), self._hash("what" + content))

    def beside(self, request: Request) -> Request:
        """Of something that has to be done before it, and once as well."""
        return replace(request, dedup=self._hash(f"before {request.dedup.hex()}"))

    async def recalled(self, request: Request, refusal: Refusal) -> Outcome:
        """A repetition gets its first answer, before any limit, mute or mode."""
        known = await self.receipt(request)
        if known is None:
            raise refusal
        return known

    async def receipt(self, request: Request) -> Outcome | None:
        """The first answer, if it was done before."""
        async with self._database.reading() as connection:
            found = await entries.receipt_of(connection, request.dedup)
        if found is None:
            return None
        fingerprint, placed = found
        if fingerprint != request.fingerprint:
            raise Refusal(Code.CID_CONFLICT, "refusal.cid_conflict")
        return Outcome(placed, duplicate=True)

    # -- doing -----------------------------------------------------------------------------------

    async def planned(
        self, seat: Seat, request: Request, plan: Callable[[], Awaitable[Plan]]
    ) -> Outcome:
        """Compare and set: look how things stand and plan, and again when they changed meanwhile."""
        known = await self.receipt(request)
        if known is not None:
            return known
        for _ in range(ATTEMPTS):
            try:
                return await self.submit(seat, request, await plan())
            except Missed:
                await self._still_open(seat)
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def commit(
        self, seat: Seat, request: Request, plan: Plan, turn: Turn | None = None
    ) -> Outcome:
        """Do it once; where a guard missed, `not_found`."""
        try:
            return await self.submit(seat, request, plan, turn)
        except Missed:
            known = await self.receipt(request)
            if known is not None:
                return known
            await self._still_open(seat)
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry") from None

    async def submit(
        self, seat: Seat, request: Request, plan: Plan, turn: Turn | None = None
    ) -> Outcome:
        """Queue the act at once and wait for its commit; after a revocation ask again whether it may be.

        With a `turn` that was taken before, in that place. Raises Missed when a guard did not hold.
        """
        if turn is not None:
            return await self._in_turn(turn, seat, request, plan)
        turn = seat.turns.take()
        try:
            return await self._in_turn(turn, seat, request, plan)
        finally:
            turn.end()

    async def _in_turn(self, turn: Turn, seat: Seat, request: Request, plan: Plan) -> Outcome:
        for _ in range(ASKED_ANEW):
            while not turn.is_next(seat.guest.epoch):  # asking again must not change their order
                await turn.comes(seat.guest.epoch)
            turn.epoch = seat.guest.epoch
            try:
                return await self._queued(seat, request, plan)
            except Stale:
                turn.epoch = None
                await self._door.recheck(seat.guest, self._writer.epoch)
                policy.stays(seat.guest.doctor, seat.room, self._catalogue)
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def _still_open(self, seat: Seat) -> None:
        """What an act missed may be that the other one has ended talk or page. Raises Refusal if so."""
        if seat.talk is not None:
            seat.talk = await self._talks.find(seat.guest.doctor, seat.room.id)
        if seat.page is not None:
            seat.page = await self._pages.admit(seat.guest.doctor, seat.room.id)
        may_add(seat)

    async def _queued(self, seat: Seat, request: Request, plan: Plan) -> Outcome:
        try:
            return await self._writer.submit(_act(seat, request, plan))
        except QueueFull:
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=1) from None
        except CidConflict:
            raise Refusal(Code.CID_CONFLICT, "refusal.cid_conflict") from None
        except Locked:
            raise Refusal(Code.BUSY, "refusal.busy", retry_after=2) from None
        except StorageError:
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=2) from None

    def _hash(self, message: str) -> bytes:
        return hmac.digest(self._receipt_key, message.encode(), hashlib.sha256)[:16]


def may_add(seat: Seat) -> None:
    """To a talk or a page that is over nothing is added. Raises Refusal."""
    if seat.talk is not None and seat.talk.is_over:
        raise Refusal(Code.FROZEN, "refusal.talk_closed")
    if seat.page is not None and seat.page.is_over:
        raise Refusal(Code.FROZEN, "refusal.page_closed")


def _act(seat: Seat, request: Request, plan: Plan) -> Act:
    if seat.talk is not None:
        plan = _of_two(plan, talks.stands_open(seat.talk.talk.slug))
    if seat.page is not None:
        plan = _of_two(plan, pages.stands_open(seat.room.id))
    draft = plan.draft
    return Act(
        room_id=seat.number,
        dedup=request.dedup,
        fingerprint=request.fingerprint,
        epoch=seat.guest.epoch,
        drafts=plan.also if draft is None else (draft, *plan.also),
        steps=plan.steps,
        persona=plan.persona,
        letters=plan.letters,
        noted=plan.noted,
        scrub=draft is not None and draft.kind == "redact",
        elsewhere=plan.elsewhere,
    )


def _of_two(plan: Plan, stands_open: Step) -> Plan:
    """Nothing is added once it is over; and the persona's row stays as it was when they met."""
    steps = list(plan.steps)
    if plan.draft is not None and plan.draft.kind in ("say", "edit", "react"):
        steps.insert(0, stands_open)
    if plan.persona is not None:
        steps.append(talks.coarsening(plan.persona))
    return replace(plan, steps=tuple(steps), persona=None)
