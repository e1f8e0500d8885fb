"""Rooms that somebody here listens to, and the cursors in them: a state machine without I/O or clock.

The promise: each cursor is sent a contiguous run of the one order, whatever hints are lost, doubled or
late. A hint that leaves a hole costs a read of the log, never a frame out of order.

Everything from outside is handed in: `read` fetches from the log and answers later, `soon` runs a step
when others had their turn, `clock` gives seconds, `may_write` says whether entries may leave just now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import structlog

from channels.cursor import Cursor, Gone
from channels.log import Answer, Page, Read, Request
from channels.ring import Framer, Item, Ring

log = structlog.get_logger()

TAIL_ENTRIES = 500
PAGE_ENTRIES = 256
CHUNK_BYTES = 64 * 1024
KEPT_PAGES = 4
KEPT_BYTES = 1024 * 1024
KEPT_SECONDS = 2.0
EMPTY_ROOM_SECONDS = 60.0

Opened = Callable[["LiveRoom | Exception"], None]


class Place(Enum):
    """What a client's cursor (seq and id of its last entry) is to this log."""

    KNOWN = "known"
    UNKNOWN = "unknown_cursor"
    BEYOND_RETENTION = "beyond_retention"


@dataclass(slots=True, eq=False)
class _Flight:
    """A page of the past: under way, or kept for a moment for whoever comes by next."""

    head: int
    began: float
    page: Page | None = None
    outdated: bool = False
    waiting: list[Callable[[Answer], None]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class LiveRoom:
    """A room with listeners: its ring, its cursors, and the newest seq that anybody spoke of."""

    name: str
    ring: Ring
    is_open: bool = False
    opening: list[Opened] = field(default_factory=list)
    cursors: set[Cursor] = field(default_factory=set)
    noted: int = 0
    oldest: int = 1
    filling: bool = False
    filled: list[Callable[[Exception | None], None]] = field(default_factory=list)
    late: list[Callable[[Exception | None], None]] = field(default_factory=list)
    """Who came while a read was under way: it may have looked before what they know of."""
    flights: dict[int, _Flight] = field(default_factory=dict)
    flush_due: bool = False
    touched: float = 0.0


class Hub:
    """Local fan-out. `apply` takes what was committed here or hinted at by others."""

    def __init__(
        self,
        read: Read,
        framers: Mapping[str, Framer],
        *,
        soon: Callable[[Callable[[], None]], object],
        clock: Callable[[], float],
        may_write: Callable[[], bool],
    ) -> None:
        self._read = read
        self._framers = framers
        self._soon = soon
        self._clock = clock
        self._may_write = may_write
        self._rooms: dict[str, LiveRoom] = {}
        self.reads = 0
        """Reads of the log so far: backfills, pages and openings."""
        self.deliveries = 0
        """Entries written to sockets so far."""
        self.divergences = 0
        """Rooms whose log turned out to be another one, as after the restore of an older copy."""

    # -- joining and leaving ---------------------------------------------------------------------

    def enter(self, name: str, done: Opened) -> None:
        """Answer with the live room, opened from the log if nobody was listening, or what that raised."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = LiveRoom(name, Ring(self._framers, 0, 0))
            room.opening.append(done)
            self._ask(name, None, TAIL_ENTRIES, lambda answer: self._open(room, answer))
        elif room.is_open:
            room.touched = self._clock()
            done(room)
        else:
            room.opening.append(done)

    def locate(
        self,
        room: LiveRoom,
        since: int,
        last: str | None,
        done: Callable[[Place | Exception], None],
    ) -> None:
        """Answer what a client's cursor is here. `last` is the id of its entry `since`, if it says so."""
        if since <= room.ring.head:
            self._compare(room, since, last, done)
            return

        def read_on(fault: Exception | None) -> None:
            if fault is not None:
                done(fault)
            elif since > room.ring.head:
                done(Place.UNKNOWN)
            else:
                self._compare(room, since, last, done)

        room.late.append(read_on)  # another process may have come further
        self._fill(room)

    def attach(self, room: LiveRoom, cursor: Cursor) -> None:
        """Send a cursor what follows its place, then all that is new, for as long as it stays.

        Raises Gone if the room was forgotten since it was entered.
        """
        if self._rooms.get(room.name) is not room:
            raise Gone
        room.cursors.add(cursor)
        self._advance(room, cursor)

    def resume(self, name: str, cursor: Cursor) -> None:
        """Its subscriber is ready again."""
        room = self._rooms.get(name)
        if room is not None and cursor.behind and cursor in room.cursors:
            self._advance(room, cursor)

    def leave(self, name: str, cursor: Cursor) -> None:
        """No further event of the room reaches this cursor."""
        cursor.left = True
        room = self._rooms.get(name)
        if room is not None:
            room.cursors.discard(cursor)
            room.touched = self._clock()

    # -- what happens in rooms -------------------------------------------------------------------

    def apply(self, name: str, items: Sequence[Item], head: int) -> None:
        """Take entries in any order, twice or with holes; listeners get each once and in order."""
        room = self._rooms.get(name)
        if room is None:
            return
        room.noted = max(room.noted, head)
        if not room.is_open:
            return
        for item in items:
            if item.seq == room.ring.head + 1:
                self._append(room, item)
            elif room.ring.id_at(item.seq) not in (None, item.id):
                self._diverged(room)
                return
        if room.noted > room.ring.head:
            self._fill(room)
        self._flush_soon(room)

    def heads(self) -> dict[str, int]:
        """Where the open rooms stand here: to be handed back with what a poll of the log then says."""
        return {room.name: room.ring.head for room in self._rooms.values() if room.is_open}

    def polled(self, name: str, head: int, oldest: int, stood: int) -> None:
        """The log was asked when the room stood at `stood` here. It can only have come further."""
        room = self._rooms.get(name)
        if room is None:
            return
        room.oldest = max(room.oldest, oldest)
        if head < stood <= room.ring.head:
            self._diverged(room)
        else:
            self.apply(name, (), head)

    def release(self) -> None:
        """Entries may leave again: whatever was held goes on."""
        for room in self._rooms.values():
            self._flush_soon(room)
            for cursor in room.cursors:
                if cursor.behind:
                    self._later(room, cursor)

    def names(self) -> list[str]:
        """The rooms that are live here."""
        return list(self._rooms)

    def live(self, name: str) -> LiveRoom | None:
        """The room if it is live here and open."""
        room = self._rooms.get(name)
        return room if room is not None and room.is_open else None

    def sweep(self) -> None:
        """Forget rooms that nobody has listened to for a minute, and pages that were kept a moment."""
        now = self._clock()
        for name, room in list(self._rooms.items()):
            for start, flight in list(room.flights.items()):
                if flight.page is not None and flight.began < now - KEPT_SECONDS:
                    del room.flights[start]
            if not room.cursors and room.is_open and room.touched < now - EMPTY_ROOM_SECONDS:
                del self._rooms[name]

    # -- reading the log -------------------------------------------------------------------------

    def _ask(
        self, name: str, after: int | None, limit: int, done: Callable[[Answer], None]
    ) -> None:
        self.reads += 1
        self._read(Request(name, after, limit), done)

    def _open(self, room: LiveRoom, answer: Answer) -> None:
        opening, room.opening = room.opening, []
        if isinstance(answer, Exception):
            del self._rooms[room.name]
            for done in opening:
                done(answer)
            return
        before = answer.items[0].seq - 1 if answer.items else answer.head
        room.oldest = answer.oldest
        room.ring = Ring(self._framers, before, answer.count)
        for item in answer.items:
            room.ring.append(item)
        _refresh(room, answer)
        room.is_open, room.touched = True, self._clock()
        for done in opening:
            done(room)
        if room.noted > room.ring.head:
            self._fill(room)

    def _fill(self, room: LiveRoom) -> None:
        """Read on from the head, its last entry included: so a log that was exchanged shows itself."""
        if not room.filling:
            room.filling = True
            room.filled += room.late
            room.late = []
            stood = room.ring.head
            self._ask(
                room.name,
                max(0, stood - 1),
                PAGE_ENTRIES,
                lambda answer: self._take_fill(room, stood, answer),
            )

    def _take_fill(self, room: LiveRoom, stood: int, answer: Answer) -> None:
        room.filling = False
        if self._rooms.get(room.name) is not room:  # forgotten meanwhile
            self._filled(room, Gone())
            return
        if isinstance(answer, Exception):  # the head poll asks again
            log.warning("backfill failed", fault=type(answer).__name__)
            self._filled(room, answer)
            return
        if answer.head < stood or _is_another(room, answer.items):
            self._diverged(room)
            return
        if answer.oldest > room.ring.head + 1:  # retention has gone past it
            self._forget(room)
            return
        for item in answer.items:
            if item.seq == room.ring.head + 1:
                self._append(room, item)
        _refresh(room, answer)
        self._flush_soon(room)
        room.noted = max(room.noted, answer.head)
        if room.ring.head == stood:  # the log has no more, whatever was said of it
            room.noted = stood
        if room.noted > room.ring.head:
            self._fill(room)
            return
        self._filled(room, None)
        if room.late:
            self._fill(room)

    def _filled(self, room: LiveRoom, fault: Exception | None) -> None:
        waiting, room.filled = room.filled, []
        if fault is not None:
            waiting, room.late = waiting + room.late, []
        for done in waiting:
            done(fault)

    def _compare(
        self,
        room: LiveRoom,
        since: int,
        last: str | None,
        done: Callable[[Place | Exception], None],
    ) -> None:
        if since and since + 1 < room.oldest:
            done(Place.BEYOND_RETENTION)
        elif since == 0 or last is None:
            done(Place.KNOWN)
        elif (id := room.ring.id_at(since)) is not None:
            done(Place.KNOWN if id == last else Place.UNKNOWN)
        else:
            self._page(room, since, lambda answer: done(_judged(room, answer, since, last)))

    def _page(self, room: LiveRoom, seq: int, done: Callable[[Answer], None]) -> None:
        """The page that holds `seq`: one read however many want it, and none that may lack it."""
        start = (seq - 1) // PAGE_ENTRIES * PAGE_ENTRIES
        flight = room.flights.get(start)
        if flight is None or flight.head < seq or (flight.page is None and flight.outdated):
            flight = room.flights[start] = _Flight(room.ring.head, self._clock(), waiting=[done])
            self._ask(
                room.name,
                start,
                PAGE_ENTRIES,
                lambda answer: self._landed(room, start, flight, answer),
            )
        elif flight.page is None:
            flight.waiting.append(done)
        else:
            done(flight.page)

    def _landed(self, room: LiveRoom, start: int, flight: _Flight, answer: Answer) -> None:
        if isinstance(answer, Page) and (
            answer.head < flight.head or _is_another(room, answer.items)
        ):
            answer = Gone()
            if self._rooms.get(room.name) is room:
                self._diverged(room)
        if isinstance(answer, Exception) or flight.outdated or not _is_small(answer):
            if room.flights.get(start) is flight:
                del room.flights[start]
        else:
            flight.page = answer
            self._keep_few(room)
        if isinstance(answer, Page):
            _refresh(room, answer)
        waiting, flight.waiting = flight.waiting, []
        for done in waiting:
            done(answer)

    def _keep_few(self, room: LiveRoom) -> None:
        kept = [start for start, flight in room.flights.items() if flight.page is not None]
        for start in kept[:-KEPT_PAGES]:
            del room.flights[start]

    def _append(self, room: LiveRoom, item: Item) -> None:
        room.ring.append(item)
        if item.about is not None:  # pages that were read before it no longer tell how things stand
            for start, flight in list(room.flights.items()):
                flight.outdated = True
                if flight.page is not None:
                    del room.flights[start]

    def _diverged(self, room: LiveRoom) -> None:
        """The log is not the one that was served so far: everybody must come back and ask anew."""
        self.divergences += 1
        log.error("a room's log is another one: was an older copy restored?")
        self._forget(room)

    def _forget(self, room: LiveRoom) -> None:
        """Everybody in it comes back, and asks anew."""
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
        for cursor in list(room.cursors):
            self._lose(room, cursor)
        for done in room.opening:
            done(Gone())
        self._filled(room, Gone())

    # -- writing to sockets ----------------------------------------------------------------------

    def _flush_soon(self, room: LiveRoom) -> None:
        if not room.flush_due and room.cursors:
            room.flush_due = True
            self._soon(lambda: self._flush(room))

    def _flush(self, room: LiveRoom) -> None:
        """Join what is new once; write the same bytes to everybody who stands at the same place."""
        room.flush_due = False
        if not self._may_write():  # `release` comes back to it
            return
        head = room.ring.head
        joined: dict[tuple[str, int], tuple[bytes, int] | None] = {}
        for cursor in room.cursors:
            if cursor.seq >= head or cursor.behind:
                continue
            subscriber = cursor.subscriber
            key = (subscriber.dialect, cursor.seq)
            if key not in joined:
                joined[key] = room.ring.take(cursor.seq, subscriber.dialect, CHUNK_BYTES)
            taken = joined[key]
            if taken is not None and subscriber.is_ready():
                self.deliveries += taken[1] - cursor.seq
                cursor.seq = taken[1]
                subscriber.write(taken[0])
            if cursor.seq < head:
                cursor.behind = True
                self._later(room, cursor)

    def _advance(self, room: LiveRoom, cursor: Cursor) -> None:
        """One step of a cursor that is behind. It ends in the very step in which it stands at the head."""
        if cursor.left or cursor.stepping or not self._may_write():
            return
        if cursor.seq >= room.ring.head:
            cursor.behind = False
            arrived, cursor.arrived = cursor.arrived, None
            if arrived is not None:
                arrived(cursor.seq)
        elif cursor.subscriber.is_ready():
            taken = room.ring.take(cursor.seq, cursor.subscriber.dialect, CHUNK_BYTES)
            if taken is None:
                cursor.stepping = True
                self._page(room, cursor.seq + 1, lambda answer: self._serve(room, cursor, answer))
            else:
                self._hand(room, cursor, taken)

    def _serve(self, room: LiveRoom, cursor: Cursor, answer: Answer) -> None:
        """From a page of the past."""
        cursor.stepping = False
        if cursor.left:
            return
        taken = None if isinstance(answer, Exception) else self._framed(room, cursor, answer)
        if taken is None:  # the log fails, or does not go on from where the client was
            self._lose(room, cursor)
        elif self._may_write() and cursor.subscriber.is_ready():
            self._hand(room, cursor, taken)

    def _framed(self, room: LiveRoom, cursor: Cursor, page: Page) -> tuple[bytes, int] | None:
        frames: list[bytes] = []
        size, seq = 0, cursor.seq
        for item in page.items:
            if item.seq != seq + 1 or item.seq > room.ring.head:
                continue  # what is newer than the room comes with the ring: nobody overtakes it
            frame = self._framers[cursor.subscriber.dialect](item.payload)
            if frames and size + len(frame) > CHUNK_BYTES:
                break
            frames.append(frame)
            size, seq = size + len(frame), item.seq
        return (b"".join(frames), seq) if frames else None

    def _hand(self, room: LiveRoom, cursor: Cursor, taken: tuple[bytes, int]) -> None:
        self.deliveries += taken[1] - cursor.seq
        cursor.seq = taken[1]
        cursor.subscriber.write(taken[0])
        self._later(room, cursor)

    def _later(self, room: LiveRoom, cursor: Cursor) -> None:
        """Its next step, once others had their turn."""
        if cursor.stepping:
            return
        cursor.stepping = True

        def step() -> None:
            cursor.stepping = False
            self._advance(room, cursor)

        self._soon(step)

    def _lose(self, room: LiveRoom, cursor: Cursor) -> None:
        room.cursors.discard(cursor)
        cursor.left = True
        cursor.subscriber.lost()


def _refresh(room: LiveRoom, page: Page) -> None:
    """Put what was read into the ring, unless the ring has meanwhile heard of something newer."""
    room.oldest = max(room.oldest, page.oldest)
    if page.head >= room.ring.head:
        room.ring.refresh(page.items)


def _is_another(room: LiveRoom, items: Iterable[Item]) -> bool:
    """True when an entry has another id here than the log now gives it."""
    return any(room.ring.id_at(item.seq) not in (None, item.id) for item in items)


def _is_small(page: Page) -> bool:
    return sum(len(item.payload) for item in page.items) <= KEPT_BYTES


def _judged(room: LiveRoom, answer: Answer, since: int, last: str) -> Place | Exception:
    if isinstance(answer, Exception):
        return answer
    if since + 1 < room.oldest:  # retention went on while it was read
        return Place.BEYOND_RETENTION
    found = any(item.seq == since and item.id == last for item in answer.items)
    return Place.KNOWN if found else Place.UNKNOWN
