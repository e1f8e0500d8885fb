"""The doorstep: what a connection may do before it is somebody, where uvicorn sets no bounds.

A request's head and body have their time, a head has its size; and there are only so many
connections, so many that owe a request, and so many handshakes that wait for an answer.
"""

from __future__ import annotations

import asyncio
import secrets
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lounge.errors import Code
from lounge.words import say
from web import protocol
from web.patience import Patience
from web.porch import Place, Porch

RETRY_WITHIN_SECONDS = 4


class Due(Enum):
    """What a connection owes."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class Doorstep(HttpToolsProtocol):
    """uvicorn's HTTP, whose patience has an end. Who upgrades goes on as a `Caller`."""

    def __init__(self, *, porch: Porch, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._porch = porch
        self._place: Place | None = None
        self._due = self._timed = Due.NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._patience: Patience
        self._head_bytes = 0
        self._head_too_long = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = Patience(self.loop, transport, self._not_read)
        address = self._porch.bounded(self.client[0] if self.client else None)
        if self._porch.connections.enter(address):
            self._place = Place(self._porch, address)
            self._due = Due.HEAD
            self._mind()
        elif self._porch.connections.is_full():
            self._turn_away("full", 503, Code.BUSY, "refusal.busy")
        else:
            self._turn_away("address", 429, Code.RATE_LIMITED, "refusal.rate_limited")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._patience.end()
        if self._place is not None:
            self._place.leave()
            self._place = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._due is Due.NOTHING:
            self._due, self._head_bytes = Due.HEAD, 0
        super().data_received(data)
        if self._due is Due.HEAD and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self._porch.bounds.head_bytes:
                self._refuse_head()
        self._mind()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._patience.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._patience.end()

    # -- what the parser tells -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._due, self._head_bytes = Due.HEAD, 0

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._porch.bounds.head_bytes:
            self._head_too_long = True
            raise ValueError("head too long")  # which stops the parser: nothing is served
        self._due = Due.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._due = Due.NOTHING

    def send_400_response(self, msg: str) -> None:
        if self._head_too_long:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        self._mind()
        place = self._place
        if place is None or not place.shake():
            self._turn_away("handshakes", 503, Code.BUSY, "refusal.busy")
            return
        caller: Any = self.config.ws_protocol_class
        self.ws_protocol_class = partial(caller, place=place)  # type: ignore[assignment]
        super().handle_websocket_upgrade()
        self._place = None  # the caller's from now on: this object hears no more of the transport

    # -- patience --------------------------------------------------------------------------------

    def _mind(self) -> None:
        """Set the clock by what is due now; a request that came in one piece never does."""
        if self._due is self._timed or self._place is None or self.transport.is_closing():
            return
        self._stop_timer()
        self._timed = self._due
        if self._due is Due.NOTHING:
            self._place.pay()
            return
        bounds = self._porch.bounds
        seconds = bounds.head_seconds if self._due is Due.HEAD else bounds.body_seconds
        if not self._place.owe():
            seconds = bounds.crowded_seconds  # enough for whoever means it
        self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        assert self._place is not None
        if self._place.owes:
            self._porch.turned_away["slow_head" if self._due is Due.HEAD else "slow_body"] += 1
            self.transport.abort()
        else:
            self._turn_away("half_open", 503, Code.BUSY, "refusal.busy")

    def _not_read(self) -> None:
        """The peer takes nothing of its answer, be it a file or a stream of frames."""
        self._porch.turned_away["not_read"] += 1
        self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_head(self) -> None:
        self._turn_away("long_head", 431, Code.TOO_LONG, "request.head_too_long")

    def _turn_away(self, reason: str, status: int, code: Code, key: str) -> None:
        self._porch.turned_away[reason] += 1
        if self.cycle is None or self.cycle.response_complete:  # else it would stand in an answer
            self.transport.write(refusal(status, code, key))
        self.transport.close()


class Caller(protocol.Socket):
    """A WebSocket that came over the doorstep: answered in time, and gone from the counts at its end."""

    def __init__(self, *, place: Place, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._place = place
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        seconds = self._place.porch.bounds.handshake_seconds
        self._deadline = self.loop.call_later(seconds, self._unanswered)

    def connection_lost(self, exc: Exception | None) -> None:
        self._answered()
        self._place.leave()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.handshake_complete:
            self._answered()

    def _answered(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._place.shaken()

    def _unanswered(self) -> None:
        """The stores do not answer, or the WebSocket library did not understand the handshake."""
        self._place.porch.turned_away["unanswered"] += 1
        self.transport.write(refusal(503, Code.BUSY, "refusal.busy"))
        self.transport.close()


def refusal(status: int, code: Code, key: str) -> bytes:
    """A whole answer, as `web/api.py` shapes errors. In English: no language has been asked for yet."""
    error: dict[str, object] = {"code": code, "message": say(key, "en")}
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "content-type: application/json"]
    if status in (429, 503):
        # at random, so that a storm does not come back as one
        wait = 1 + secrets.randbelow(RETRY_WITHIN_SECONDS)
        error["retry_after"] = wait
        head.append(f"retry-after: {wait}")
    body = msgspec.json.encode({"error": error})
    head += [f"content-length: {len(body)}", "cache-control: no-store", "connection: close"]
    return "\r\n".join([*head, "", ""]).encode() + body
