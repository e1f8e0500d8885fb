"""One connection's rooms: which it is in, as whom, how far it has been sent each, and its own others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from channels.cursor import Cursor, Gone, Subscriber
from channels.hub import LiveRoom, Place
from channels.log import asked
from lounge import guard, policy, private
from lounge.belongings import Shelf
from lounge.cases import Case, Opened
from lounge.changes import Change
from lounge.consults import is_consult
from lounge.conversation import Outcome, Seat
from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.events import By, Present
from lounge.guard import Verdict
from lounge.limits import (
    CHANGES,
    CODE_POINTS_A_VERDICT,
    OWN_ROOMS,
    READS,
    SEARCHES,
    SIGNALS,
    TEXT_CODE_POINTS,
    VERDICTS,
)
from lounge.moderating.asked import Asked
from lounge.oncall.asks import AskedNow
from lounge.oncall.places import PagePlace, is_page
from lounge.oncall.sending import Paging, Sent
from lounge.opening import Lounge
from lounge.personas import FEW, Face, persona_id
from lounge.rooms import Room, Title
from lounge.search import Found
from lounge.signals import Signal
from lounge.talks import Place as TalkPlace
from lounge.talks import is_talk
from lounge.transcript import Stretch

__all__ = ["Arrival", "Attendance", "Gone", "RoomStanding", "Subscriber"]

FRESH_SAYS = 50
FRESH_ENTRIES = 500
MOST_UNREAD = 100


@dataclass(frozen=True, slots=True)
class Arrival:
    """A join that was allowed: `start…head` come next. `reset`: the client's cursor was not ours."""

    room: str
    live: LiveRoom
    seat: Seat | None
    start: int
    reset: Literal["unknown_cursor", "beyond_retention"] | None
    changes: Sequence[Change] = ()
    """In a consult: what the guest has read and has not acknowledged that it was changed."""

    @property
    def head(self) -> int:
        return self.live.ring.head

    @property
    def oldest(self) -> int:
        return self.live.oldest

    @property
    def is_over(self) -> bool:
        """A talk or a page that was ended: it can be read."""
        place = None if self.seat is None else self.seat.talk or self.seat.page
        return place is not None and place.is_over

    @property
    def you(self) -> list[By]:
        return [] if self.seat is None else self.seat.dress.you()


@dataclass(frozen=True, slots=True)
class Worn:
    """As whom a guest is in a room: all her faces, the chosen one, and whom she does not wish to read."""

    you: list[By]
    face: Face
    exact: bool
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomStanding:
    """One of the doctor's rooms, as a list shows it."""

    id: str
    title: Title
    kind: str
    head: int
    unread: int
    present: Present


