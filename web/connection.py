"""One doctor's connection, whatever carries it: a subscriber of rooms, and the answers to its commands."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

from msgspec import UNSET, UnsetType

from lounge.attendance import Arrival, Attendance, Gone
from lounge.belongings import Shelf
from lounge.doctors import Visit
from lounge.errors import FLOOD, PROTOCOL, SLOW, Close, Code, Refusal
from lounge.events import Mode
from lounge.limits import (
    COMMANDS,
    CONNECTIONS_PER_DOCTOR,
    FRAME_BYTES,
    HISTORY_ENTRIES,
    IN_FLIGHT,
    STRIKES,
    TEXT_CODE_POINTS,
)
from lounge.moderating.board import Board, Lines
from lounge.opening import Lounge
from lounge.signals import Signal
from web import commands, wire
from web.board import news, whole
from web.dialects import NOT_DECODED, Dialect, diagnosis
from web.metrics import Metrics
from web.porch import Porch
from web.version import VERSION

BAD_FRAMES = 10
BAD_FRAME_SECONDS = 60.0
FIRST_COMMAND_SECONDS = 30.0
REASONS = {
    1003: "wrong frame type",
    1011: "internal",
    4008: "slow",
    4012: "restart",
    4029: "flood",
    4501: "signed_out",
    4503: "revoked",
    4510: "protocol",
}


class Pipe(Protocol):
    """What carries frames to one client."""

    def listen(self, ready: Callable[[], None], stalled: Callable[[], None]) -> None: ...
    def write(self, frames: bytes) -> None: ...
    def is_ready(self) -> bool: ...
    async def wait_ready(self) -> bool: ...
    async def close(self, code: Close, reason: str) -> None: ...
    def abort(self) -> None: ...


class Connection:
    """From the welcome to the parting. `receive` takes the client's frames one by one."""

    most_in_flight = IN_FLIGHT

    def __init__(
        self,
        lounge: Lounge,
        metrics: Metrics,
        pipe: Pipe,
        dialect: Dialect,
        visit: Visit,
        shelf: Shelf,
        epoch: int,
    ) -> None:
        self._lounge = lounge
        self._metrics = metrics
        self._pipe = pipe
        self._dialect = dialect
        self._guest = lounge.door.admit(visit, self.end, epoch)
        self._attendance = Attendance(lounge, self._guest, shelf, self, self._overheard)
        self._asker = commands.Asker(lounge, self._attendance, dialect, visit.doctor.language)
        self._backlog: deque[wire.AnyCommand] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = False
        self._in_flight = 0
        self._is_flood = False
        self._bad_frames: deque[float] = deque(maxlen=BAD_FRAMES)
        self._silence: asyncio.TimerHandle | None = None
        self._board: Lines | None = None
        self.is_closing = False

    # -- the connection --------------------------------------------------------------------------

    def open(self, *, welcome: bool = True) -> None:
        """Count it in, and say who we are."""
        self._pipe.listen(self._attendance.resume, lambda: self.end(SLOW))
        self._lounge.news.listeners.add(self)
        self._metrics.connections.inc()
        OPEN.add(self)
        if welcome:
            self.send(self._welcome())
        if self._lounge.parting is not None:  # it came while the others were told
            self._spawn(self.bid_farewell(*self._lounge.parting))

    def expect_command(self) -> None:
        """Whoever says nothing at all for half a minute is let go."""
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(FIRST_COMMAND_SECONDS, self.end, SLOW)

    async def receive(self, payload: str | bytes) -> bool:
        """Take one frame of the client. False once no further one is wanted."""
        if self.is_closing:
            return False
        if not self._pipe.is_ready() and not await self._pipe.wait_ready():
            return False
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        try:
            command = self._dialect.decode(payload)
        except NOT_DECODED:
            return await self._not_understood(payload)
        self.take(command)
        if self._is_flood:  # at once: what else it sent is not even looked at
            await self.close(FLOOD, REASONS[int(FLOOD)])
        return not self.is_closing

    def part(self) -> None:
        """The client has gone."""
        OPEN.discard(self)
        self.is_closing = True
        if self._silence is not None:
            self._silence.cancel()
        self._lounge.news.listeners.discard(self)
        self._lounge.moderating.board.watchers.discard(self)
        self._metrics.connections.dec()
        self._lounge.door.part(self._guest)
        self._attendance.leave_all()
        for task in self._tasks:
            task.cancel()

    async def close(self, code: Close, reason: str) -> None:
        """Say why, then close; nothing is written after it."""
        if not self.is_closing:
            self.is_closing = True
            self._metrics.closed.labels(str(int(code))).inc()
            if self._pipe.is_ready():
                await self._pipe.close(code, reason)
            else:
                self._pipe.abort()  # it takes nothing: it would not read a reason either

    def end(self, code: Close) -> None:
        """From wherever it is decided that this connection may not go on."""
        self._attendance.leave_all()
        self._spawn(self.close(code, REASONS.get(int(code), "")))

    async def bid_farewell(self, code: Close, within_ms: int) -> None:
        """The server goes away: come back at a random moment within that time."""
        wait = secrets.randbelow(within_ms + 1)
        self.send(wire.Bye(reconnect_in=wait, reason=REASONS[int(code)], code=int(code)))
        self._attendance.leave_all()
        await self.close(code, REASONS[int(code)])

    # -- as a subscriber (channels.cursor) -------------------------------------------------------

    @property
    def dialect(self) -> str:
        return self._dialect.name

    def write(self, data: bytes) -> None:
        self._pipe.write(data)

    def is_ready(self) -> bool:
        return self._pipe.is_ready()

    def lost(self) -> None:
        self.end(Close(1011))

    # -- as a listener (lounge.news) -------------------------------------------------------------

    def rooms(self) -> Iterable[str]:
        return self._attendance.shown()

    def hear(self, moved: Set[str], bands: Set[str]) -> None:
        if self.is_closing or not self._pipe.is_ready():
            return
        for room, present in self._attendance.new_bands(bands):
            self.send(wire.Presence(room=room, present=present))
        news = self._attendance.news(moved, bands)
        if news:
            self.send(wire.Rooms(rooms=[wire.room_news(each) for each in news]))

    # -- as a watcher (lounge.moderating.board) --------------------------------------------------

    def watch(self, board: Board) -> None:
        """What one that takes nothing just now has missed is in the next."""
        if self.is_closing or self._board is None or not self._pipe.is_ready():
            return
        was, self._board = self._board, board.of(self._guest.doctor)
        changed = news(self._board, was)
        if changed is not None:
            self.send(changed)

    async def _show_board(self, command: wire.Board) -> None:
        board = self._lounge.moderating.board
        lines = await board.lines(self._guest.doctor)
        if self.is_closing or self._guest.ended:
            raise Gone
        self._board = lines if command.on else None
        if command.on:
            board.watchers.add(self)
        else:
            board.watchers.discard(self)
        rooms = whole(lines) if command.on else []
        self.send(wire.Boarded(ref=command.ref, rooms=rooms))

    # -- commands --------------------------------------------------------------------------------

    def take(self, command: wire.AnyCommand) -> None:
        """A say goes straight to the writer's queue; whatever must look something up waits its turn."""
        refusal = self._too_much()
        if refusal is not None:
            self._refuse(command.ref, refusal, commands.op(command))
            return
        self._in_flight += 1
        if self._working:
            self._backlog.append(command)
        elif isinstance(command, wire.Say):
            self._spawn(self._answer(command))
        else:
            self._working = True
            self._backlog.append(command)
            self._spawn(self._work())

    def _too_much(self) -> Refusal | None:
        most = self.most_in_flight
        if self._in_flight >= most and not self._lounge.settings.bench:
            return Refusal(Code.BUSY, "refusal.in_flight", retry_after=1, most=most)
        try:
            self._lounge.limits.spend(COMMANDS, self._guest.doctor.id)
        except Refusal as refusal:
            return refusal
        return None

    async def _work(self) -> None:
        try:
            while self._backlog:
                command = self._backlog.popleft()
                if isinstance(command, wire.Say):
                    self._spawn(self._answer(command))
                    await asyncio.sleep(0)  # so that it stands in the queue before what follows
                else:
                    await self._answer(command)
        finally:
            self._working = False

    async def _answer(self, command: wire.AnyCommand) -> None:
        op = commands.op(command)
        try:
            commands.no_nul(command)
            if not isinstance(command, wire.Say):
                await self._ready()  # a large answer waits until the last one was taken
            await self._do(command)
            self._metrics.answered(op, "ok")
        except Gone:
            self.end(SLOW)
        except Exception as error:  # noqa: BLE001 - told to the client, its kind is logged
            self._refuse(command.ref, commands.refusal_of(error, command), op)
        finally:
            self._in_flight -= 1

    async def _ready(self) -> None:
        if not self._pipe.is_ready() and not await self._pipe.wait_ready():
            raise Gone
        if self.is_closing:
            raise Gone

    async def _do(self, command: wire.AnyCommand) -> None:
        if isinstance(command, wire.Join):
            await self._join(command)
        elif isinstance(command, wire.Leave):
            self._attendance.must_be_in(command.room)
            self._attendance.leave(command.room)
            self.send(wire.Done(ref=command.ref))
        elif isinstance(command, wire.Board):
            await self._show_board(command)
        else:
            self.send(await commands.answer(self._asker, command))

    async def _join(self, command: wire.Join) -> None:
        """The answer first, then what was missed, then `live` and whatever is new."""
        arrival = await self._attendance.arrive(command.room, command.since, command.last)
        if self.is_closing or self._guest.ended:
            raise Gone
        cursor = self._attendance.enter(arrival, lambda head: self._is_live(command.room, head))
        self.send(self._joined(command, arrival))
        if arrival.reset is not None:
            self._metrics.resets.labels(arrival.reset).inc()
            self.send(
                wire.Reset(
                    room=command.room,
                    oldest=arrival.oldest,
                    head=arrival.head,
                    reason=arrival.reset,
                )
            )
        self._attendance.follow(arrival, cursor)

    def _joined(self, command: wire.Join, arrival: Arrival) -> wire.Joined:
        return wire.Joined(
            ref=command.ref,
            start=arrival.start,
            head=arrival.head,
            oldest=arrival.oldest,
            you=arrival.you,
            mode=self._mode(command.room, arrival),
            pins=list(self._lounge.modes.of(command.room).pins) or UNSET,
            present=self._attendance.present(command.room),
            **self._worn(command.room, arrival),
            talk=self._talk(arrival),
            changes=[wire.Changing(each.seq, each.target) for each in arrival.changes] or UNSET,
        )

    def _mode(self, room: str, arrival: Arrival) -> Mode:
        stands = self._lounge.modes.wire(room)
        return Mode(stands.slow, stands.frozen or arrival.is_over)

    def _worn(self, room: str, arrival: Arrival) -> dict[str, Any]:
        """As whom they are here; of one's own log there is nothing to say."""
        if arrival.seat is None:
            return {}
        worn = self._attendance.worn(room)
        crowd = wire.CrowdBand(*self._attendance.crowd(room))
        ignored = list(worn.ignored)
        return {"face": worn.face, "exact": worn.exact, "ignored": ignored, "crowd": crowd}

    def _talk(self, arrival: Arrival) -> wire.TalkPlace | UnsetType:
        if arrival.seat is None or arrival.seat.talk is None:
            return UNSET
        return wire.talk_place(arrival.seat.talk, self._attendance.signals)

    def _overheard(self, signal: Signal) -> None:
        if self.is_closing or not self._pipe.is_ready():
            return
        if signal.seq is not None:
            self.send(wire.SeenBy(room=signal.room, seq=signal.seq))
        if signal.on is not None:
            self.send(wire.WritingBy(room=signal.room, on=signal.on))

    def _is_live(self, room: str, head: int) -> None:
        self.send(wire.Live(room=room, head=head))

    # -- frames ----------------------------------------------------------------------------------

    def send(self, frame: wire.Reply | wire.Announcement) -> None:
        """One frame, encoded and framed."""
        self._pipe.write(self._dialect.frame(self._dialect.encode(frame)))

    def _welcome(self) -> wire.Welcome:
        return wire.Welcome(
            server=VERSION,
            session=secrets.token_urlsafe(9),
            limits=wire.FrameLimits(TEXT_CODE_POINTS, FRAME_BYTES, HISTORY_ENTRIES, IN_FLIGHT),
            rooms=[wire.own_room(each) for each in self._attendance.own()],
        )

    def _refuse(self, ref: wire.Ref | None, refusal: Refusal, op: str) -> None:
        self._metrics.answered(op, refusal.code)
        self.send(commands.worded(ref, refusal, self._guest.doctor.language))
        if refusal.code is Code.RATE_LIMITED or refusal.key == "refusal.in_flight":
            self._strike()

    def _strike(self) -> None:
        """Whoever goes on all the same, and was told a hundred times, is let go for a while."""
        try:
            self._lounge.limits.spend(STRIKES, self._guest.doctor.id)
        except Refusal:
            self._is_flood = True
            self.end(FLOOD)

    async def _not_understood(self, payload: str | bytes) -> bool:
        """Say what was wrong with a frame; the tenth that is none closes the connection."""
        ref, refusal = diagnosis(payload, self._dialect)
        self._refuse(ref, refusal, "none")
        if refusal.code is not Code.BAD_FRAME:
            return True
        now = monotonic()
        self._bad_frames.append(now)
        if len(self._bad_frames) == BAD_FRAMES and now - self._bad_frames[0] < BAD_FRAME_SECONDS:
            await self.close(PROTOCOL, REASONS[int(PROTOCOL)])
            return False
        return True

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextmanager
def seated(lounge: Lounge, porch: Porch, doctor_id: str, address: str) -> Iterator[None]:
    """Count one connection more of a doctor and of an address while it lasts. Raises Refusal if too many."""
    refusal = Refusal(Code.RATE_LIMITED, "refusal.rate_limited", retry_after=10)
    if _CONNECTIONS[doctor_id] >= CONNECTIONS_PER_DOCTOR and not lounge.settings.bench:
        raise refusal
    if not porch.guests.enter(address):
        raise refusal
    _CONNECTIONS[doctor_id] += 1
    try:
        yield
    finally:
        porch.guests.leave(address)
        _CONNECTIONS[doctor_id] -= 1
        if not _CONNECTIONS[doctor_id]:
            del _CONNECTIONS[doctor_id]


_CONNECTIONS: Counter[str] = Counter()
OPEN: set[Connection] = set()
"""Every connection of this process."""


async def farewell(code: Close, within_ms: int) -> None:
    """Close every connection of this process, telling each when to come back."""
    farewells = (each.bid_farewell(code, within_ms) for each in list(OPEN))
    await asyncio.gather(*farewells, return_exceptions=True)  # one that is lost stops nobody
