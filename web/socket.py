"""One doctor's connection: handshake, read loop, parting. The rules are the lounge's."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec
import structlog
from starlette.responses import Response
from starlette.websockets import WebSocket

from lounge.attendance import Attendance, Gone
from lounge.belongings import Shelf
from lounge.conversation import Outcome
from lounge.doctors import Visit
from lounge.errors import PROTOCOL, SLOW, Close, Code, Refusal, StorageError
from lounge.events import Mode, rfc3339, to_msgpack
from lounge.limits import FRAME_BYTES, HISTORY_ENTRIES, IN_FLIGHT, TEXT_CODE_POINTS
from lounge.opening import Lounge
from lounge.words import say
from web import protocol, wire
from web.metrics import Metrics
from web.version import VERSION
from web.visitor import origin_allowed, who

log = structlog.get_logger()

STALLED_SECONDS = 15.0
BAD_FRAMES = 10
BAD_FRAME_SECONDS = 60.0


async def endpoint(websocket: WebSocket) -> None:
    """`GET /ws`."""
    lounge: Lounge = websocket.state.lounge
    epoch = lounge.door.epoch  # read before the visit, so that a later revocation is noticed
    if "authorization" not in websocket.headers and not origin_allowed(websocket, lounge.settings):
        status = 403 if "origin" in websocket.headers or websocket.cookies else 401
        await websocket.send_denial_response(Response(status_code=status))
        return
    try:
        visit = await who(websocket)
        shelf = None if visit is None else await lounge.belongings.of(visit.doctor.id)
    except StorageError:
        await websocket.send_denial_response(
            Response(status_code=503, headers={"Retry-After": "2"})
        )
        return
    if visit is None or shelf is None:
        await websocket.send_denial_response(Response(status_code=401))
        return
    offered = [name for name in websocket.scope["subprotocols"] if name in _DIALECTS]
    await websocket.accept(subprotocol=offered[0] if offered else None)
    dialect = _DIALECTS[offered[0] if offered else wire.JSON]
    await Connection(websocket, dialect, visit, shelf, epoch).serve()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How frames are read and written in one subprotocol."""

    name: str
    kind: str
    opcode: int
    encode: Callable[[Any], bytes]
    decode: Callable[[Any], wire.AnyCommand]
    plain: Callable[[Any], Any]
    event: Callable[[bytes], bytes]


