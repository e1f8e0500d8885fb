"""The faults: each is brought about from outside, healed, and seen to have happened.

A fault returns its evidence; it raises NotFired when nothing shows that it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import sleep, time
from typing import Any

import psutil
from redis.asyncio import Redis
from websockets.frames import Frame, Opcode

from lounge.office import open_office
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import PATIENCE_SECONDS, NotFired, succeeded, suspended, until, written
from tests.chaos.house import House
from tests.chaos.proxy import Proxy
from tests.redis_proxy import Faults

Act = Callable[[House], Awaitable[str]]

STALLED = HALF_OPEN = 20
UPGRADE = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
FLOOD_BYTES = 200_000
"""Of one message, more than a subscriber's buffer may hold then."""


# -- servers -------------------------------------------------------------------------------------


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


# -- Redis ---------------------------------------------------------------------------------------


def redis_killed(seconds: float) -> Act:
    async def killed(house: House) -> str:
        valkey = house.valkey_process()
        valkey.kill()
        await house.valkey.ended()
        await asyncio.sleep(seconds)
        await house.valkey.start()
        return f"Valkey {valkey.pid} is gone, another one after {seconds:g} s"

    return killed


def redis_stopped(seconds: float) -> Act:
    async def stopped(house: House) -> str:
        async with suspended([house.valkey_process()], seconds):
            pass
        return f"Valkey stood still for {seconds:g} s"

    return stopped


async def flushed(house: House) -> str:
    async with house.redis() as redis:
        before = await redis.info("commandstats")
        keys = await redis.dbsize()
        await redis.flushall()
        after = await redis.info("commandstats")
    calls = _calls(after) - _calls(before)
    if not calls:
        raise NotFired("Valkey counted no FLUSHALL")
    return f"{keys} keys are gone"


async def subscribers_killed(house: House) -> str:
    async with house.redis() as redis:
        killed = await redis.client_kill_filter(_type="pubsub")
    if not killed:
        raise NotFired("there was no subscriber")
    return f"{killed} subscribers were cut off"


async def buffer_overrun(house: House) -> str:
    """A subscriber may hold 64 kB, and somebody publishes more in one go."""
    limit, name = "client-output-buffer-limit", "client_output_buffer_limit_disconnections"
    async with house.redis() as redis:
        channel = await _a_channel(redis)
        before = (await redis.info("stats"))[name]
        await redis.config_set(limit, "pubsub 64kb 0 0")
        try:
            await redis.publish(channel, bytes(FLOOD_BYTES))
            await asyncio.sleep(3)
            cut = (await redis.info("stats"))[name] - before
        finally:
            await redis.config_set(limit, "pubsub 33554432 8388608 60")
    if not cut:
        raise NotFired("Valkey cut nobody off")
    return f"{cut} subscribers were cut off for what they had not read"


async def half_open(house: House) -> str:
    """No byte comes through and nobody is told."""
    proxy, made = house.redis_proxy, house.redis_proxy.made
    proxy.blackhole()
    try:
        await asyncio.sleep(6)
    finally:
        proxy.heal()
    await until(lambda: proxy.made > made, "nobody connected anew")
    return f"{proxy.made - made} new connections were made"


def lossy(faults: Faults, seconds: float) -> Act:
    """Pub/sub loses, doubles, swaps or delays for so long, and until it has at least once."""

    async def bad(house: House) -> str:
        proxy, before = house.redis_proxy, house.redis_proxy.touched
        proxy.faults = faults
        try:
            await asyncio.sleep(seconds)
            await until(lambda: proxy.touched > before, "no message was touched")
        finally:
            proxy.faults = Faults()
        return f"{proxy.touched - before} messages did not go through as they came"

    return bad


# -- clients -------------------------------------------------------------------------------------


async def clients_stalled(house: House) -> str:
    """They read nothing."""
    for proxy in house.proxies:
        proxy.is_stalled = True
    try:
        await asyncio.sleep(6)
        await until(lambda: _waiting(house) > 0, "nothing was sent to whoever reads nothing")
        return f"{_waiting(house)} bytes lay unread"
    finally:
        for proxy in house.proxies:
            proxy.is_stalled = False


