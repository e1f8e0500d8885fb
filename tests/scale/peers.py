"""Peers that behave badly: one that takes nothing, one that never finishes saying hello."""

from __future__ import annotations

import asyncio
import random
import socket

from tests.scale.line import Frame, Line, Refused, connected, half_request

_LIVE_SECONDS = 20.0


async def stalled(port: int, token: str, room: str) -> Line:
    """Connects, joins, is live, and takes nothing from then on."""
    live = asyncio.Event()

    def hear(frame: Frame) -> None:
        if frame.op == "live":
            live.set()

    line = None
    while line is None:
        try:
            line = await connected(port, token, hear, narrow=True)
        except Refused as refused:  # they come in a crowd: the door may be busy
            await asyncio.sleep(refused.retry_after + random.random())
    line.send({"op": "join", "ref": 1, "room": room})
    async with asyncio.timeout(_LIVE_SECONDS):
        await live.wait()
    line.stall()
    return line


def half_handshake(port: int) -> socket.socket:
    """A connection with the first lines of a request, and nothing after them."""
    end = socket.create_connection(("127.0.0.1", port))
    end.sendall(half_request())
    return end
