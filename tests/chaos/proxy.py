"""A bad line between clients and a server: it stalls, trickles, is long, or is cut within a frame."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from types import TracebackType

CHUNK_BYTES = 16 * 1024
UNDER_WAY = 64
"""Chunks; a long line holds no more than a sender's window."""
_Due = tuple[float, bytes]


class Proxy:
    """Listens on a free port of 127.0.0.1 for as long as it is entered. The three faults hold while set."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lines: dict[asyncio.Task[None], _Line] = {}
        self.port = 0
        self.is_stalled = False
        """Nothing that the server sends is taken from it."""
        self.bytes_per_second: float | None = None
        """Of each connection, to the client."""
        self.late_seconds = 0.0
        """In each direction."""
        self.late = 0
        """Chunks that were."""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._lines):
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Bytes that the server has sent and nobody has taken."""
        return sum(line.waiting() for line in self._lines.values())

    def cut_next_frame(self) -> list[asyncio.Event]:
        """On each connection the next bytes from the server come by half, then it is gone: an event each."""
        lines = list(self._lines.values())
        for line in lines:
            line.cuts = True
        return [line.was_cut for line in lines]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, task = _Line(self, reader, writer), asyncio.current_task()
        assert task
        self._lines[task] = line
        try:
            with suppress(OSError, asyncio.CancelledError):
                await line.carry(self._upstream)
        finally:
            del self._lines[task]
            writer.transport.abort()


class _Line:
    """One client's connection, and the one that goes on from it."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._server = socket.socket()
        self.cuts = False
        self.was_cut = asyncio.Event()

    def waiting(self) -> int:
        with suppress(OSError):
            count = fcntl.ioctl(self._server, termios.FIONREAD, b"\0" * 4)
            return int(struct.unpack("i", count)[0])
        return 0

    async def carry(self, upstream: int) -> None:
        """Until either side ends."""
        loop = asyncio.get_running_loop()
        self._server.setblocking(False)
        with self._server:
            await loop.sock_connect(self._server, ("127.0.0.1", upstream))
            up: asyncio.Queue[_Due] = asyncio.Queue(UNDER_WAY)
            down: asyncio.Queue[_Due] = asyncio.Queue(UNDER_WAY)
            ways = (self._hear(up), self._ask(up), self._take(down), self._pass_on(down))
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, up: asyncio.Queue[_Due]) -> None:
        while chunk := await self._reader.read(CHUNK_BYTES):
            await up.put((self._due(), chunk))

    async def _ask(self, up: asyncio.Queue[_Due]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(self._server, await _when_due(up))

    async def _take(self, down: asyncio.Queue[_Due]) -> None:
        """From the server, no more and no sooner than the line carries."""
        loop, proxy = asyncio.get_running_loop(), self._proxy
        while True:
            while proxy.is_stalled:
                await asyncio.sleep(0.05)
            speed = proxy.bytes_per_second
            chunk = await loop.sock_recv(self._server, 128 if speed else CHUNK_BYTES)
            if not chunk:
                return
            await down.put((self._due(), chunk))
            await asyncio.sleep(len(chunk) / speed if speed else 0)

    async def _pass_on(self, down: asyncio.Queue[_Due]) -> None:
        while True:
            chunk = await _when_due(down)
            if self.cuts and len(chunk) > 1:
                self._writer.write(chunk[: len(chunk) // 2])
                await self._writer.drain()
                self.was_cut.set()
                return
            self._writer.write(chunk)
            await self._writer.drain()

    def _due(self) -> float:
        self._proxy.late += self._proxy.late_seconds > 0
        return asyncio.get_running_loop().time() + self._proxy.late_seconds


async def _when_due(chunks: asyncio.Queue[_Due]) -> bytes:
    due, chunk = await chunks.get()
    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
    return chunk
