"""uvicorn's WebSocket protocol with one door more: whole frames straight to the transport.

Server frames are unmasked, so the same bytes serve every socket. `scope["extensions"]["lounge.pipe"]`
is this object; everything else stays ASGI.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from lounge.errors import FLOOD
from web import patience
from web.patience import Patience

EXTENSION = "lounge.pipe"
HIGH_WATER_BYTES = 64 * 1024
BITE_BYTES = 4096
NOISE_FRAMES = 1_000
NOISE_SECONDS = 10.0
DEAF_SECONDS = 2.0
TEXT = 0x81
BINARY = 0x82
_MESSAGES = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


def _nothing() -> None:
    """Before anybody listens."""


class Socket(WebSocketsSansIOProtocol):
    """One connection. Writing never blocks; `is_ready` and `wait_ready` tell when it should wait."""

    transport: Any
    _on_ready: Callable[[], None] = staticmethod(_nothing)
    _on_stalled: Callable[[], None] = staticmethod(_nothing)
    _patience: Patience | None = None
    _lingering: asyncio.TimerHandle | None = None
    _pong = b""
    _is_deaf = False
    _noise = 0
    _noise_since = float("-inf")

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.transport.set_write_buffer_limits(HIGH_WATER_BYTES)
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # refused with an answer, which is complete too

    def listen(self, ready: Callable[[], None], stalled: Callable[[], None]) -> None:
        """`ready` whenever it may be written to again; `stalled` when the peer takes nothing for 15 s."""
        self._on_ready, self._on_stalled = ready, stalled

    def write(self, frames: bytes) -> None:
        """Whole, finished frames. Nothing happens once the connection is closing."""
        if not self.close_sent and not self.disconnected and not self.transport.is_closing():
            self.transport.write(frames)

    def is_ready(self) -> bool:
        """True below the high-water mark."""
        return self.writable.is_set()

    def waiting_bytes(self) -> int:
        """What the peer has not taken yet."""
        size: int = self.transport.get_write_buffer_size()
        return size

    async def wait_ready(self) -> bool:
        """True once it may be written to; False when it is lost, at the latest once it has stalled."""
        await self.writable.wait()
        return not self.disconnected

    def abort(self) -> None:
        """Drop a peer that does not read: it would not read a close frame either."""
        self.transport.abort()

    # -- as the transport's protocol -------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """In bites: of a flood of tiny frames no more is read than it takes to know it as one."""
        for start in range(0, len(data), BITE_BYTES):
            if self._is_deaf or self.transport.is_closing():
                return
            super().data_received(data[start : start + BITE_BYTES])

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """What was written last has its time; uvicorn would wait for ever for a peer that does not read."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._linger()

    def keepalive_timeout(self) -> None:
        """It did not answer a ping: what it has not taken by then it will not take."""
        super().keepalive_timeout()
        self._linger()

    def _linger(self) -> None:
        if self._lingering is None:
            self._lingering = self.loop.call_later(patience.STALLED_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._patience is None:
            self._patience = Patience(self.loop, self.transport, lambda: self._on_stalled())
        self._patience.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._patience is not None:
            self._patience.end()
        if self._pong:
            pong, self._pong = self._pong, b""
            self.write(pong)
        self._on_ready()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.end()
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    # -- frames that are no whole message --------------------------------------------------------

    def handle_cont(self, event: Frame) -> None:
        if self._bears(event) and (event.data or event.fin):  # of nothings there may be any number
            super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        if self._bears(event):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if self._bears(event):
            super().handle_bytes(event)

    def handle_pong(self, event: Frame) -> None:
        if self._bears(event):
            super().handle_pong(event)

    def handle_ping(self) -> None:
        """A peer that reads nothing gets the last pong once it does (RFC 6455, 5.5.3)."""
        pong = b"".join(self.conn.data_to_send())
        if not self._bears():
            return
        if self.is_ready():
            self.transport.write(pong)
        else:
            self._pong = pong

    def _bears(self, event: Frame | None = None) -> bool:
        """Count what is no message to anybody: pings, pongs, pieces, and all that follows a close.

        False once that is a flood, of which no more is read.
        """
        if self._is_deaf or self.transport.is_closing():
            return False
        if event is not None and event.opcode in _MESSAGES and event.fin and not self.close_sent:
            return True
        now = self.loop.time()
        if now - self._noise_since >= NOISE_SECONDS:
            self._noise, self._noise_since = 0, now
        self._noise += 1
        if self._noise > NOISE_FRAMES:
            self._turn_deaf()
        return not self._is_deaf

    def _turn_deaf(self) -> None:
        """Say why, and leave the peer a moment to read it: closed at once, it would only see a reset."""
        self._is_deaf, self.read_paused = True, False  # so that nobody resumes it
        self.transport.pause_reading()
        if not self.close_sent:
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": FLOOD, "reason": "flood"}
            )
            self.conn.send_close(FLOOD, "flood")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(DEAF_SECONDS, self.transport.close)


def frame(payload: bytes, opcode: int) -> bytes:
    """One unmasked, final frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload


def text_frame(payload: bytes) -> bytes:
    """For browsers, who read JSON."""
    return frame(payload, TEXT)


def binary_frame(payload: bytes) -> bytes:
    """For programs, who read msgpack."""
    return frame(payload, BINARY)
