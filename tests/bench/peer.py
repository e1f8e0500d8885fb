"""A yardstick: the chat server that one writes first, a loop over a room's sockets.

Understands as much of the wire as the load generator needs. Checks, numbers and stores nothing.
"""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

_rooms: defaultdict[str, set[WebSocket]] = defaultdict(set)


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await _obey(websocket, json.loads(await websocket.receive_text()))
    except WebSocketDisconnect:
        for room in _rooms.values():
            room.discard(websocket)


async def _obey(websocket: WebSocket, command: dict[str, str]) -> None:
    room = _rooms[command["room"]]
    if command["op"] == "join":
        room.add(websocket)
        await websocket.send_text('{"op":"live"}')
        return
    event = json.dumps(
        {"op": "event", "kind": "say", "text": command["text"]}, separators=(",", ":")
    )
    for each in list(room):
        await each.send_text(event)
    await websocket.send_text('{"op":"ok"}')


def main() -> None:
    """Serves on a free port and says which."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:

        @asynccontextmanager
        async def opened(_: Starlette) -> AsyncIterator[None]:
            print("open at", listener.getsockname()[1], flush=True)
            yield

        app = Starlette(routes=[WebSocketRoute("/ws", talk)], lifespan=opened)
        config = uvicorn.Config(
            app, log_level="error", ws="websockets-sansio", ws_per_message_deflate=False
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
