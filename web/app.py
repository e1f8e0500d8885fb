"""The application: routes, lifespan and the order in which it goes away."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from lounge import demo
from lounge.clock import now_ms
from lounge.credentials.verification import VerificationFileError
from lounge.errors import RESTART, Refusal, StorageError
from lounge.keys import KeyFault
from lounge.opening import Lounge, NotUpgraded, count_crowd, open_lounge
from lounge.rooms import RoomsFileError
from lounge.settings import Settings
from web import (
    accounts,
    api,
    applications,
    board,
    closing,
    connection,
    consults,
    factors,
    leaving,
    moderating,
    oidc,
    oncall,
    pages,
    paging,
    passkeys,
    personas,
    reach,
    registrar,
    reports,
    rules,
    sanctions,
    socket,
    streams,
    told,
)
from web.dialects import FRAMERS
from web.metrics import Metrics
from web.porch import BOUNDS, Bounds, Porch

RECONNECT_WITHIN_MS = 8_000
ANSWER_SECONDS = 1.0


class State(TypedDict):
    """What every request and every socket finds in its `state`."""

    lounge: Lounge
    metrics: Metrics
    porch: Porch


class Application(Starlette):
    """Starlette with a drain: uvicorn's own shutdown comes after it."""

    opened: Lounge | None = None
    porch: Porch

    def build_middleware_stack(self) -> ASGIApp:
        """The headers outside of everything: an answer to a fault has them too."""
        return pages.SecurityHeaders(super().build_middleware_stack())

    async def drain(self) -> None:
        """Answer what is queued if that is quick, tell every client when to come back, commit the rest."""
        if self.opened is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.opened.writer.drain(), ANSWER_SECONDS)
            self.opened.parting = (RESTART, RECONNECT_WITHIN_MS)
        await connection.farewell(RESTART, RECONNECT_WITHIN_MS)
        if self.opened is not None:
            await self.opened.writer.drain()


def build(
    settings: Settings,
    bounds: Bounds = BOUNDS,
    begin: Callable[[Lounge], Awaitable[None]] | None = None,
) -> Application:
    """The application for these settings; nothing is opened before its lifespan starts.

    `begin` is awaited once the lounge is open, before anybody is answered.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        assert isinstance(app, Application)
        async with _said_why(), open_lounge(settings, FRAMERS, _leave) as lounge:
            if settings.demo:
                await demo.fill(lounge.identity_database, now=now_ms())
                await demo.reach(lounge.identity_database, lounge.oncall.reach)
                await lounge.oncall.handover.begin()
                lounge.personas.crowd = await count_crowd(lounge.doctors, lounge.rooms, settings)
            if begin is not None:
                await begin(lounge)
            metrics = Metrics()
            metrics.observe(lounge, app.porch)
            app.opened = lounge
            yield {"lounge": lounge, "metrics": metrics, "porch": app.porch}

    app = Application(
        routes=[
            WebSocketRoute("/ws", socket.endpoint),
            *accounts.routes,
            *applications.routes,
            *registrar.routes,
            *passkeys.routes,
            *factors.routes,
            *leaving.routes,
            *oidc.routes,
            *sanctions.routes,
            *rules.routes,
            *reports.routes,
            *moderating.routes,
            *personas.routes,
            *consults.routes,
            *board.routes,
            *closing.routes,
            *told.routes,
            *oncall.routes,
            *reach.routes,
            *paging.routes,
            *api.routes,
            *streams.routes,
            *pages.routes,
        ],
        lifespan=lifespan,
        exception_handlers={
            Refusal: api.refused,
            StorageError: api.unstored,
            HTTPException: api.not_there,
            ClientDisconnect: api.gone,
            WebSocketDisconnect: api.gone,
            Exception: api.failed,
        },
    )
    app.porch = Porch(settings, bounds)
    return app


def _leave() -> None:
    """At once, without a drain, which would only write again; the supervisor starts a new worker."""
    os._exit(os.EX_IOERR)


@asynccontextmanager
async def _said_why() -> AsyncIterator[None]:
    """A reason that the operator can act on is printed as it stands; logs keep only its kind."""
    try:
        yield
    except (NotUpgraded, KeyFault, RoomsFileError, VerificationFileError) as reason:
        print(reason, file=sys.stderr, flush=True)
        raise
