"""A bad line to a Redis: it goes dead, is cut, is slow, and loses, doubles or swaps what was published.

Bytes go through as they are; only pub/sub messages on their way to a subscriber are ever touched. What
becomes of the n-th message of the m-th connection depends on the seed alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

CHUNK_BYTES = 64 * 1024
MESSAGES = {b"message", b"pmessage", b"smessage"}


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the messages, 0 to 1, and seconds by which everything is late, in each direction."""

    lost: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    late_seconds: float = 0.0


class RedisProxy:
    """Listens on a free port of 127.0.0.1 for as long as it is entered; `url` is what clients use.

    Set `faults` whenever you like; they hold from then on, for every connection.
    """

    def __init__(self, upstream: str, seed: int = 0) -> None:
        """`upstream` is a `redis://` or `unix://` URL, without a database number."""
        self._upstream = urlsplit(upstream)
        self._seed = seed
        self._lines: set[_Line] = set()
        self._is_dead = False
        self.faults = Faults()
        self.url = ""
        self.made = 0
        """Connections that were ever made to it."""
        self.touched = 0
        """Messages that did not go through as they came."""

    async def __aenter__(self) -> RedisProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._upstream.netloc.rpartition("@")
        self.url = f"redis://{user}{at}127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*(line.done.wait() for line in self._lines))

    def blackhole(self) -> None:
        """Nothing comes through any more and nobody is told. What is open now stays dead for ever."""
        self._is_dead = True
        for line in self._lines:
            line.died.set()

    def heal(self) -> None:
        """New connections work again."""
        self._is_dead = False

    def cut(self) -> None:
        """Close every connection at once."""
        for line in self._lines:
            line.cut()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the Redis behind. Raises OSError."""
        if self._upstream.scheme == "unix":
            return await asyncio.open_unix_connection(self._upstream.path)
        return await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 6379)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        line = _Line(self, random.Random(f"{self._seed}/{self.made}"))
        if self._is_dead:
            line.died.set()
        self._lines.add(line)
        await line.carry(reader, writer)
        self._lines.discard(line)


@dataclass(slots=True, eq=False)
class _Line:
    """One client's connection, and the one that goes on from it."""

    proxy: RedisProxy
    random: random.Random
    died: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    held: bytes = b""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(OSError):
            if not self.died.is_set():
                await self._join(reader, writer)
            while self.died.is_set() and await reader.read(CHUNK_BYTES):
                pass  # it looks alive until the client itself hangs up
        self.cut()
        self.done.set()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, commands = await self.proxy.connect()
        self.writers.append(commands)
        ways = [
            asyncio.create_task(self._forward(reader, commands, None)),
            asyncio.create_task(self._forward(answers, writer, Frames())),
            asyncio.create_task(self.died.wait()),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Frames | None
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.create_task(_send(under_way, writer))
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if frames is not None:
                    chunk = b"".join(self._altered(frame) for frame in frames.feed(chunk))
                due = asyncio.get_running_loop().time() + self.proxy.faults.late_seconds
                under_way.put_nowait((due, chunk))
            await under_way.join()
        finally:
            sending.cancel()

    def _altered(self, frame: bytes) -> bytes:
        """What goes out in the place of this frame."""
        if not is_message(frame):
            return frame
        faults = self.proxy.faults
        lost, doubled, swapped = (self.random.random() for _ in range(3))
        is_hit = lost < faults.lost or doubled < faults.doubled or swapped < faults.swapped
        self.proxy.touched += is_hit or faults.late_seconds > 0
        if lost < faults.lost:
            return b""
        if swapped < faults.swapped and not self.held:
            self.held = frame  # until the next one has gone before it
            return b""
        frames = frame * (2 if doubled < faults.doubled else 1) + self.held
        self.held = b""
        return frames


async def _send(
    under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
) -> None:
    while True:
        due, chunk = await under_way.get()
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        with suppress(OSError):
            writer.write(chunk)
            await writer.drain()
        under_way.task_done()


class Frames:
    """Cuts a stream of RESP2 or RESP3 into whole frames, byte for byte."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The frames that are whole now, in order; what is left waits for the next chunk."""
        self._buffer += chunk
        at = 0
        while (end := _end(self._buffer, at)) is not None:
            yield self._buffer[at:end]
            at = end
        self._buffer = self._buffer[at:]


def is_message(frame: bytes) -> bool:
    """Whether the frame brings a subscriber what somebody published."""
    parts = frame.split(b"\r\n", 3)
    return frame[:1] in (b">", b"*") and len(parts) > 3 and parts[2] in MESSAGES


def _end(data: bytes, at: int) -> int | None:
    """Where the frame that begins at `at` ends; None while it is not whole."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, end = data[at : at + 1], line + 2
    if kind in b"$!=":
        length = int(data[at + 1 : line])
        end += length + 2 if length >= 0 else 0
        return end if end <= len(data) else None
    for _ in range(_parts(kind, data[at + 1 : line])):
        part = _end(data, end)
        if part is None:
            return None
        end = part
    return end


def _parts(kind: bytes, count: bytes) -> int:
    """How many frames this one is made of; an attribute stands before the one that it is about."""
    if kind in b"*~>":
        return max(0, int(count))
    return {b"%": 2 * int(count), b"|": 2 * int(count) + 1}[kind] if kind in b"%|" else 0
