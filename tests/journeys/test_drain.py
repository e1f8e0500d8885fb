"""SIGTERM under load, with peers that read nothing and requests that never end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.ledger import Ledger, all_heard, finish, judge, kept, talk
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run, wait_until_gone
from tests.stores import SQLITE_FIRST

ROOM = "bench/1"
TALKERS = 6
STALLED = 20
HALF_OPEN = 20
LETTERS = 7_000
FLOOD = 120  # acks: several times what the buffers of one stalled peer hold
SMALL_BUFFER = 4096
UPGRADE = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
REQUEST = "POST /api/session HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:{port}\r\n"
BEGUN = (
    UPGRADE,
    REQUEST + "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{",
    "",
)
"""A head that never ends, a body that never ends, and nothing at all."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("backend", SQLITE_FIRST)
async def test_sigterm_under_load_ends_in_order_and_everybody_comes_back(
    backend: str, run: Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with contextlib.AsyncExitStack() as ending:
        database, environ = None, {"LOUNGE_BENCH": "1"}
        if backend == "postgres":
            settings = await ending.enter_async_context(
                on_postgres(request.getfixturevalue("postgres_url"))
            )
            database, environ = settings["database_url"], environ | served.on_postgres(settings)
        server, ledger = Served(run, tmp_path, **environ), Ledger((ROOM,), padding=LETTERS)
        *tokens, lazy = await server.tokens(TALKERS + 1)
        talkers = [Talker(each) for each in tokens]
        await server.start()
        talking = [asyncio.create_task(talk(each, server, ledger)) for each in talkers]
        stalled = [await _stalled(server.port, lazy) for _ in range(STALLED)]
        await ledger.more(FLOOD)
        half_open = [await _begun(server.port, BEGUN[n % 3]) for n in range(HALF_OPEN)]
        await ledger.more(20)
        print(f"{backend}: gone after {await _terminated(server):.1f} s")
        entries = await kept(tmp_path, database)
        judge(ledger, dict(ledger.acked), entries)
        assert len(entries) >= FLOOD + 20
        assert _came(stalled[0]) < len(entries) * LETTERS
        for each in (*stalled, *half_open):
            each.close()
        await server.start()
        await ledger.more(20)
        await finish(ledger, talking)
        entries = await kept(tmp_path, database)
        judge(ledger, ledger.acked, entries)
        await all_heard(talkers, entries)


async def _terminated(server: Served) -> float:
    """It ended by itself, everything of it; the seconds that it took."""
    assert server.process
    family, began = server.family(), time.monotonic()
    server.process.signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.exit_code) == 0
    took = time.monotonic() - began
    await asyncio.to_thread(wait_until_gone, family[1:])
    assert not [line for line in server.process.said if "too long" in line], server.process.said
    return took


async def _stalled(port: int, token: str) -> socket.socket:
    """In the room, and reads nothing of what is said there."""
    handshake = (
        f"{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    )
    peer = await _begun(port, handshake)
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(peer, 12) == b"HTTP/1.1 101"
    join = json.dumps({"op": "join", "room": ROOM, "since": 0, "ref": 1}).encode()
    await loop.sock_sendall(peer, Frame(Opcode.TEXT, join).serialize(mask=True))
    return peer


async def _begun(port: int, words: str) -> socket.socket:
    """A connection that says this and no more."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", port))
    await loop.sock_sendall(peer, words.format(port=port).encode())
    return peer


def _came(peer: socket.socket) -> int:
    """How many bytes came for it until the end, which is there."""
    peer.setblocking(True)
    count = 0
    with contextlib.suppress(ConnectionError):
        while part := peer.recv(SMALL_BUFFER):
            count += len(part)
    return count
