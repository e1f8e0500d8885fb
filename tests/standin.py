"""The smallest application a worker can serve, for tests of the processes around it."""

from __future__ import annotations

import os
import sys
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lounge.settings import Settings, from_environment
from web import post
from web.server import serve


class StandIn(Starlette):
    """Answers `/`, sticks at `/stuck`, and says when it drains."""

    async def drain(self) -> None:
        print("drained", flush=True)


def build(settings: Settings) -> StandIn:
    """What `web.app:build` is to the real server."""

    async def here(_: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    async def stuck(_: Request) -> PlainTextResponse:
        time.sleep(600)  # noqa: ASYNC251 - the whole event loop, which is the point
        return PlainTextResponse("late")

    if (settings.data / "broken").exists():
        raise ValueError("broken by now")
    if (settings.data / "hung").exists():
        time.sleep(600)
    return StandIn(routes=[Route("/", here), Route("/stuck", stuck)])


def broken(settings: Settings) -> StandIn:
    """An application that cannot start."""
    raise ValueError("no such thing")


if __name__ == "__main__":
    port, workers, application = sys.argv[1:]
    post.READY_SECONDS = float(os.environ.get("READY_SECONDS", post.READY_SECONDS))
    post.SILENT_LOOKS = int(os.environ.get("SILENT_LOOKS", post.SILENT_LOOKS))
    sys.exit(
        serve(
            from_environment(),
            port=int(port),
            workers=int(workers),
            application=f"tests.standin:{application}",
        )
    )
