"""Two server processes, one PostgreSQL, one Redis, one room: one order for everybody."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from pathlib import Path

from websockets.asyncio.client import ClientConnection

from tests.journeys.place import free_port, joined, lounge, serve, tokens
from tests.postgres import drop_database, fresh_database
from tests.processes import Run

ROOM = "specialty/cardiology"
CLIENTS_EACH = 50
SAYS_EACH = 20
ALL = 2 * CLIENTS_EACH * SAYS_EACH
PATIENCE_SECONDS = 150


async def test_a_hundred_clients_of_two_servers_see_two_thousand_messages_in_one_order(
    run: Run, redis_url: str, postgres_url: str, tmp_path: Path
) -> None:
    databases = fresh_database(postgres_url), fresh_database(postgres_url)
    environ = {
        "LOUNGE_DATA": str(tmp_path),
        "LOUNGE_DATABASE_URL": databases[0],
        "LOUNGE_IDENTITY_URL": databases[1],
        "REDIS_URL": redis_url,
        "LOUNGE_BENCH": "1",
    }
    await lounge(run, "upgrade", **environ)
    passes = await tokens(run, 2 * CLIENTS_EACH, tmp_path, **environ)
    ports = [free_port(), free_port()]
    servers = [await serve(run, port, **environ) for port in ports]

    logs = await asyncio.wait_for(_everybody_talks(ports, passes), PATIENCE_SECONDS)

    assert [seq for seq, _ in logs[0]] == list(range(1, ALL + 1))
    assert all(log == logs[0] for log in logs)
    for server in servers:
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.exit_code)
    for database in databases:
        drop_database(database)


async def _everybody_talks(ports: list[int], passes: list[str]) -> list[list[tuple[int, str]]]:
    here = asyncio.Barrier(len(passes))
    return await asyncio.gather(
        *(_talk(ports[n % 2], token, n, here) for n, token in enumerate(passes))
    )


async def _talk(port: int, token: str, n: int, here: asyncio.Barrier) -> list[tuple[int, str]]:
    """Say twenty things, each after the last was acked; hear everything that anybody says."""
    async with joined(port, token, ROOM) as (line, _):
        await here.wait()
        heard: list[tuple[int, str]] = []
        said = 0
        await _say(line, n, said)
        while len(heard) < ALL or said < SAYS_EACH:
            frame = json.loads(await line.recv())
            assert frame["op"] != "error", frame
            if frame["op"] == "event":
                heard.append((frame["seq"], frame["id"]))
            elif frame["op"] == "ok":
                said += 1
                if said < SAYS_EACH:
                    await _say(line, n, said)
        await here.wait()
        return heard


async def _say(line: ClientConnection, n: int, k: int) -> None:
    command = {"op": "say", "ref": k, "room": ROOM, "cid": secrets.token_hex(12)}
    await line.send(json.dumps({**command, "text": f"{n}: {k}"}))