async def clients_slow(house: House) -> str:
    """1 KB/s each."""
    for proxy in house.proxies:
        proxy.bytes_per_second = 1024
    try:
        await asyncio.sleep(6)
        await until(lambda: _waiting(house) > 0, "nothing had to wait at 1 KB/s")
        return f"{_waiting(house)} bytes waited at 1 KB/s"
    finally:
        for proxy in house.proxies:
            proxy.bytes_per_second = None


async def clients_far(house: House) -> str:
    """300 ms there and back."""
    for proxy in house.proxies:
        proxy.late_seconds = 0.15
    try:
        await asyncio.sleep(5)
        await until(lambda: _late(house.proxies) > 0, "nothing came")
        return f"{_late(house.proxies)} chunks came 150 ms late"
    finally:
        for proxy in house.proxies:
            proxy.late_seconds = 0.0


async def clients_cut(house: House) -> str:
    """In the middle of a frame."""
    cut = [event for proxy in house.proxies for event in proxy.cut_next_frame()]
    await asyncio.sleep(1)
    await until(lambda: any(event.is_set() for event in cut), "no frame was under way")
    return f"{sum(event.is_set() for event in cut)} frames ended in their middle"


async def everybody_dropped(house: House) -> str:
    """All clients at once, and all come back."""
    before = house.journals()
    for crowd in house.crowds:
        crowd.signal(signal.SIGUSR2)
    return await written(house, before, lambda line: line["event"] == "close", len(before), "ends")


async def said_again(house: House) -> str:
    """Clients repeat themselves all along, on other connections too; the servers say that they did."""
    before = house.journals()
    return await written(house, before, lambda line: bool(line.get("dup")), 1, "repeated acks")


async def revoked(house: House) -> str:
    """Two doctors of the first crowd may not come in any more."""
    left = sorted(set(range(house.main)) - house.revoked)
    chosen, before = house.chance.sample(left, 2), house.journals()
    async with open_office(house.settings) as office:
        for number in chosen:
            visit = await office.doctors.by_token(house.tokens[number])
            assert visit
            await office.doctors.set_verified(visit.doctor.id, False)
            house.facts.note("revoked", client=f"main-{number:03}")
            house.revoked.add(number)
    lines = {path: at for path, at in before.items() if _is_of(path, chosen)}
    return await written(house, lines, _is_shut_out, len(chosen), "connections closed to them")


# -- SQL -----------------------------------------------------------------------------------------


def locked(seconds: float) -> Act:
    """By an outsider's `BEGIN IMMEDIATE`."""

    async def held(house: House) -> str:
        await asyncio.to_thread(_hold, Path(house.environ["LOUNGE_DATA"]) / "lounge.db", seconds)
        return f"somebody else held the lock for {seconds:g} s"

    def _hold(path: Path, seconds: float) -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            sleep(seconds)
            store.execute("ROLLBACK")

    return held


def bad_disk(fault: str) -> Act:
    """`full`: no space. `broken`: what was written cannot be synced. Until it was met, and a bit longer."""

    async def bad(house: House) -> str:
        switch, refused = house.faulty_disk / fault, house.faulty_disk / "refused"
        before = _size(refused)
        switch.touch()
        try:
            await until(lambda: _size(refused) > before, "nothing was refused")
            await asyncio.sleep(2)
        finally:
            switch.unlink()
        return f"{_size(refused) - before} calls were refused"

    return bad


def postgres_restarted(how: signal.Signals) -> Act:
    async def restarted(house: House) -> str:
        cluster = _cluster(house)
        old = cluster.postmaster().pid
        await cluster.stop(how)
        await cluster.start()
        return f"PostgreSQL {old} was ended by {how.name}, {cluster.postmaster().pid} follows"

    return restarted


