"""Three ways to a server: a WebSocket, an event stream beside POST, and polls beside POST.

All three carry the same frames. A client opens one with the joins that it wants, sends commands, and takes
frames until there are no more; then `code` says how it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

OPEN_SECONDS = 5.0
SILENCE_SECONDS = 45.0
"""A stream says something every 15 s, a poll is answered within 20."""

Frame = dict[str, Any]
Joins = Callable[[], list[Frame]]
"""The join commands for where the client stands now."""


class Gone(Exception):  # noqa: N818 - the end of a connection, which is no fault
    """There is nobody, or nobody any more."""


class Refused(Gone):
    """The door answered with a status; `retry_after` in seconds when it said so."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.retry_after = retry_after


class Transport(Protocol):
    """One connection. `is_ordered`: commands arrive in the order in which they were sent."""

    is_ordered: bool
    code: int

    async def open(self, port: int, token: str, joins: Joins) -> None:
        """Connect and ask for the rooms. Raises Gone and Refused."""

    async def send(self, command: Frame) -> None:
        """Its answer comes among the frames. Raises Gone."""

    def frames(self) -> AsyncIterator[Frame]:
        """Until the connection ends."""

    async def close(self) -> None:
        """Without a word."""


class WebSocket:
    """`GET /ws`, in JSON."""

    is_ordered = True

    def __init__(self) -> None:
        self.code = 1006
        self._socket: ClientConnection | None = None

    async def open(self, port: int, token: str, joins: Joins) -> None:
        try:
            self._socket = await connect(
                f"ws://127.0.0.1:{port}/ws",
                additional_headers=_bearer(token),
                compression=None,
                max_size=256 * 1024,
                open_timeout=OPEN_SECONDS,
                ping_interval=None,
                proxy=None,
            )
        except InvalidStatus as refusal:
            told = refusal.response.headers.get("Retry-After")
            raise Refused(refusal.response.status_code, _seconds(told)) from None
        except (OSError, InvalidHandshake, InvalidMessage, EOFError, TimeoutError) as reason:
            raise Gone(type(reason).__name__) from None
        for join in joins():
            await self.send(join)

    async def send(self, command: Frame) -> None:
        assert self._socket
        try:
            await self._socket.send(json.dumps(command))
        except ConnectionClosed as reason:
            raise Gone(str(reason)) from None

    async def frames(self) -> AsyncIterator[Frame]:
        assert self._socket
        with contextlib.suppress(ConnectionClosed):
            while True:
                yield json.loads(await self._socket.recv())
        self.code = self._socket.close_code or 1006

    async def close(self) -> None:
        if self._socket:
            self._socket.transport.abort()


class Stream:
    """`POST /api/stream` for what is heard, a `POST /api/commands` for each thing that is said."""

    is_ordered = False

    def __init__(self) -> None:
        self.code = 1006
        self._http: httpx2.AsyncClient | None = None
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int, token: str, joins: Joins) -> None:
        """Whether it is let in is seen by the first frame, or by its absence."""
        self._http = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers=_bearer(token),
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=OPEN_SECONDS),
            trust_env=False,
            verify=False,
        )
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spawn(self._listen(joins, opened))
        await opened

    async def send(self, command: Frame) -> None:
        self._spawn(self._command(command))

    async def frames(self) -> AsyncIterator[Frame]:
        while (frame := await self._frames.get()) is not None:
            if frame["op"] == "bye":
                self.code = frame.get("code", 4012)
            yield frame

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._http:
            await self._http.aclose()
        self._frames.put_nowait(None)  # whoever listens is told, whoever closes

    async def _listen(self, joins: Joins, opened: asyncio.Future[None]) -> None:
        try:
            await self._hear(joins, opened)
            if not opened.done():
                opened.set_exception(Gone("it ended before it began"))
        except Gone as reason:
            self._end(opened, reason)
        except (httpx2.HTTPError, OSError) as reason:
            self._end(opened, Gone(type(reason).__name__))
        finally:  # it may also have been closed while it was being opened
            self._end(opened, Gone("closed"))
            self._frames.put_nowait(None)

    async def _hear(self, joins: Joins, opened: asyncio.Future[None]) -> None:
        assert self._http
        body = {"joins": joins(), "poll": False, "welcome": True}
        async with self._http.stream("POST", "/api/stream", json=body) as answer:
            _let_in(answer)
            opened.set_result(None)
            async for line in answer.aiter_lines():
                self._take(line)

    def _take(self, line: str) -> None:
        if line.startswith("data:"):
            self._frames.put_nowait(json.loads(line.removeprefix("data:")))

    async def _command(self, command: Frame) -> None:
        """An answer that does not come ends the connection, as it would on a socket."""
        assert self._http
        try:
            answer = await self._http.post("/api/commands", json=command)
            told = answer.json()
        except (httpx2.HTTPError, OSError, ValueError):
            self._frames.put_nowait(None)
            return
        if answer.status_code != 200:  # refused at the door: as an error frame would say it
            error = told["error"]
            told = {"op": "error", "ref": command["ref"], **error}
        self._frames.put_nowait(told)

    def _end(self, opened: asyncio.Future[None], reason: Gone) -> None:
        if not opened.done():
            opened.set_exception(reason)
        elif isinstance(reason, Refused):
            self.code = reason.status

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Poll(Stream):
    """The same with finished answers only: it asks again and again, from where it stands."""

    async def _hear(self, joins: Joins, opened: asyncio.Future[None]) -> None:
        assert self._http
        while self.code == 1006:
            body = {"joins": joins(), "poll": True, "welcome": not opened.done()}
            answer = await self._http.post("/api/stream", json=body)
            _let_in(answer)
            if not opened.done():
                opened.set_result(None)
            for line in answer.text.splitlines():
                self._take(line)
            while not self._frames.empty():  # the next question depends on what this one told
                await asyncio.sleep(0)


TRANSPORTS: dict[str, Callable[[], Transport]] = {
    "websocket": WebSocket,
    "stream": Stream,
    "poll": Poll,
}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _let_in(answer: httpx2.Response) -> None:
    if answer.status_code != 200:
        raise Refused(answer.status_code, _seconds(answer.headers.get("Retry-After")))


def _seconds(told: str | None) -> float | None:
    return None if told is None else float(told)