class Connection:
    """A subscriber of rooms, a listener of news, and the answers to one client's commands."""

    def __init__(
        self, websocket: WebSocket, dialect: Dialect, visit: Visit, shelf: Shelf, epoch: int
    ) -> None:
        self._websocket = websocket
        self._pipe: protocol.Socket = websocket.scope["extensions"][protocol.EXTENSION]
        self._lounge: Lounge = websocket.state.lounge
        self._metrics: Metrics = websocket.state.metrics
        self._dialect = dialect
        self._guest = self._lounge.door.admit(visit, self.end, epoch)
        self._attendance = Attendance(self._lounge, self._guest, shelf, self)
        self._backlog: deque[wire.AnyCommand] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = False
        self._in_flight = 0
        self._bad_frames: deque[float] = deque(maxlen=BAD_FRAMES)
        self._closing = False

    # -- the connection --------------------------------------------------------------------------

    async def serve(self) -> None:
        """From the welcome to the parting."""
        self._lounge.news.listeners.add(self)
        self._metrics.connections.inc()
        _OPEN.add(self)
        try:
            self._send(self._welcome())
            while await self._read():
                pass
        finally:
            _OPEN.discard(self)
            self._part()

    async def _read(self) -> bool:
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive" or self._closing:
            return False
        payload = message.get(self._dialect.kind)
        if payload is None:
            await self.close(Close(1003), "wrong frame type")
            return False
        if not self._pipe.is_ready() and not await self._pipe.wait_ready(STALLED_SECONDS):
            self._give_up()
            return False
        try:
            command = self._dialect.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError):
            return await self._not_understood(payload)
        self._take(command)
        return True

    def _part(self) -> None:
        self._lounge.news.listeners.discard(self)
        self._metrics.connections.dec()
        self._lounge.door.part(self._guest)
        self._attendance.leave_all()
        for task in self._tasks:
            task.cancel()

    async def close(self, code: Close, reason: str) -> None:
        """Say why, then close; nothing is written after it."""
        if not self._closing:
            self._closing = True
            self._metrics.closed.labels(str(int(code))).inc()
            if self._pipe.is_ready():
                await self._websocket.close(code, reason)
            else:
                self._pipe.abort()  # it takes nothing: it would not read a reason either

    def end(self, code: Close) -> None:
        """From wherever it is decided that this connection may not go on."""
        self._attendance.leave_all()
        self._spawn(self.close(code, _REASONS.get(int(code), "")))

    async def bid_farewell(self, code: Close, within_ms: int) -> None:
        """The server goes away: come back at a random moment within that time."""
        wait = secrets.randbelow(within_ms + 1)
        self._send(wire.Bye(reconnect_in=wait, reason=_REASONS[int(code)]))
        self._attendance.leave_all()
        await self.close(code, _REASONS[int(code)])

    def _give_up(self) -> None:
        self._spawn(self.close(SLOW, _REASONS[int(SLOW)]))

    # -- as a subscriber (channels.cursor) -------------------------------------------------------

    @property
    def dialect(self) -> str:
        return self._dialect.name

    def write(self, data: bytes) -> None:
        self._pipe.write(data)

    def is_ready(self) -> bool:
        return self._pipe.is_ready()

    async def ready(self) -> None:
        if not self._pipe.is_ready() and not await self._pipe.wait_ready(STALLED_SECONDS):
            self._give_up()
            raise Gone
        if self._closing:
            raise Gone

    def lost(self) -> None:
        self.end(Close(1011))

    # -- as a listener (lounge.news) -------------------------------------------------------------

    def rooms(self) -> Iterable[str]:
        return self._attendance.shown()

    def hear(self, moved: Set[str], bands: Set[str]) -> None:
        if self._closing or not self._pipe.is_ready():
            return
        for room, present in self._attendance.new_bands(bands):
            self._send(wire.Presence(room=room, present=present))
        news = self._attendance.news(moved, bands)
        if news:
            self._send(wire.Rooms(rooms=[wire.room_news(each) for each in news]))

    # -- commands --------------------------------------------------------------------------------

    def _take(self, command: wire.AnyCommand) -> None:
        """A say goes straight to the writer's queue; whatever must look something up waits its turn."""
        if self._in_flight >= IN_FLIGHT and not self._lounge.settings.bench:
            refusal = Refusal(Code.BUSY, "refusal.in_flight", retry_after=1, most=IN_FLIGHT)
            self._refuse(command.ref, refusal, _op(command))
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
        op = _op(command)
        try:
            _no_nul(command)
            if not isinstance(command, wire.Say):
                await self.ready()  # a large answer waits until the last one was taken
            answer = await _HANDLERS[type(command)](self, command)
            if answer is not None:
                self._send(answer)
            self._metrics.commands.labels(op, "ok").inc()
        except Refusal as refusal:
            self._refuse(command.ref, refusal, op)
        except StorageError as error:
            log.warning("storage", op=op, fault=str(error))
            self._refuse(command.ref, Refusal(Code.STORAGE, "refusal.storage", retry_after=2), op)
        except Gone:
            await self.close(SLOW, _REASONS[int(SLOW)])
        except Exception as error:
            mark = secrets.token_hex(4)
            log.error("command failed", op=op, mark=mark, fault=type(error).__name__, exc_info=True)
            self._refuse(command.ref, Refusal(Code.INTERNAL, "refusal.internal", mark=mark), op)
        finally:
            self._in_flight -= 1

    async def _join(self, command: wire.Join) -> None:
        """The answer first, then what was missed, then `live` and whatever is new."""
        arrival = await self._attendance.arrive(command.room, command.since, command.last)
        cursor = self._attendance.enter(arrival)
        self._send(
            wire.Joined(
                ref=command.ref,
                start=arrival.start,
                head=arrival.head,
                oldest=arrival.oldest,
                you=arrival.you,
                mode=Mode(),
                present=self._attendance.present(command.room),
            )
        )
        if arrival.reset is not None:
            self._send(
                wire.Reset(
                    room=command.room,
                    oldest=arrival.oldest,
                    head=arrival.head,
                    reason=arrival.reset,
                )
            )
        try:
            head = await self._attendance.follow(arrival, cursor)
        except StorageError as error:  # it has had its answer: it must come back and ask again
            log.warning("storage", op="join", fault=str(error))
            self.lost()
            return
        self._send(wire.Live(room=command.room, head=head))

    async def _leave(self, command: wire.Leave) -> wire.Done:
        self._attendance.must_be_in(command.room)
        self._attendance.leave(command.room)
        return wire.Done(ref=command.ref)

    async def _say(self, command: wire.Say) -> wire.Said:
        outcome = await self._lounge.conversation.say(
            self._attendance.seat(command.room),
            command.cid,
            command.text,
            command.reply_to,
            command.face,
        )
        placed = outcome.placed[0]
        return wire.Said(
            ref=command.ref,
            seq=placed.seq,
            id=placed.id,
            at=rfc3339(placed.at),
            duplicate=_duplicate(outcome),
        )

    async def _edit(self, command: wire.Edit) -> wire.Changed:
        seat = self._attendance.seat(command.room)
        outcome = await self._lounge.conversation.edit(seat, command.seq, command.cid, command.text)
        return _changed(command, outcome)

    async def _redact(self, command: wire.Redact) -> wire.Changed:
        seat = self._attendance.seat(command.room)
        outcome = await self._lounge.conversation.redact(
            seat, command.seq, command.cid, command.reason
        )
        return _changed(command, outcome)

    async def _react(self, command: wire.React) -> wire.Changed:
        seat = self._attendance.seat(command.room)
        outcome = await self._lounge.conversation.react(
            seat, command.seq, command.cid, command.emoji, command.on
        )
        return _changed(command, outcome)

    async def _report(self, command: wire.Report) -> wire.Done:
        seat = self._attendance.seat(command.room)
        outcome = await self._lounge.conversation.report(
            seat, command.seq, command.cid, command.kind, command.note
        )
        return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))

    async def _history(self, command: wire.History) -> wire.Past:
        stretch = await self._attendance.history(
            command.room, command.before, command.after, command.around, command.limit
        )
        return wire.Past(
            ref=command.ref,
            events=[msgspec.Raw(self._dialect.event(payload)) for payload in stretch.events],
            oldest=stretch.oldest,
            head=stretch.head,
            more=True if stretch.more else msgspec.UNSET,
        )

    async def _mark_read(self, command: wire.Read) -> wire.Done:
        await self._attendance.read(command.room, command.seq)
        return wire.Done(ref=command.ref)

    async def _search(self, command: wire.Search) -> wire.Hits:
        found, cursor = await self._attendance.search(
            command.q, command.room, command.limit, command.cursor
        )
        return wire.Hits(
            ref=command.ref,
            hits=[wire.hit(each) for each in found],
            cursor=msgspec.UNSET if cursor is None else cursor,
        )

    async def _ping(self, command: wire.Ping) -> wire.Pong:
        return wire.Pong(ref=command.ref, at=wire.now())

    # -- frames ----------------------------------------------------------------------------------

    def _welcome(self) -> wire.Welcome:
        return wire.Welcome(
            server=VERSION,
            session=secrets.token_urlsafe(9),
            limits=wire.FrameLimits(TEXT_CODE_POINTS, FRAME_BYTES, HISTORY_ENTRIES, IN_FLIGHT),
            rooms=[wire.own_room(each) for each in self._attendance.own()],
        )

    def _send(self, frame: wire.Reply | wire.Announcement) -> None:
        self._pipe.write(protocol.frame(self._dialect.encode(frame), self._dialect.opcode))

    def _refuse(self, ref: wire.Ref | None, refusal: Refusal, op: str) -> None:
        language = self._guest.doctor.language
        spans = [wire.HeldSpan(s.start, s.end, s.kind, say(s.why, language)) for s in refusal.spans]
        self._metrics.commands.labels(op, refusal.code).inc()
        self._send(
            wire.Error(
                ref=ref,
                code=refusal.code,
                message=say(refusal.key, language, **refusal.values),
                retry_after=msgspec.UNSET if refusal.retry_after is None else refusal.retry_after,
                spans=spans or msgspec.UNSET,
            )
        )

    async def _not_understood(self, payload: str | bytes) -> bool:
        """Say what was wrong with a frame; the tenth that is none closes the connection."""
        ref, refusal = _diagnosis(payload, self._dialect)
        self._refuse(ref, refusal, "none")
        if refusal.code is not Code.BAD_FRAME:
            return True
        now = monotonic()
        self._bad_frames.append(now)
        if len(self._bad_frames) == BAD_FRAMES and now - self._bad_frames[0] < BAD_FRAME_SECONDS:
            await self.close(PROTOCOL, _REASONS[int(PROTOCOL)])
            return False
        return True

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def farewell(code: Close, within_ms: int) -> None:
    """Close every connection of this process, telling each when to come back."""
    await asyncio.gather(*(each.bid_farewell(code, within_ms) for each in list(_OPEN)))


