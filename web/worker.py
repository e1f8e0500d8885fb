"""A worker: uvicorn on the socket of its supervisor, by `python -m web.worker FD APPLICATION`."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import threading
import time
from typing import Any

import uvicorn

from lounge.settings import Settings, from_environment
from web import logs

MAX_FRAME_BYTES = 65_536
_DRAIN_SECONDS = 9
_GRACE_SECONDS = 5
_ABANDONED_SECONDS = 3


def main() -> None:
    """Serves until SIGTERM, or until the supervisor is gone."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    lifeline = socket.socket(fileno=os.dup(0))
    module, function = sys.argv[2].split(":")
    logs.configure()
    settings = from_environment()
    app = getattr(importlib.import_module(module), function)(settings)
    server = Server(config_for(app, settings), lifeline)
    threading.Thread(target=server.end_with_supervisor, daemon=True).start()
    server.run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn that lets the application drain first, and closes when the supervisor is gone."""

    def __init__(self, config: uvicorn.Config, lifeline: socket.socket) -> None:
        super().__init__(config)
        self._lifeline = lifeline
        self._abandoned = False

    def end_with_supervisor(self) -> None:
        """Waits in a thread of its own: not even a stuck event loop outlives the supervisor."""
        self._lifeline.recv(1)
        self._abandoned = self.should_exit = True
        self.config.timeout_graceful_shutdown = 1
        time.sleep(_ABANDONED_SECONDS)
        os._exit(1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._lifeline.send(b"+")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if not self._abandoned:
            await self._drained()
        await super().shutdown(sockets)

    async def _drained(self) -> None:
        drain = getattr(self.config.app, "drain", None)
        if drain is not None:
            try:
                await asyncio.wait_for(drain(), _DRAIN_SECONDS)
            except TimeoutError:
                print("Draining took too long; closing what is left.", file=sys.stderr)


def config_for(app: Any, settings: Settings) -> uvicorn.Config:
    """How the lounge is served, by a worker or in a test."""
    return uvicorn.Config(
        app,
        lifespan="on",
        http="httptools",
        ws="web.protocol:Socket",
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,  # the same bytes serve every socket only uncompressed
        timeout_graceful_shutdown=_GRACE_SECONDS,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        access_log=False,
        log_config=None,
        log_level="warning",  # at info uvicorn would log every address
        server_header=False,
    )


if __name__ == "__main__":
    main()
