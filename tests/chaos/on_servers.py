"""What happens to servers: killed, stopped, asked to go, renewed.

A fault returns its evidence; it raises NotFired when nothing shows that it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from functools import partial

import psutil
from websockets.frames import Frame, Opcode

from tests.chaos.evidence import (
    Act,
    NotFired,
    succeeded,
    suspended,
    until,
)
from tests.chaos.house import House

STALLED = HALF_OPEN = 20
UPGRADE = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


async def worker_killed(house: House) -> str:
    server = house.any_server()
    worker = server.worker()
    worker.kill()
    return await succeeded(server, worker)


async def server_killed(house: House) -> str:
    server = house.any_server()
    family = server.family()
    family[0].kill()
    await server.gone(family)
    await server.start()
    return f"supervisor {family[0].pid} was killed, its worker ended by itself, both were started again"


def killed_at(point: str) -> Act:
    """A worker that ends itself as kill -9 does, right there, when it has passed there a few times."""

    async def killed(house: House) -> str:
        workers = {server.worker().pid: server for server in house.servers}
        fired = house.points / "fired"
        (house.points / "armed").write_text(f"{point} {house.chance.randint(1, 12)}")
        try:
            await until(lambda: bool(fired.exists() and fired.read_text()), f"nobody came {point}")
        finally:
            (house.points / "armed").unlink(missing_ok=True)
        pid = int(fired.read_text())
        fired.unlink()
        return await succeeded(workers[pid], None, pid)

    return killed


async def all_killed(house: House) -> str:
    """Servers and Valkey at once; of PostgreSQL every process as well."""
    victims = [each for server in house.servers for each in server.family()]
    families = [server.family() for server in house.servers]
    victims.append(house.valkey_process())
    victims += house.cluster.family() if house.cluster else []
    for each in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    await asyncio.gather(
        *(server.gone(family) for server, family in zip(house.servers, families, strict=True))
    )
    await house.valkey.ended()
    await house.valkey.start()
    if house.cluster:
        await house.cluster.start_again()
    await asyncio.gather(*(server.start() for server in house.servers))
    return f"{len(victims)} processes were killed at once"


def server_stopped(seconds: float) -> Act:
    async def stopped(house: House) -> str:
        server = house.any_server()
        worker = server.worker()
        async with suspended([worker], seconds):
            pass
        if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
            return f"worker {worker.pid} stood still for {seconds:g} s and went on"
        return await succeeded(server, worker)  # its supervisor does not wait for ever

    return stopped


async def terminated(house: House) -> str:
    """SIGTERM under load, with peers that read nothing and requests that never end."""
    server, peers = house.any_server(), []
    try:
        peers += [await _stalled(server.port, each) for each in house.tokens[-STALLED:]]
        peers += [await _begun(server.port, UPGRADE) for _ in range(HALF_OPEN)]
        await asyncio.sleep(1)
        family = server.family()
        server.signal(signal.SIGTERM)
        code = await server.gone(family)
    finally:
        for peer in peers:
            peer.close()
    await server.start()
    if code != 0:
        raise NotFired(f"SIGTERM ended in exit code {code}")
    return f"{len(family)} processes ended in order beside {len(peers)} bad peers"


async def renewed(house: House) -> str:
    """A rolling restart: every server is told so, one after the other."""
    pids = []
    for server in house.servers:
        old, said = server.worker(), len(server.said)
        server.signal(signal.SIGHUP)
        await server.says("Renewed", after=said)
        await until(partial(_is_gone, old), f"worker {old.pid} stayed")
        pids.append(f"{old.pid} by {server.worker().pid}")
    return f"worker {', '.join(pids)} followed"


# -- what they are made of -----------------------------------------------------------------------


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running()


async def _stalled(port: int, token: str) -> socket.socket:
    """In a room, and reads nothing of what is said there."""
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    peer = await _begun(port, f"{UPGRADE}{key}Authorization: Bearer {token}\r\n\r\n")
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(peer, 12) == b"HTTP/1.1 101"
    join = json.dumps({"op": "join", "room": "bench/1", "since": 0, "ref": 1}).encode()
    await loop.sock_sendall(peer, Frame(Opcode.TEXT, join).serialize(mask=True))
    return peer


async def _begun(port: int, words: str) -> socket.socket:
    """A connection that says this and no more."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", port))
    await loop.sock_sendall(peer, words.encode())
    return peer
