"""`GET /ws`: the WebSocket that carries a connection. The rules are the lounge's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from lounge.belongings import Shelf
from lounge.doctors import Visit
from lounge.errors import Close, Code, Refusal, StorageError
from lounge.opening import Lounge
from web import protocol, wire
from web.connection import Connection, seated
from web.dialects import JSON, MSGPACK
from web.visitor import address_of, origin_allowed, who

_DIALECTS = {wire.JSON: (JSON, "text"), wire.MSGPACK: (MSGPACK, "bytes")}


async def endpoint(websocket: WebSocket) -> None:
    """Let a doctor in, or answer the handshake with the status that says why not."""
    lounge: Lounge = websocket.state.lounge
    epoch = lounge.door.epoch  # read before the visit, so that a later revocation is noticed
    if "authorization" not in websocket.headers and not origin_allowed(websocket, lounge.settings):
        await _deny(websocket, 403 if "origin" in websocket.headers or websocket.cookies else 401)
        return
    try:
        visit = await who(websocket)
        shelf = None if visit is None else await lounge.belongings.of(visit.doctor.id)
        if visit is None or shelf is None:
            await _deny(websocket, 401)
            return
        await lounge.talks.learn(visit.doctor, shelf)
        await lounge.consults.learn(shelf)
        await lounge.pages.learn(visit.doctor, shelf)
        with seated(lounge, websocket.state.porch, visit.doctor.id, address_of(websocket)):
            await _serve(websocket, lounge, visit, shelf, epoch)
    except StorageError:  # only the handshake's: later ones are answers
        await _deny(websocket, 503, retry_after=2)
    except Refusal as refusal:
        status = 503 if refusal.code is Code.BUSY else 429
        await _deny(websocket, status, retry_after=refusal.retry_after or 2)


async def _serve(
    websocket: WebSocket, lounge: Lounge, visit: Visit, shelf: Shelf, epoch: int
) -> None:
    offered = [name for name in websocket.scope["subprotocols"] if name in _DIALECTS]
    await websocket.accept(subprotocol=offered[0] if offered else None)
    dialect, kind = _DIALECTS[offered[0] if offered else wire.JSON]
    pipe = SocketPipe(websocket, websocket.scope["extensions"][protocol.EXTENSION])
    metrics = websocket.state.metrics
    connection = Connection(lounge, metrics, pipe, dialect, visit, shelf, epoch)
    try:
        connection.open()
        connection.expect_command()
        await _read(websocket, connection, kind)
    finally:
        connection.part()


async def _read(websocket: WebSocket, connection: Connection, kind: str) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] != "websocket.receive":
            return
        payload = message.get(kind)
        if payload is None:
            await connection.close(Close(1003), "wrong frame type")
            return
        if not await connection.receive(payload):
            return


async def _deny(websocket: WebSocket, status: int, retry_after: float | None = None) -> None:
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    await websocket.send_denial_response(Response(status_code=status, headers=headers))


@dataclass(frozen=True, slots=True)
class SocketPipe:
    """Frames go straight to the transport; only the close is ASGI's."""

    _websocket: WebSocket
    _socket: protocol.Socket

    def listen(self, ready: Callable[[], None], stalled: Callable[[], None]) -> None:
        self._socket.listen(ready, stalled)

    def write(self, frames: bytes) -> None:
        self._socket.write(frames)

    def is_ready(self) -> bool:
        return self._socket.is_ready()

    async def wait_ready(self) -> bool:
        return await self._socket.wait_ready()

    async def close(self, code: Close, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it was lost in this very moment
            await self._websocket.close(code, reason)

    def abort(self) -> None:
        self._socket.abort()
