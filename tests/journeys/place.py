"""Where a journey happens: a real `lounge serve` on a free port, and plain clients that speak to it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.processes import Run, Running

LOST = (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, EOFError)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def lounge(run: Run, *arguments: str, **environ: str) -> list[str]:
    """Run a subcommand to its end; what it said."""
    command = run("-m", "web.cli", *arguments, **environ)
    code = await asyncio.to_thread(command.exit_code)
    assert code == 0, command.said
    return command.said


async def serve(run: Run, port: int, *arguments: str, **environ: str) -> Running:
    """A server that is open."""
    server = run("-m", "web.cli", "serve", "--port", str(port), *arguments, **environ)
    await asyncio.to_thread(server.heard, "The lounge is open")
    return server


async def tokens(run: Run, count: int, folder: Path, **environ: str) -> list[str]:
    """Bearer tokens of that many synthetic doctors."""
    path = folder / "tokens.txt"
    await lounge(run, "populate", "--doctors", str(count), "--tokens", str(path), **environ)
    return path.read_text().split()


@asynccontextmanager
async def joined(
    port: int, token: str, *rooms: str
) -> AsyncIterator[tuple[ClientConnection, list[dict[str, Any]]]]:
    """A connection in these rooms, and every frame that came before it was live in all."""
    frames: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(
        f"ws://127.0.0.1:{port}/ws", additional_headers=headers, compression=None, max_queue=None
    ) as line:
        for ref, room in enumerate(rooms):
            await line.send(json.dumps({"op": "join", "ref": f"join {ref}", "room": room}))
        live = 0
        while live < len(rooms):
            frames.append(json.loads(await line.recv()))
            live += frames[-1]["op"] == "live"
        yield line, frames
