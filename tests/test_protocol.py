"""Frames written past the protocol object, and how long a peer may take for them."""

from __future__ import annotations

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from web.protocol import BINARY, TEXT, Socket, frame, text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_frame_is_read_by_others_as_it_was_meant(size: int, opcode: int) -> None:
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    payload = b"x" * size
    client.receive_data(frame(payload, opcode) + text_frame("é".encode()))
    first, second = client.events_received()
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert (first.opcode, bytes(first.data), first.fin) == (opcode & 0x0F, payload, True)
    assert (second.opcode, bytes(second.data)) == (Opcode.TEXT, "é".encode())


class Pipe:
    """A transport whose peer takes a part of what waits whenever it is looked at."""

    def __init__(self, waiting: int, taken: int, writable: asyncio.Event) -> None:
        self._waiting, self._taken, self._writable = waiting, taken, writable

    def get_write_buffer_size(self) -> int:
        self._waiting -= self._taken
        if self._waiting <= 0:
            self._writable.set()
        return self._waiting


def _socket(waiting: int, taken: int) -> Socket:
    socket = Socket.__new__(Socket)
    socket.writable = asyncio.Event()
    socket.disconnected = False
    socket.transport = Pipe(waiting, taken, socket.writable)
    return socket


async def test_a_peer_that_takes_little_is_waited_for() -> None:
    assert await _socket(waiting=1_000, taken=100).wait_ready(0.001)


async def test_a_peer_that_takes_nothing_is_not() -> None:
    assert not await _socket(waiting=1_000, taken=0).wait_ready(0.001)


async def test_a_peer_that_is_gone_is_not() -> None:
    socket = _socket(waiting=0, taken=0)
    socket.writable.set()
    socket.disconnected = True
    assert not await socket.wait_ready(0.001)
