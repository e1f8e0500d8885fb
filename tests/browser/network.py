"""A hospital's network between browser and server: it reads along, and lets through what a test says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

_REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Network:
    """What is asked for is a `socket`, a `stream`, a `poll` or a `page` (anything else).

    `refuses` are answered 403; `holds_back` are answered with nothing until the answer is complete, as by
    a proxy that wants to see all of it first. While it `is_down`, whoever connects is hung up on.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.refuses: set[str] = set()
        self.holds_back: set[str] = set()
        self.is_down = False
        self.asked: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self._server_port = port
        self._lines: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def goes_down(self) -> None:
        """Cut every connection, and let none be made."""
        self.is_down = True
        await self.cuts()

    def comes_back(self) -> None:
        self.is_down = False

    async def cuts(self) -> None:
        """Cut every connection, in the middle of whatever it carries."""
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def takes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a browser; each gets a connection of its own."""
        line = asyncio.current_task()
        assert line
        self._lines.add(line)
        try:
            if not self.is_down:
                await self._pass(reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()
            self._lines.discard(line)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await _request(reader)
        kind = _kind(head, body)
        self.asked[kind] += 1
        if kind in self.refuses:
            writer.write(_REFUSAL)
            return
        server, onward = await asyncio.open_connection("127.0.0.1", self._server_port)
        self.open[kind] += 1
        try:
            onward.write(self._addressed(head, kind) + body)
            back = _whole(server, writer) if kind in self.holds_back else _pipe(server, writer)
            await _first(back, _pipe(reader, onward))
        finally:
            self.open[kind] -= 1
            onward.transport.abort()

    def _addressed(self, head: bytes, kind: str) -> bytes:
        """As if the browser had asked the server itself."""
        head = head.replace(
            f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self._server_port}".encode()
        )
        if kind != "socket":
            head = head.replace(b"Connection: keep-alive", b"Connection: close")
        return head


@asynccontextmanager
async def network_before(port: int) -> AsyncIterator[Network]:
    """Lies between whoever asks its `url` and the server at `port`."""
    network = Network(port)
    server = await asyncio.start_server(network.takes, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        await network.goes_down()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    return head, await reader.readexactly(int(fields.get(b"content-length", 0)))


def _kind(head: bytes, body: bytes) -> str:
    path = head.split(b" ", 2)[1]
    if path == b"/ws":
        return "socket"
    if path != b"/api/stream":
        return "page"
    return "poll" if json.loads(body).get("poll") else "stream"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    await writer.drain()


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Until one of the two has hung up."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(ConnectionError):
            await asyncio.gather(*tasks, return_exceptions=True)