def _op(command: wire.Command) -> str:
    return str(type(command).__struct_config__.tag)


def _duplicate(outcome: Outcome) -> Any:
    return True if outcome.duplicate else msgspec.UNSET


def _changed(command: wire.Edit | wire.Redact | wire.React, outcome: Outcome) -> wire.Changed:
    return wire.Changed(ref=command.ref, seq=outcome.placed[0].seq, duplicate=_duplicate(outcome))


def _no_nul(command: wire.Command) -> None:
    """One database takes a NUL and the other does not: neither gets to see one."""
    for name in command.__struct_fields__:
        value = getattr(command, name)
        if isinstance(value, str) and "\0" in value:
            raise Refusal(Code.INVALID, "refusal.nul", field=name)


def _diagnosis(payload: str | bytes, dialect: Dialect) -> tuple[wire.Ref | None, Refusal]:
    """Why a frame is no command: not a map, no usable ref, an unknown op, or a field that is off."""
    try:
        plain = dialect.plain(payload)
        ref = msgspec.convert(plain["ref"], wire.Ref) if isinstance(plain, dict) else None
    except (msgspec.DecodeError, KeyError, UnicodeError, RecursionError, OverflowError):
        ref = None
    if ref is None:
        return None, Refusal(Code.BAD_FRAME, "refusal.bad_frame")
    op = plain.get("op")
    if not isinstance(op, str) or op not in wire.COMMANDS:
        return ref, Refusal(Code.UNKNOWN_OP, "refusal.unknown_op")
    try:
        msgspec.convert(plain, wire.COMMANDS[op])
    except msgspec.ValidationError as error:
        # msgspec names the field and the type; it never repeats a value
        return ref, Refusal(Code.INVALID, "refusal.invalid", why=str(error))
    return ref, Refusal(Code.INVALID, "refusal.invalid", why=op)