class Attendance:
    """Where one guest is. Raises Refusal for what the policy declines, StorageError, and Gone."""

    def __init__(
        self,
        lounge: Lounge,
        guest: Guest,
        shelf: Shelf,
        subscriber: Subscriber,
        overheard: Callable[[Signal], None] = lambda _: None,
    ) -> None:
        """`overheard` is called with what the other one of a talk signals."""
        self._overheard = overheard
        self._lounge = lounge
        self._guest = guest
        self._shelf = shelf
        self._subscriber = subscriber
        self._me = lounge.private.name_of(guest.doctor)
        self._seats: dict[str, Seat | None] = {}
        self._cursors: dict[str, Cursor] = {}

    # -- joining and leaving ---------------------------------------------------------------------

    async def arrive(self, room: str, since: int | None, last: str | None) -> Arrival:
        """May they enter, and from where is their view of the room to go on?"""
        self._lounge.limits.spend(READS, self._guest.doctor.id)
        seat = None
        if room == private.ROOM:
            self._verified()
        else:
            seat = await self._lounge.conversation.take_seat(self._guest, room, self._shelf)
        hub, name = self._lounge.hub, self._name(room)
        live: LiveRoom = await asked(lambda done: hub.enter(name, done))
        place = Place.KNOWN
        if since is not None:
            place = await asked(lambda done: hub.locate(live, since, last, done))
        if since is None or place is not Place.KNOWN:
            start = await self._fresh(live)
        else:
            start = since + 1 if since else live.oldest  # never past what retention took meanwhile
        return Arrival(
            *(room, live, seat, start, None if place is Place.KNOWN else place.value),
            changes=await self._changes(seat, live),
        )

    def enter(self, arrival: Arrival, arrived: Callable[[int], None]) -> Cursor:
        """Take the place, and be counted: of a former cursor there nothing more is sent.

        `arrived` hears the head in the very step in which everything up to it was sent.
        """
        self.leave(arrival.room)
        cursor = Cursor(self._subscriber, arrival.start - 1, arrived)
        self._cursors[arrival.room] = cursor
        self._seats[arrival.room] = arrival.seat
        if arrival.seat is not None:
            self._shelf.joined(arrival.room)
            self._be_here(arrival.room, arrival.seat.talk, arrival.seat.page)
        return cursor

    def follow(self, arrival: Arrival, cursor: Cursor) -> None:
        """Send what was missed, then all that is new. Raises Gone."""
        self._lounge.hub.attach(arrival.live, cursor)

    def resume(self) -> None:
        """The connection may be written to again."""
        for room, cursor in list(self._cursors.items()):
            self._lounge.hub.resume(self._name(room), cursor)

    async def sit(self, room: str) -> None:
        """Take the seat alone, for one act: nothing of the room is sent here."""
        if room == private.ROOM:
            self._verified()
            self._seats[room] = None
        else:
            conversation = self._lounge.conversation
            self._seats[room] = await conversation.take_seat(self._guest, room, self._shelf)

    def leave(self, room: str) -> None:
        """Nothing of the room reaches this connection any more."""
        cursor, seat = self._cursors.pop(room, None), self._seats.pop(room, None)
        if cursor is None:
            return
        self._lounge.hub.leave(self._name(room), cursor)
        if is_talk(room):
            self._lounge.signals.leave(room, self)
        elif seat is not None and seat.page is None:
            self._lounge.news.roster.leave(room, self._member(room))

    def leave_all(self) -> None:
        for room in list(self._cursors):
            self.leave(room)

    def must_be_in(self, room: str) -> None:
        if room not in self._seats:
            raise Refusal(Code.NOT_JOINED, "refusal.not_joined")

    def seat(self, room: str) -> Seat:
        """As whom they speak there."""
        self.must_be_in(room)
        seat = self._seats[room]
        if seat is None:
            raise Refusal(Code.FORBIDDEN, "refusal.me")
        return seat

    # -- faces -----------------------------------------------------------------------------------

    def worn(self, room: str) -> Worn:
        """As whom the guest is in a joined room."""
        seat = self.seat(room)
        return Worn(seat.dress.you(), *seat.dress.chosen, self._shelf.ignored(seat.home))

    async def wear(self, room: str, face: Face, exact: bool | None) -> None:
        """Speak with this face there from now on; `exact` stays as it was when it is None."""
        self._lounge.limits.spend(CHANGES, self._guest.doctor.id)
        seat = self.seat(room)
        await self._lounge.conversation.preview(seat, face, exact)  # it is one of hers
        if not seat.is_of_two:
            was = self._shelf.is_exact(room, face)
            self._shelf.wear(room, face, exact=was if exact is None else exact)

    async def preview(self, room: str, face: Face | None, exact: bool | None) -> By:
        """Exactly what others would see."""
        self._lounge.limits.spend(READS, self._guest.doctor.id)
        persona = await self._lounge.conversation.preview(self.seat(room), face, exact)
        return persona.by

    async def retire(self, room: str) -> list[By]:
        """Be somebody new there; who has not spoken since the last time stays who she is."""
        self._lounge.limits.spend(CHANGES, self._guest.doctor.id)
        seat = self.seat(room)
        seat.dress.retire()
        return seat.dress.you()

    def ignore(self, room: str, persona: str, on: bool) -> list[str]:
        """Whom the guest does not wish to read there."""
        self._lounge.limits.spend(CHANGES, self._guest.doctor.id)
        seat = self.seat(room)
        id = persona_id(persona)
        if id is None or id in seat.dress.ids:
            raise Refusal(Code.INVALID, "refusal.ignore", field="persona")
        self._shelf.ignore(seat.home, persona, on)
        return list(self._shelf.ignored(seat.home))

    def crowd(self, room: str) -> tuple[int, bool]:
        """How many doctors the room admits, and whether they are too few to hide among."""
        members = self._lounge.personas.crowd.members(self.seat(room).home)
        return members, members < FEW

    # -- cases ---------------------------------------------------------------------------------------

    async def open_case(
        self, case: Case, face: Face | None, exact: bool | None, cid: str
    ) -> Opened:
        """Put a case to everybody; its room becomes one of the guest's own."""
        return await self._lounge.cases.open(self._guest, self._shelf, case, face, exact, cid)

    async def ask_now(
        self, specialty: str, text: str, cid: str, *, not_patient: bool = False
    ) -> AskedNow:
        """Ask whoever of a specialty is available now."""
        asks = self._lounge.oncall.asks
        return await asks.ask(self._guest, specialty, text, cid, not_patient=not_patient)

    # -- pages -----------------------------------------------------------------------------------

    async def page(self, asked: Paging, cid: str) -> Sent:
        """Page a role; its room becomes one of the guest's own."""
        return await self._lounge.oncall.sending.page(self._guest, asked, cid)

    async def answer_page(
        self, room: str, accept: bool, formal: bool, reason: str | None, cid: str
    ) -> Outcome:
        """Accept what the guest was alerted to, or not."""
        pages = self._lounge.oncall.pages
        return await pages.answer(self._guest, room, accept, formal, reason, cid)

    async def mark_page(self, room: str, mark: str) -> None:
        """An alert of the guest's has arrived, or was looked at."""
        await self._lounge.oncall.pages.mark(self._guest.doctor, room, mark)

    async def end_page(self, room: str, cid: str) -> Outcome:
        """Withdraw what the guest asked; or close it, as one of the two."""
        return await self._lounge.oncall.pages.end(self._guest, room, cid)

    # -- moderating ------------------------------------------------------------------------------

    async def appeal(
        self, room: str, seq: int, text: str, cid: str, *, not_patient: bool
    ) -> Outcome:
        """Ask that another moderator look again at what was decided about one's entry, joined or not."""
        appeals = self._lounge.moderating.appeals
        return await appeals.appeal(self._guest, room, seq, text, cid, not_patient=not_patient)

    async def moderate(self, asked: Asked) -> Outcome:
        """Act as a moderator, joined there or not."""
        self._lounge.limits.spend(CHANGES, self._guest.doctor.id)
        return await self._lounge.moderating.acts.do(self._guest, asked)

    # -- in talks --------------------------------------------------------------------------------

    async def answer_talk(self, talk: str, accept: bool, cid: str) -> Outcome:
        """Accept a talk that the guest was asked for, or not; withdraw one that the guest asked for."""
        return await self._lounge.asking.answer(self._guest, talk, accept, cid)

    def examine(self, text: str) -> Verdict:
        """What the guard says to a text; nothing of it stays anywhere."""
        if len(text) > TEXT_CODE_POINTS:
            raise Refusal(Code.TOO_LONG, "refusal.too_long", most=TEXT_CODE_POINTS)
        cost = max(1, math.ceil(len(text) / CODE_POINTS_A_VERDICT))
        self._lounge.limits.spend(VERDICTS, self._guest.doctor.id, cost)
        return guard.examine(text)

    def signal(self, room: str, *, seq: int | None = None, on: bool | None = None) -> None:
        """Tell the other one what is true now, unless one's own switch is off."""
        talk = self.seat(room).talk
        if talk is None:
            raise Refusal(Code.INVALID, "refusal.talk_only", field="room")
        self._lounge.limits.spend(SIGNALS, self._guest.doctor.id)
        live = self._lounge.hub.live(room)
        if seq is not None and live is not None:
            seq = min(seq, live.ring.head)
        if self._shelf.signals and not talk.is_over:
            self._lounge.signals.pass_on(Signal(room, talk.own.id, seq, on))

    def turn_signals(self, on: bool) -> None:
        """One's own switch, for all talks and sockets."""
        self._verified()
        self._shelf.signal(on)

    @property
    def signals(self) -> bool:
        """How that switch stands."""
        return self._shelf.signals

    def overhear(self, signal: Signal) -> None:
        """As an ear of `lounge.signals`."""
        if self._shelf.signals and not self._guest.ended and self._lounge.door.is_sure():
            self._overheard(signal)

    # -- reading ---------------------------------------------------------------------------------

    async def history(
        self, room: str, before: int | None, after: int | None, around: int | None, limit: int
    ) -> Stretch:
        """A page of a room's past, joined or not."""
        self._lounge.limits.spend(READS, self._guest.doctor.id)
        name = await readable(self._lounge, self._guest.doctor, room)
        stretch = await self._lounge.transcript.stretch(
            name, before=before, after=after, around=around, limit=limit
        )
        await self._lounge.door.stands(self._guest)
        return stretch

    async def _changes(self, seat: Seat | None, live: LiveRoom) -> list[Change]:
        if seat is None or not seat.consult:
            return []
        return await self._lounge.changes.waiting(seat, self._shelf, live.ring)

    async def acknowledge(self, room: str, seq: int) -> None:
        """In a consult: the guest has seen that change of what had been read."""
        self._lounge.limits.spend(CHANGES, self._guest.doctor.id)
        await self._lounge.changes.acknowledge(self.seat(room), self._shelf, seq)

    async def read(self, room: str, seq: int) -> None:
        """Move the read mark forward, at most to the head."""
        self.must_be_in(room)
        name = self._name(room)
        live = self._lounge.hub.live(name)
        seq = min(seq, live.ring.head if live else seq)
        count = live.ring.count_at(seq) if live else None
        if count is None:
            count = await self._lounge.transcript.count_at(name, seq)
        seat = self._seats.get(room)
        if seat is not None and seat.consult:
            ring = live.ring if live else None
            await self._lounge.changes.pass_over(seat, self._shelf, ring, seq)
        self._shelf.read(room, seq, count)

    async def search(
        self, q: str, room: str | None, limit: int, cursor: str | None
    ) -> tuple[list[Found], str | None]:
        self._lounge.limits.spend(SEARCHES, self._guest.doctor.id)
        self._verified()
        found = await self._lounge.search.find(self._guest.doctor, q, room, limit, cursor)
        await self._lounge.door.stands(self._guest)
        return found

    # -- the doctor's own rooms ------------------------------------------------------------------

    def own(self) -> list[RoomStanding]:
        """`me`, then pinned and formerly joined rooms that they may still enter."""
        if not self._guest.doctor.verified:
            return []
        return [self._standing(room) for room in self._own_rooms()]

    def news(self, moved: Set[str], bands: Set[str]) -> list[RoomStanding]:
        """Own rooms, not joined, of which something changed."""
        touched = self._me in moved or any(id in moved or id in bands for id in self._shelf.rooms)
        if not touched or not self._guest.doctor.verified:
            return []
        return [
            self._standing(room)
            for room in self._own_rooms()
            if room not in self._cursors and (self._name(room) in moved or room in bands)
        ]

    def new_bands(self, bands: Set[str]) -> list[tuple[str, Present]]:
        """Joined rooms with another band."""
        return [(room, self.present(room)) for room in self._cursors if room in bands]

    def shown(self) -> Iterable[str]:
        """The names of all rooms that this connection shows."""
        yield from self._shelf.rooms
        yield from self._cursors
        yield self._me

    def present(self, room: str) -> Present:
        if room == private.ROOM:
            return Present(min=1, max=1)
        if is_talk(room) or is_page(room):  # of two, a count would be one's coming and going
            return Present(min=1, max=2)
        return self._lounge.news.present(room)

    # -- privates --------------------------------------------------------------------------------

    def _own_rooms(self) -> list[str]:
        doctor, rooms = self._guest.doctor, self._lounge.rooms
        known = ((id, self._find(id)) for id in self._shelf.rooms if id != private.ROOM)
        own = [id for id, room in known if room and policy.may_enter(doctor, room, rooms)]
        return [private.ROOM, *own][:OWN_ROOMS]

    def _standing(self, room_id: str) -> RoomStanding:
        room = self._find(room_id)
        assert room is not None
        standing = self._lounge.news.standing(self._name(room_id))
        left = unread(standing.says, self._shelf.marks.get(room_id))
        return RoomStanding(
            room_id, room.title, room.kind, standing.seq, left, self.present(room_id)
        )

    def _find(self, room_id: str) -> Room | None:
        if is_talk(room_id):
            return self._lounge.talks.room(self._shelf, room_id)
        if is_consult(room_id):
            return self._lounge.consults.room(room_id)
        if is_page(room_id):
            return self._lounge.pages.room(self._guest.doctor.id, room_id)
        return self._lounge.rooms.find(room_id)

    def _be_here(self, room: str, talk: TalkPlace | None, page: PagePlace | None) -> None:
        if page is not None:
            self._lounge.pages.know(self._guest.doctor.id, page)
        elif talk is None:
            self._lounge.news.roster.enter(room, self._member(room))
        else:
            self._lounge.talks.know(self._shelf, talk)
            self._lounge.signals.listen(room, talk.own.id, self)

    async def _fresh(self, live: LiveRoom) -> int:
        """Back to the 50th last say, at most 500 entries."""
        count = live.ring.count - FRESH_SAYS + 1
        start = live.oldest
        if count > 1:
            found = live.ring.seq_of_count(count)
            start = found or await self._lounge.transcript.seq_of_say(live.name, count)
        return max(start, live.ring.head - FRESH_ENTRIES + 1, live.oldest)

    def _member(self, room: str) -> bytes:
        return self._lounge.personas.member_of(self._guest.doctor.id, room)

    def _verified(self) -> None:
        if not self._guest.doctor.verified:
            raise Refusal(Code.FORBIDDEN, "refusal.not_verified")

    def _name(self, room: str) -> str:
        """What the hub calls a room: `me` is another log for every doctor."""
        return self._me if room == private.ROOM else room


async def readable(lounge: Lounge, doctor: Doctor, room: str) -> str:
    """The hub's name of a room that this doctor may read. Raises Refusal."""
    lounge.sanctions.may_enter(doctor.id, room)
    if is_talk(room):
        return (await lounge.talks.admit(doctor, room)).talk.slug
    if is_consult(room):
        return (await lounge.consults.admit(doctor, room)).id
    if is_page(room):
        return (await lounge.pages.admit(doctor, room)).page.slug
    if room != private.ROOM:
        return policy.admit(doctor, room, lounge.rooms).id
    if not doctor.verified:
        raise Refusal(Code.FORBIDDEN, "refusal.not_verified")
    return lounge.private.name_of(doctor)


def unread(says: int, mark: tuple[int, int] | None) -> int:
    """Says after the read mark, capped."""
    return max(0, min(MOST_UNREAD, says - (mark[1] if mark else 0)))
