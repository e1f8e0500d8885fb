"""Rooms that somebody here listens to, and the cursors in them.

The promise: each cursor is sent a contiguous run of the one order, whatever hints are lost, doubled or
late. A hint that leaves a hole costs a read of the log, never a frame out of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from channels.cursor import Cursor, Gone
from channels.ring import Framer, Item, Ring

log = structlog.get_logger()
T = TypeVar("T")

TAIL_ENTRIES = 500
PAGE_ENTRIES = 256
CHUNK_BYTES = 64 * 1024
EMPTY_ROOM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Page:
    """A run of a room's log and where the room stood when it was read."""

    items: Sequence[Item]
    head: int
    count: int
    oldest: int = 1


class Log(Protocol):
    """Where the truth is read from when memory does not reach."""

    async def after(self, room: str, seq: int, limit: int) -> Page: ...

    async def tail(self, room: str, limit: int) -> Page: ...


@dataclass(slots=True, eq=False)
class LiveRoom:
    """A room with listeners: its ring, its cursors, and the newest seq that anybody spoke of."""

    name: str
    ring: Ring
    opened: asyncio.Future[None]
    cursors: set[Cursor] = field(default_factory=set)
    noted: int = 0
    oldest: int = 1
    filling: asyncio.Task[Exception | None] | None = None
    flush_due: bool = False
    empty_since: float = 0.0


