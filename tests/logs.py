"""A log in memory whose reads a test can hold up or break, and readers that hear it through a hub."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from channels.cursor import Cursor, Gone
from channels.hub import Hub, Page
from channels.ring import Item

ROOM = "world"


class Frame(NamedTuple):
    """What an entry's bytes say: what was known to be about it (for a correction: its text) at `as_of`."""

    seq: int
    as_of: int
    about: int | None
    rewrites: bool
    known: tuple[int, ...]
    text: int


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the truth."""

    seq: int
    about: int | None
    rewrites: bool


async def _at_once() -> None:
    return


class Scroll:
    """The truth. `pause` is awaited before and after each snapshot; `fault` is raised by the next read."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.oldest = 1
        self.reads: list[tuple[str, int]] = []
        self.pause: Callable[[], Awaitable[None]] = _at_once
        self.fault: Exception | None = None

    @property
    def head(self) -> int:
        return len(self.lines)

    def add(self, about: int | None = None, *, rewrites: bool = False) -> Item:
        """One more entry, as its writer announces it."""
        line = Line(self.head + 1, about, rewrites and about is not None)
        self.lines.append(line)
        return self.item(line, line.seq)

    def item(self, line: Line, as_of: int) -> Item:
        """The entry as it stands when the log has come to `as_of`."""
        subject = line.about if line.rewrites else line.seq
        since = [each for each in self.lines[:as_of] if each.about == subject]
        text = max([each.seq for each in since if each.rewrites], default=0)
        known = () if line.rewrites else tuple(each.seq for each in since)
        frame = Frame(line.seq, as_of, line.about, line.rewrites, known, text)
        payload = repr(tuple(frame)).encode()
        return Item(line.seq, f"id{line.seq}", line.seq, payload, line.about, line.rewrites)

    async def after(self, room: str, seq: int, limit: int) -> Page:
        return await self._read(
            "after", seq, lambda: self.lines[max(seq, self.oldest - 1) :][:limit]
        )

    async def tail(self, room: str, limit: int) -> Page:
        return await self._read("tail", 0, lambda: self.lines[self.oldest - 1 :][-limit:])

    async def _read(self, kind: str, seq: int, found: Callable[[], list[Line]]) -> Page:
        self.reads.append((kind, seq))
        await self.pause()
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        head = self.head
        page = Page([self.item(line, head) for line in found()], head, head, self.oldest)
        await self.pause()
        return page


def framer(payload: bytes) -> bytes:
    return payload + b"\n"


@dataclass(eq=False)
class Reader:
    """A subscriber. `start` and `head` are those of its last join."""

    dialect: str = "plain"
    heard: list[Frame] = field(default_factory=list)
    writes: list[bytes] = field(default_factory=list)
    cursor: Cursor | None = None
    start: int = 0
    head: int = 0
    is_live: bool = False
    is_lost: bool = False
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._flowing.set()

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.heard.extend(Frame(*ast.literal_eval(line)) for line in data.decode().splitlines())

    def is_ready(self) -> bool:
        return self._flowing.is_set()

    async def ready(self) -> None:
        await self._flowing.wait()
        if self.is_lost:
            raise Gone

    def lost(self) -> None:
        self.is_lost = True

    def stall(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def join(self, hub: Hub, since: int) -> None:
        """As a connection does it: enter, be sent what was missed, go live in that very step."""
        room = await hub.enter(ROOM)
        since = min(since, room.ring.head)
        self.leave(hub)
        self.heard.clear()
        self.start, self.head, self.is_live = since, room.ring.head, False
        cursor = self.cursor = Cursor(self, since)
        await hub.catch_up(room, cursor)
        hub.listen(room, cursor)
        self.is_live = True

    def leave(self, hub: Hub) -> None:
        if self.cursor is not None:
            hub.leave(ROOM, self.cursor)

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.heard]


def folded(heard: list[Frame]) -> dict[int, tuple[set[int], int]]:
    """What a client shows: an event applies to an entry only if it came after the entry's `as_of`."""
    shown: dict[int, tuple[set[int], int]] = {}
    as_of: dict[int, int] = {}
    for frame in heard:
        shown[frame.seq], as_of[frame.seq] = (set(frame.known), frame.text), frame.as_of
        if frame.about in shown and frame.seq > as_of[frame.about]:
            known, text = shown[frame.about]
            shown[frame.about] = (known | {frame.seq}, frame.text if frame.rewrites else text)
    return shown


async def quiet(times: int = 50) -> None:
    """Let everything that is ready run."""
    for _ in range(times):
        await asyncio.sleep(0)
