"""The smallest application a worker can serve, for tests of the processes around it."""

from __future__ import annotations

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lounge.settings import Settings, from_environment
from web.server import serve


class StandIn(Starlette):
    """Answers `/` and says when it drains."""

    async def drain(self) -> None:
        print("drained", flush=True)


def build(settings: Settings) -> StandIn:
    """What `web.app:build` is to the real server."""

    async def here(_: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    return StandIn(routes=[Route("/", here)])


def broken(settings: Settings) -> StandIn:
    """An application that cannot start."""
    raise ValueError("no such thing")


if __name__ == "__main__":
    port, workers, application = sys.argv[1:]
    sys.exit(
        serve(
            from_environment(),
            port=int(port),
            workers=int(workers),
            application=f"tests.standin:{application}",
        )
    )
