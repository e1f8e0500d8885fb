"""uvicorn's WebSocket protocol with one door more: whole frames straight to the transport.

Server frames are unmasked, so the same bytes serve every socket. `scope["extensions"]["lounge.pipe"]`
is this object; everything else stays ASGI.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "lounge.pipe"
HIGH_WATER_BYTES = 64 * 1024
TEXT = 0x81
BINARY = 0x82


class Socket(WebSocketsSansIOProtocol):
    """One connection. Writing never blocks; `is_ready` and `ready` tell when it should wait."""

    transport: Any

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

    async def wait_ready(self, seconds: float) -> bool:
        """True once it may be written to; False when the peer took nothing for that long."""
        while not self.writable.is_set():
            left = self.waiting_bytes()
            try:
                async with asyncio.timeout(seconds):
                    await self.writable.wait()
            except TimeoutError:
                if self.waiting_bytes() >= left:
                    return False
        return not self.disconnected

    def abort(self) -> None:
        """Drop a peer that does not read: it would not read a close frame either."""
        self.transport.abort()


def frame(payload: bytes, opcode: int) -> bytes:
    """One unmasked, final frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload


def text_frame(payload: bytes) -> bytes:
    """A JSON event for browsers."""
    return frame(payload, TEXT)
