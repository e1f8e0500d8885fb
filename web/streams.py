"""Where WebSockets are blocked: the same frames over an event stream or short polls, commands by POST.

Nothing is kept between two requests: the client holds the cursors, so any worker may serve any of them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from lounge.attendance import Attendance
from lounge.errors import Close, Code, Refusal
from lounge.limits import COMMANDS, FRAME_BYTES, OWN_ROOMS
from lounge.opening import Lounge
from web import commands, wire
from web.accounts import read_body, read_bytes
from web.connection import Connection, seated
from web.dialects import NOT_DECODED, STREAM, diagnosis
from web.protocol import HIGH_WATER_BYTES
from web.visitor import acting, address_of, require_act

ALIVE_SECONDS = 15.0
POLL_SECONDS = 20.0
COME_BACK_MS = 1_000
_STREAM_HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would keep frames back until it has a page of them
}


class Following(msgspec.Struct, frozen=True):
    """Which rooms to follow, each from where. `poll`: one finished answer instead of a stream."""

    joins: Annotated[list[wire.Join], Meta(max_length=OWN_ROOMS)]
    poll: bool = False
    welcome: bool = True


async def command(request: Request) -> Response:
    """`POST /api/commands`: one command, answered with the frame that a socket would have sent."""
    lounge: Lounge = request.state.lounge
    async with acting(request) as guest:
        doctor = guest.doctor
        payload = await read_bytes(request, FRAME_BYTES)
        shelf = await lounge.belongings.of(doctor.id)
        attendance = Attendance(lounge, guest, shelf, _NOBODY)
        asker = commands.Asker(lounge, attendance, STREAM, doctor.language)
        frame = await _answered(asker, doctor.id, payload)
    request.state.metrics.commands.labels("http", getattr(frame, "code", "ok")).inc()
    return Response(
        STREAM.encode(frame), media_type="application/json", headers={"cache-control": "no-store"}
    )


async def _answered(asker: commands.Asker, doctor_id: str, payload: bytes) -> Any:
    try:
        asked = STREAM.decode(payload)
    except NOT_DECODED:
        ref, refusal = diagnosis(payload, STREAM)
        return commands.worded(ref, refusal, asker.language)
    try:
        asker.lounge.limits.spend(COMMANDS, doctor_id)
        commands.no_nul(asked)
        if isinstance(asked, wire.Join | wire.Leave):
            raise Refusal(Code.INVALID, "refusal.by_stream", field="op")
        room = getattr(asked, "room", None)
        if room is not None and not isinstance(asked, _NOT_SEATED):
            await asker.attendance.sit(room)
        return await commands.answer(asker, asked)
    except Exception as error:  # noqa: BLE001 - told to the client, its kind is logged
        refusal = commands.refusal_of(error, asked)
        return commands.worded(asked.ref, refusal, asker.language)


async def follow(request: Request) -> Response:
    """`POST /api/stream`: frames for as long as the client listens, or what there is for now."""
    lounge: Lounge = request.state.lounge
    epoch = lounge.door.epoch
    visit = await require_act(request)
    following = await read_body(request, Following, most=FRAME_BYTES)
    if lounge.door.epoch != epoch:  # the body took its time, and somebody was revoked meanwhile
        epoch = lounge.door.epoch
        visit = await require_act(request)
    shelf = await lounge.belongings.of(visit.doctor.id)
    await lounge.talks.learn(visit.doctor, shelf)
    await lounge.consults.learn(shelf)
    await lounge.pages.learn(visit.doctor, shelf)
    place = seated(lounge, request.state.porch, visit.doctor.id, address_of(request))
    metrics = request.state.metrics

    def connection(pipe: StreamPipe) -> _Followed:
        return _Followed(lounge, metrics, pipe, STREAM, visit, shelf, epoch)

    return _Answer(connection, following, place)  # place and connection are taken when it begins


_NOT_SEATED = wire.History | wire.Search | wire.PageAnswer | wire.PageMark | wire.PageEnd
"""Commands about a room in which nobody needs to be."""
routes = [
    Route("/api/commands", command, methods=["POST"]),
    Route("/api/stream", follow, methods=["POST"]),
]


class StreamPipe:
    """Holds what was written until the answer takes it, at most about as much as a socket would.

    A client that takes nothing of the answer is dropped by the doorstep.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._ready: Callable[[], None] = _nothing
        self._room = asyncio.Event()
        self._room.set()
        self.changed = asyncio.Event()
        self.is_closed = False

    def listen(self, ready: Callable[[], None], stalled: Callable[[], None]) -> None:
        self._ready = ready

    def write(self, frames: bytes) -> None:
        if self.is_closed:
            return
        self._parts.append(frames)
        self._size += len(frames)
        self.changed.set()
        if not self.is_ready():
            self._room.clear()

    def is_ready(self) -> bool:
        return self._size < HIGH_WATER_BYTES

    async def wait_ready(self) -> bool:
        await self._room.wait()
        return not self.is_closed

    def take(self) -> bytes:
        """Everything that was written since the last time."""
        was_full = not self.is_ready()
        taken, self._parts, self._size = b"".join(self._parts), [], 0
        self.changed.clear()
        if was_full:
            self._room.set()
            self._ready()
        return taken

    async def close(self, code: Close, reason: str) -> None:
        self.abort()

    def abort(self) -> None:
        self.is_closed = True
        self._room.set()
        self.changed.set()