async def backend_killed_in_commit(house: House) -> str:
    """kill -9 of a backend that is in COMMIT, which is made slow for that; all the others fall with it."""
    cluster = _cluster(house)
    await _commits_take(cluster, 100_000)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await cluster.execute(_IN_COMMIT)):
                pass
        os.kill(found[0][0], signal.SIGKILL)
    finally:
        await cluster.answers()
        await _commits_take(cluster, 0)
    return f"backend {found[0][0]} was killed in {found[0][1]!r}"


async def backends_terminated(house: House) -> str:
    """`pg_terminate_backend` of all of them, in the middle of whatever they do."""
    ended = await _cluster(house).execute(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    if not ended:
        raise NotFired("there was no backend")
    return f"{len(ended)} backends were terminated"


def postgres_stopped(seconds: float) -> Act:
    async def stopped(house: House) -> str:
        family = _cluster(house).family()
        async with suspended(family, seconds):
            pass
        return f"{len(family)} processes of PostgreSQL stood still for {seconds:g} s"

    return stopped


async def restored(house: House) -> str:
    """The lounge store is a copy that was made a few seconds before."""
    before, copied = house.journals(), time()
    if house.cluster:
        await house.cluster.copy("lounge", house.folder / "copy")
    else:
        await asyncio.to_thread(_copy, house)
    await asyncio.sleep(4)
    await asyncio.gather(*(server.kill() for server in house.servers))
    if house.cluster:
        await house.cluster.restore("lounge", house.folder / "copy")
    else:
        await asyncio.to_thread(_swap, house)
    await asyncio.sleep(0.5)  # what clients still had to read of the old one
    house.facts.note("restored", copied=copied)
    await asyncio.gather(*(server.start() for server in house.servers))
    return await written(house, before, lambda line: line["event"] == "reset", 1, "resets")


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


def _calls(stats: dict[str, Any]) -> int:
    calls: int = stats.get("cmdstat_flushall", {}).get("calls", 0)
    return calls


async def _a_channel(redis: Redis) -> str:
    """Which the servers listen to."""
    async with redis.pubsub() as heard, asyncio.timeout(PATIENCE_SECONDS):
        await heard.psubscribe("lounge:*")
        async for message in heard.listen():
            if message["type"] == "pmessage" and b":room:" in message["channel"]:
                channel: str = message["channel"].decode()
                return channel
    raise NotFired("nobody published anything")


def _waiting(house: House) -> int:
    return sum(proxy.waiting for proxy in house.proxies)


def _late(proxies: list[Proxy]) -> int:
    return sum(proxy.late for proxy in proxies)


def _is_of(path: Path, numbers: list[int]) -> bool:
    return path.parent.name == "main" and path.stem in {f"client-{n:03}" for n in numbers}


def _is_shut_out(line: dict[str, Any]) -> bool:
    """At once, or when it came back: 403 is what a client writes that may not join."""
    return line["event"] == "close" and line["code"] in (4503, 401, 403)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cluster(house: House) -> Cluster:
    assert house.cluster
    return house.cluster


async def _commits_take(cluster: Cluster, microseconds: int) -> None:
    await cluster.execute(f"ALTER SYSTEM SET commit_delay = {microseconds}")
    await cluster.execute(f"ALTER SYSTEM SET commit_siblings = {0 if microseconds else 5}")
    await cluster.execute("SELECT pg_reload_conf()")


_IN_COMMIT = (
    "SELECT pid, query FROM pg_stat_activity "
    "WHERE state = 'active' AND query LIKE 'COMMIT%' AND datname = 'lounge'"
)


def _copy(house: House) -> None:
    """As it is at one moment, beside the server."""
    source = f"file:{house.folder}/data/lounge.db?mode=ro"
    (house.folder / "copy").unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source, uri=True, timeout=30)) as store,
        contextlib.closing(sqlite3.connect(house.folder / "copy")) as copy,
    ):
        store.backup(copy)


def _swap(house: House) -> None:
    database = house.folder / "data/lounge.db"
    for part in ("-wal", "-shm"):
        database.with_name(database.name + part).unlink(missing_ok=True)
    shutil.copyfile(house.folder / "copy", database)
