"""Frames written past the protocol object, and how long a peer may take for them."""

from __future__ import annotations

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

import web.patience
import web.protocol
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


class Line:
    """A transport whose peer takes a part of what waits whenever it is looked at."""

    def __init__(self, waiting: int, taken: int) -> None:
        self._waiting, self._taken = waiting, taken
        self.looks = 0

    def get_write_buffer_size(self) -> int:
        self.looks += 1
        self._waiting = max(0, self._waiting - self._taken)
        return self._waiting


class Heard:
    """What a listener of a socket is told."""

    def __init__(self, waiting: int, taken: int) -> None:
        self.stalled = asyncio.Event()
        self.readies = 0
        self.line = Line(waiting, taken)
        self.socket = socket = Socket.__new__(Socket)
        socket.loop = asyncio.get_running_loop()
        socket.writable = asyncio.Event()
        socket.disconnected = False
        socket.transport = self.line
        socket.listen(self._ready, self.stalled.set)

    def _ready(self) -> None:
        self.readies += 1


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.patience, "STALLED_SECONDS", 0.001)


async def test_a_peer_that_takes_nothing_has_stalled() -> None:
    heard = Heard(waiting=1_000, taken=0)
    heard.socket.pause_writing()
    await asyncio.wait_for(heard.stalled.wait(), 30)
    assert heard.line.looks == 2


async def test_a_peer_that_takes_little_is_waited_for() -> None:
    heard = Heard(waiting=1_000, taken=100)
    heard.socket.pause_writing()
    await asyncio.wait_for(heard.stalled.wait(), 30)
    assert heard.line.looks > 10, "it was waited for as long as it took something"


async def test_a_peer_that_has_taken_enough_is_told_of_and_watched_no_longer() -> None:
    heard = Heard(waiting=1_000, taken=1)
    heard.socket.pause_writing()
    heard.socket.resume_writing()
    assert heard.readies == 1
    assert await heard.socket.wait_ready()
    looks = heard.line.looks
    await asyncio.sleep(0.01)  # ten times its patience: a timer that still ran would have looked
    assert heard.line.looks == looks


async def test_a_peer_that_is_gone_is_not_waited_for() -> None:
    heard = Heard(waiting=0, taken=0)
    heard.socket.writable.set()
    heard.socket.disconnected = True
    assert not await heard.socket.wait_ready()