_NEWS = (wire.Welcome, wire.Reset, wire.Error, wire.Bye, wire.SeenBy, wire.WritingBy)


class _Followed(Connection):
    """A connection whose commands are all joins, given at the start."""

    most_in_flight = OWN_ROOMS
    settled = 0
    has_news = False
    _said_bye = False

    def send(self, frame: wire.Reply | wire.Announcement) -> None:
        self.settled += isinstance(frame, wire.Live | wire.Error)
        self.has_news |= isinstance(frame, _NEWS)
        self._said_bye |= isinstance(frame, wire.Bye)
        super().send(frame)

    def write(self, data: bytes) -> None:
        self.has_news = True
        super().write(data)

    async def close(self, code: Close, reason: str) -> None:
        """A stream has no close code of its own: the last frame tells it."""
        if not self.is_closing and not self._said_bye:
            wait = COME_BACK_MS + secrets.randbelow(COME_BACK_MS)
            self.send(wire.Bye(reconnect_in=wait, reason=reason, code=int(code)))
        await super().close(code, reason)


class _Answer(Response):
    """Sends what the connection's pipe holds, until one of both sides ends it."""

    def __init__(
        self, connection: Callable[[StreamPipe], _Followed], following: Following, place: Any
    ) -> None:
        super().__init__()
        self._admit = connection
        self._pipe = StreamPipe()
        self._following = following
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._poll if self._following.poll else self._stream
        with self._place:
            self._connection = self._admit(self._pipe)
            try:
                self._connection.open(welcome=self._following.welcome)
                for join in self._following.joins:
                    self._connection.take(join)
                await _until_first(work(send), _hung_up(receive))
            finally:
                self._connection.part()

    async def _stream(self, send: Send) -> None:
        await send(_start(_STREAM_HEADERS))
        while not self._pipe.is_closed or self._pipe.changed.is_set():
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._pipe.changed.wait()
            except TimeoutError:
                await send(_body(b": \n\n", more=True))
                continue
            await send(_body(self._pipe.take(), more=True))
        await send(_body(b"", more=False))

    async def _poll(self, send: Send) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                while not self._has_enough():
                    self._pipe.changed.clear()
                    await self._pipe.changed.wait()
        body = self._pipe.take()
        await send(_start({**_STREAM_HEADERS, "content-length": str(len(body))}))
        await send(_body(body, more=False))

    def _has_enough(self) -> bool:
        connection, pipe = self._connection, self._pipe
        settled = connection.settled >= len(self._following.joins)
        return pipe.is_closed or not pipe.is_ready() or (settled and connection.has_news)


async def _until_first(*works: Any) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(headers: dict[str, str]) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _nothing() -> None:
    """Before anybody listens."""


class _Nobody:
    """Who asks by POST is sent nothing but the answer."""

    dialect = STREAM.name

    def write(self, data: bytes) -> None: ...

    def is_ready(self) -> bool:
        return False

    def lost(self) -> None: ...


_NOBODY = _Nobody()
