"""A worker: uvicorn on the socket of its supervisor, by `python -m web.worker FD APPLICATION`."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

import uvicorn

from lounge.settings import Settings, from_environment
from web import logs
from web.doorstep import Doorstep
from web.ending import ABANDONED_SECONDS, ANSWER_SECONDS, DRAIN_SECONDS, PUT_AWAY_SECONDS
from web.porch import Porch

MAX_FRAME_BYTES = 65_536
_BEAT_SECONDS = 1.0


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
        with contextlib.suppress(ConnectionResetError):  # it died with beats unread
            self._lifeline.recv(1)
        self._abandoned = self.should_exit = True
        self.config.timeout_graceful_shutdown = 1
        time.sleep(ABANDONED_SECONDS)
        os._exit(1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._lifeline.send(b"+")
        self._beat()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        drain = getattr(self.config.app, "drain", None)
        if drain is not None and not self._abandoned:
            await _within(DRAIN_SECONDS, drain(), "Draining")
        closing = super().shutdown(sockets)  # its own limit for answers is in the configuration
        await _within(ANSWER_SECONDS + PUT_AWAY_SECONDS, closing, "Closing")

    def _beat(self) -> None:
        """Tells the supervisor that the event loop turns, for as long as it does."""
        with contextlib.suppress(OSError):  # a supervisor that is paused or gone is not waited for
            self._lifeline.send(b".", socket.MSG_DONTWAIT)
        asyncio.get_running_loop().call_later(_BEAT_SECONDS, self._beat)


async def _within(seconds: float, work: Awaitable[None], what: str) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        print(f"{what} takes too long: what is left is cut off.", file=sys.stderr, flush=True)


def config_for(app: Any, settings: Settings) -> uvicorn.Config:
    """How the lounge is served, by a worker or in a test."""
    porch = getattr(app, "porch", None) or Porch(settings)
    return uvicorn.Config(
        app,
        lifespan="on",
        http=partial(Doorstep, porch=porch),  # type: ignore[arg-type]
        ws="web.doorstep:Caller",
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,  # the same bytes serve every socket only uncompressed
        timeout_graceful_shutdown=ANSWER_SECONDS,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        access_log=False,
        log_config=None,
        log_level="warning",  # at info uvicorn would log every address
        server_header=False,
    )


if __name__ == "__main__":
    main()
