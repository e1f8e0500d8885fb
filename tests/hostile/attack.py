"""What whoever means harm does: bare bytes past a client's own rules, and reading nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support import PATIENCE_SECONDS, Guest, House, new_cid
from web import connection as connections
from web import protocol, wire
from web.socket import SocketPipe

COOKIE = "lounge_session"


def packed(*values: Any) -> str:
    """A search cursor with these inside."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).decode()


GARBAGE_CURSORS = [
    *("", "!", "AAAA", "é" * 9, "=" * 9, "x" * 200),
    *(packed(), packed(1, 2), packed(1, 2, 3, 4), packed("a", "b", "c"), packed([], {}, None)),
    *(packed(2**64 - 1, 1, 1), packed(1, 2**63, 1), packed(1, 1, -(2**63)), packed(1, 2**40, 1)),
    *(packed(float("inf"), 1, 1), packed(float("nan"), 1, 1), packed("9" * 100, 1, 1)),
]


async def refusal_of(guest: Guest, frame: str | bytes) -> dict[str, Any]:
    """The error that a raw frame is answered with."""
    before = len(guest.frames)
    await guest.socket.send(frame)
    return await guest.sees(lambda f: f["op"] == "error", since=before)


async def status(house: House, *, query: str = "", **headers: str) -> int:
    """What a handshake with these headers is answered with."""
    try:
        async with connect(
            f"ws://127.0.0.1:{house.port}/ws{query}",
            additional_headers=headers,
            subprotocols=[wire.JSON],  # type: ignore[list-item]
            open_timeout=PATIENCE_SECONDS,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def cookie_of(house: House) -> str:
    """A session of Ana's, as a browser sends it."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("ana"))
    assert doctor_id
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    return f"{COOKIE}={secret}"


def write(guest: Guest, frame: bytes) -> None:
    """Past the client's own protocol, which would not send such a thing."""
    guest.socket.transport.write(frame)


def masked(first: int, payload: bytes = b"") -> bytes:
    """A client's frame of up to 65,535 bytes, masked with zeros."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2)
    return head + b"\0\0\0\0" + payload


def somebody() -> str:
    return f"somebody-{new_cid()}"


@asynccontextmanager
async def not_reading(
    house: House,
) -> AsyncIterator[tuple[ClientConnection, connections.Connection]]:
    """A doctor whose client takes the welcome and nothing more, through the smallest of buffers."""
    before = set(connections.OPEN)
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", house.port))
    token = await house.token(somebody())
    async with connect(
        f"ws://127.0.0.1:{house.port}/ws",
        sock=line,
        max_queue=1,
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        close_timeout=0.1,
    ) as client:
        assert json.loads(await client.recv())["op"] == "welcome"
        client.transport.pause_reading()
        (connection,) = set(connections.OPEN) - before
        ours = line_of(connection).transport.get_extra_info("socket")
        ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        yield client, connection
        client.transport.abort()


def connection_of(guest: Guest) -> connections.Connection:
    """The server's end of it."""
    here = guest.socket.local_address
    return next(each for each in connections.OPEN if line_of(each).client == here)


def line_of(connection: connections.Connection) -> protocol.Socket:
    pipe = connection._pipe
    assert isinstance(pipe, SocketPipe)
    return pipe._socket