class Hub:
    """Local fan-out. `apply` takes what was committed here or hinted at by others."""

    def __init__(self, log: Log, framers: Mapping[str, Framer]) -> None:
        self._log = log
        self._framers = framers
        self._rooms: dict[str, LiveRoom] = {}
        self._pages: dict[tuple[str, int, int], asyncio.Future[Page]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.reads = 0
        """Reads of the log so far: backfills, pages and openings."""
        self.deliveries = 0
        """Entries written to sockets so far."""

    # -- joining and leaving ---------------------------------------------------------------------

    async def enter(self, name: str) -> LiveRoom:
        """The live room, opened from the log if nobody was listening. Raises what the log raises."""
        room = self._rooms.get(name)
        if room is None:
            opened = asyncio.get_running_loop().create_future()
            room = LiveRoom(name, Ring(self._framers, 0, 0), opened)
            self._rooms[name] = room
            self._spawn(self._open(room))  # whoever asked first may leave: the others still wait
        room.empty_since = asyncio.get_running_loop().time()
        await asyncio.shield(room.opened)
        return room

    async def catch_up(self, room: LiveRoom, cursor: Cursor) -> None:
        """Send a cursor everything up to the head. Ends in the very step in which it stands there.

        Raises Gone when the subscriber is, and what the log raises.
        """
        while cursor.seq < room.ring.head:
            await cursor.subscriber.ready()
            taken = room.ring.take(cursor.seq, cursor.subscriber.dialect, CHUNK_BYTES)
            if taken is None:
                taken = await self._taken_from_log(room, cursor)
            if cursor.left:
                raise Gone
            self.deliveries += taken[1] - cursor.seq
            cursor.subscriber.write(taken[0])
            cursor.seq = taken[1]
            await asyncio.sleep(0)

    def listen(self, room: LiveRoom, cursor: Cursor) -> None:
        """Go live. Only in the same step as `catch_up` returned: nothing may come in between."""
        if cursor.left or self._rooms.get(room.name) is not room:
            raise Gone  # it left meanwhile, or took so long that the room was forgotten
        if cursor.seq != room.ring.head:
            raise ValueError(f"a cursor at {cursor.seq} cannot go live at head {room.ring.head}")
        room.cursors.add(cursor)

    def leave(self, name: str, cursor: Cursor) -> None:
        """No further event of the room reaches this cursor."""
        cursor.left = True
        room = self._rooms.get(name)
        if room is not None:
            room.cursors.discard(cursor)
            room.empty_since = asyncio.get_running_loop().time()

    # -- what happens in rooms -------------------------------------------------------------------

    def apply(self, name: str, items: Sequence[Item], head: int) -> None:
        """Take entries in any order, twice or with holes; listeners get each once and in order."""
        room = self._rooms.get(name)
        if room is None:
            return
        room.noted = max(room.noted, head)
        if not room.opened.done():
            return
        for item in items:
            if item.seq == room.ring.head + 1:
                room.ring.append(item)
        if room.noted > room.ring.head:
            self._fill(room)
        self._flush_soon(room)

    def names(self) -> list[str]:
        """The rooms that are live here."""
        return list(self._rooms)

    def live(self, name: str) -> LiveRoom | None:
        """The room if it is live here and open."""
        room = self._rooms.get(name)
        return room if room is not None and room.opened.done() else None

    async def refresh(self, room: LiveRoom, head: int) -> None:
        """Read on until the room's head is at least `head`, or the log has no more.

        Raises what the log raises.
        """
        room.noted = max(room.noted, head)
        fault = await asyncio.shield(self._fill(room))
        if fault is not None:
            raise fault

    def sweep(self) -> None:
        """Forget rooms that nobody has listened to for a minute."""
        horizon = asyncio.get_running_loop().time() - EMPTY_ROOM_SECONDS
        for name, room in list(self._rooms.items()):
            if not room.cursors and room.opened.done() and room.empty_since < horizon:
                del self._rooms[name]

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- reading the log -------------------------------------------------------------------------

    async def _open(self, room: LiveRoom) -> None:
        try:
            self.reads += 1
            page = await self._log.tail(room.name, TAIL_ENTRIES)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told to whoever waits
            del self._rooms[room.name]
            fault = Gone() if isinstance(error, asyncio.CancelledError) else error
            room.opened.set_exception(fault)
            room.opened.exception()  # nobody waiting is no fault
            return
        before = page.items[0].seq - 1 if page.items else page.head
        room.oldest = page.oldest
        room.ring = Ring(self._framers, before, page.count)
        for item in page.items:
            room.ring.append(item)
        _refresh(room, page)
        room.opened.set_result(None)
        if room.noted > room.ring.head:
            self._fill(room)

    def _fill(self, room: LiveRoom) -> asyncio.Task[Exception | None]:
        if room.filling is None:
            room.filling = self._spawn(self._fill_hole(room))
        return room.filling

    async def _fill_hole(self, room: LiveRoom) -> Exception | None:
        try:
            while room.noted > room.ring.head:
                self.reads += 1
                before = room.ring.head
                page = await self._log.after(room.name, before, PAGE_ENTRIES)
                for item in page.items:
                    if item.seq == room.ring.head + 1:
                        room.ring.append(item)
                _refresh(room, page)
                self._flush_soon(room)
                if room.ring.head == before:  # the log has no more, whatever was said of it
                    room.noted = before
        except Exception as error:  # noqa: BLE001 - the head poll asks again
            log.warning("backfill failed", fault=type(error).__name__)
            return error
        finally:
            room.filling = None
        return None

    async def _taken_from_log(self, room: LiveRoom, cursor: Cursor) -> tuple[bytes, int]:
        page = await self._page(room, cursor.seq)
        if not page.items or page.items[0].seq != cursor.seq + 1:
            raise Gone  # the log does not go on from where it was: the client must come back and ask
        frames: list[bytes] = []
        size = 0
        for item in page.items:
            if item.seq > room.ring.head:
                break  # it will come with the ring: nobody overtakes the room
            frame = self._framers[cursor.subscriber.dialect](item.payload)
            if frames and size + len(frame) > CHUNK_BYTES:
                break
            frames.append(frame)
            size += len(frame)
        return b"".join(frames), cursor.seq + len(frames)

    async def _page(self, room: LiveRoom, after: int) -> Page:
        """One read however many cursors stand at the same place, none older than what is known."""
        key = (room.name, after, room.ring.head)
        flight = self._pages.get(key)
        if flight is None:
            self.reads += 1
            flight = asyncio.ensure_future(self._log.after(room.name, after, PAGE_ENTRIES))
            self._pages[key] = flight
            flight.add_done_callback(lambda _: self._pages.pop(key, None))
        page = await asyncio.shield(flight)
        _refresh(room, page)
        return page

    # -- writing to sockets ----------------------------------------------------------------------

    def _flush_soon(self, room: LiveRoom) -> None:
        if not room.flush_due and room.cursors:
            room.flush_due = True
            asyncio.get_running_loop().call_soon(self._flush, room)

    def _flush(self, room: LiveRoom) -> None:
        """Join what is new once; write the same bytes to everybody who stands at the same place."""
        room.flush_due = False
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
                subscriber.write(taken[0])
                self.deliveries += taken[1] - cursor.seq
                cursor.seq = taken[1]
            if cursor.seq < head:
                cursor.behind = True
                self._spawn(self._bring_up(room, cursor))

    async def _bring_up(self, room: LiveRoom, cursor: Cursor) -> None:
        try:
            await self.catch_up(room, cursor)
            cursor.behind = False
        except Gone:
            room.cursors.discard(cursor)
            if not cursor.left:
                cursor.subscriber.lost()
        except Exception as error:  # noqa: BLE001 - told to the client as a lost connection
            log.warning("catch-up failed", fault=type(error).__name__)
            room.cursors.discard(cursor)
            cursor.subscriber.lost()

    def _spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _refresh(room: LiveRoom, page: Page) -> None:
    """Put what was read into the ring, unless the ring has meanwhile heard of something newer."""
    if page.head >= room.ring.head:
        room.ring.refresh(page.items)
