"""One WebSocket of JSON frames, as light as a client can be: thousands fit into one process."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
from collections.abc import Callable
from typing import Any

import msgspec

RECEIVE_BYTES = 4096
SEGMENT_BYTES = 1460
_OPEN_SECONDS = 20.0
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Frame(msgspec.Struct):
    """Whatever the server says; what a frame does not have keeps its default here."""

    op: str
    ref: int | str | None = None
    room: str = ""
    seq: int = 0
    id: str = ""
    text: str = ""
    code: str | int = ""
    reason: str = ""
    start: int = msgspec.field(default=0, name="from")
    head: int = 0
    retry_after: float = 0
    reconnect_in: int = 0


class Refused(Exception):  # noqa: N818 - an answer like others
    """The handshake was answered, but not with 101. `retry_after` is in seconds, 0 for unsaid."""

    def __init__(self, status: int, retry_after: float) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after = retry_after


class Line(asyncio.Protocol):
    """Gives each frame to `hear` as it comes. `ended` has the close code; None for no close frame."""

    def __init__(self, request: bytes, hear: Callable[[Frame], None]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int | None] = loop.create_future()
        self._request = request
        self._hear = hear
        self._read: Callable[[], None] = self._read_answer
        self._data = bytearray()
        self._code: int | None = None
        self._transport: Any = None  # asyncio's, or uvloop's, which is no subclass of it

    def send(self, command: object) -> None:
        """Nothing happens when the line has ended."""
        if not self.ended.done():
            self._transport.write(_frame(_TEXT, msgspec.json.encode(command)))

    def stall(self) -> None:
        """Takes nothing any more, and says nothing of it."""
        self._transport.pause_reading()

    def cut(self) -> None:
        """Ends it as a network does: without a word."""
        self._transport.abort()

    # -- asyncio's side --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("ended during the handshake"))
        if not self.ended.done():
            self.ended.set_result(self._code)

    # -- bytes become frames ---------------------------------------------------------------------

    def _read_answer(self) -> None:
        head, blank, rest = bytes(self._data).partition(b"\r\n\r\n")
        if not blank or self.opened.done():
            return
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            self.opened.set_exception(Refused(status, _retry_after(head)))
            self._transport.abort()
            return
        self._data, self._read = bytearray(rest), self._read_frames
        self.opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        data, at = self._data, 0
        while (span := _span(data, at)) is not None:
            start, end = span
            self._take(data[at] & 15, bytes(data[start:end]))
            at = end
        del data[:at]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self._hear(_decode(payload))
        elif opcode == _PING:
            self._transport.write(_frame(_PONG, payload))
        elif opcode == _CLOSE:
            self._code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._transport.write(_frame(_CLOSE, payload[:2]))
            self._transport.close()


async def connected(
    port: int,
    token: str,
    hear: Callable[[Frame], None],
    *,
    source: str = "127.0.0.1",
    narrow: bool = False,
) -> Line:
    """An open line from the loopback address `source`. A `narrow` one holds as little on its way as a
    line over the internet does: the kernel gives a plain loopback line megabytes.

    Raises Refused, OSError (ConnectionError among them) or TimeoutError.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_OPEN_SECONDS):
        end = socket.socket()
        try:
            end.setblocking(False)
            if narrow:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
            end.bind((source, 0))
            await loop.sock_connect(end, ("127.0.0.1", port))
        except BaseException:
            end.close()
            raise
        _, line = await loop.create_connection(lambda: Line(_request(port, token), hear), sock=end)
        try:
            await line.opened
        except BaseException:
            line.cut()
            raise
        return line


def _request(port: int, token: str) -> bytes:
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
        f"Authorization: Bearer {token}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def half_request() -> bytes:
    """The first lines of a handshake that will never be finished."""
    return _request(0, "nobody")[:60]


def _retry_after(head: bytes) -> float:
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "retry-after":
            return float(value)
    return 0.0


def _span(data: bytearray, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `at` lies; None while it is not all there."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1] & 127, at + 2
    if size >= 126:
        start += 2 if size == 126 else 8
        if len(data) < start:
            return None
        size = int.from_bytes(data[at + 2 : start], "big")
    return (start, start + size) if len(data) >= start + size else None


def _frame(opcode: int, payload: bytes) -> bytes:
    """Masked, as a client's frames are, with a key of zeros: the payload stays as it is."""
    size = len(payload)
    if size < 126:
        return bytes((128 | opcode, 128 | size, 0, 0, 0, 0)) + payload
    return bytes((128 | opcode, 254)) + size.to_bytes(2, "big") + bytes(4) + payload


_decode = msgspec.json.Decoder(Frame).decode