_OPEN: set[Connection] = set()
_JSON_DECODER = msgspec.json.Decoder(wire.AnyCommand)
_MSGPACK_DECODER = msgspec.msgpack.Decoder(wire.AnyCommand)
_DIALECTS = {
    wire.JSON: Dialect(
        "json",
        "text",
        protocol.TEXT,
        msgspec.json.Encoder().encode,
        _JSON_DECODER.decode,
        msgspec.json.decode,
        bytes,
    ),
    wire.MSGPACK: Dialect(
        "msgpack",
        "bytes",
        protocol.BINARY,
        msgspec.msgpack.Encoder().encode,
        _MSGPACK_DECODER.decode,
        msgspec.msgpack.decode,
        to_msgpack,
    ),
}
FRAMERS = {
    "json": protocol.text_frame,
    "msgpack": lambda payload: protocol.frame(to_msgpack(payload), protocol.BINARY),
}
_REASONS = {
    1003: "wrong frame type",
    1011: "internal",
    4008: "slow",
    4012: "restart",
    4029: "flood",
    4501: "signed_out",
    4503: "revoked",
    4510: "protocol",
}
_HANDLERS: dict[type[wire.Command], Callable[[Connection, Any], Awaitable[Any]]] = {
    wire.Join: Connection._join,
    wire.Leave: Connection._leave,
    wire.Say: Connection._say,
    wire.Edit: Connection._edit,
    wire.Redact: Connection._redact,
    wire.React: Connection._react,
    wire.Report: Connection._report,
    wire.History: Connection._history,
    wire.Read: Connection._mark_read,
    wire.Search: Connection._search,
    wire.Ping: Connection._ping,
}
