"""A log in memory whose reads a test can hold up or break, and readers that hear it through a hub.

Nothing here waits: what is due is run by `Turns`, in order, when the test says so.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from channels.cursor import Cursor, Gone
from channels.hub import Hub, LiveRoom
from channels.log import Answer, Done, Page, Request
from channels.ring import Item

ROOM = "world"
MOST_STEPS = 100_000

Call = Callable[[], None]


class Turns:
    """What is due, in order, and the time."""

    def __init__(self) -> None:
        self.due: deque[Call] = deque()
        self.now = 0.0

    def soon(self, step: Call) -> None:
        self.due.append(step)

    def clock(self) -> float:
        return self.now

    def one(self) -> None:
        if self.due:
            self.due.popleft()()

    def quiet(self) -> None:
        """Run what is due, and what falls due by it, until nothing is."""
        for _ in range(MOST_STEPS):
            if not self.due:
                return
            self.one()
        raise AssertionError("it never comes to rest")


class Frame(NamedTuple):
    """What an entry's bytes say: what was known to be about it (for a correction: its text) at `as_of`."""

    seq: int
    as_of: int
    about: int | None
    rewrites: bool
    known: tuple[int, ...]
    text: int
    id: str


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the truth."""

    seq: int
    id: str
    about: int | None
    rewrites: bool


class Scroll:
    """The truth. A read looks at it in one turn and answers in another; `fault` answers the next read.

    With `holds`, reads wait in `held` before they look ("before"), once they have looked ("after"), or
    at both points ("both"), until they are let go.
    """

    def __init__(self, turns: Turns) -> None:
        self.lines: list[Line] = []
        self.oldest = 1
        self.reads: list[tuple[str, int]] = []
        self.holds: str | None = None
        self.held: list[Call] = []
        self.fault: Exception | None = None
        self._turns = turns
        self._copies = 0

    @property
    def head(self) -> int:
        return len(self.lines)

    def add(self, about: int | None = None, *, rewrites: bool = False) -> Item:
        """One more entry, as its writer announces it."""
        seq = self.head + 1
        name = f"id{seq}" + "'" * self._copies
        line = Line(seq, name, about, rewrites and about is not None)
        self.lines.append(line)
        return self.item(line, line.seq)

    def restore(self, head: int) -> None:
        """An older copy takes its place; what is said from now on has other ids."""
        del self.lines[head:]
        self._copies += 1

    def item(self, line: Line, as_of: int) -> Item:
        """The entry as it stands when the log has come to `as_of`."""
        subject = line.about if line.rewrites else line.seq
        since = [each for each in self.lines[:as_of] if each.about == subject]
        text = max([each.seq for each in since if each.rewrites], default=0)
        known = () if line.rewrites else tuple(each.seq for each in since)
        frame = Frame(line.seq, as_of, line.about, line.rewrites, known, text, line.id)
        payload = repr(tuple(frame)).encode()
        return Item(line.seq, line.id, line.seq, payload, line.about, line.rewrites)

    def __call__(self, request: Request, done: Done) -> None:
        """Read, as the hub asks for it."""
        self.reads.append(("tail" if request.after is None else "after", request.after or 0))
        self._pass("before", lambda: self._look(request, done))

    def let_go(self, at: int | None = None) -> None:
        """Let one read go on, or all of them, and hold none any more."""
        if at is not None:
            self.held.pop(at)()
            return
        self.holds = None
        held, self.held = self.held, []
        for step in held:
            self._turns.soon(step)

    def _look(self, request: Request, done: Done) -> None:
        fault, self.fault = self.fault, None
        answer: Answer = self._page(request) if fault is None else fault
        self._pass("after", lambda: done(answer))

    def _page(self, request: Request) -> Page:
        after, limit = request.after, request.limit
        if after is None:
            found = self.lines[self.oldest - 1 :][-limit:]
        else:
            found = self.lines[max(after, self.oldest - 1) :][:limit]
        return Page(
            [self.item(line, self.head) for line in found], self.head, self.head, self.oldest
        )

    def _pass(self, point: str, step: Call) -> None:
        if self.holds in (point, "both"):
            self.held.append(step)
        else:
            self._turns.soon(step)


def framer(payload: bytes) -> bytes:
    return payload + b"\n"


@dataclass(eq=False)
class Listener:
    """A subscriber. `start` and `head` are those of its last join; `error` is why that came to nothing."""

    dialect: str = "plain"
    heard: list[Frame] = field(default_factory=list)
    writes: list[bytes] = field(default_factory=list)
    cursor: Cursor | None = None
    start: int = 0
    head: int = 0
    live_at: int | None = None
    error: Exception | None = None
    is_lost: bool = False
    _is_flowing: bool = True

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.heard.extend(Frame(*ast.literal_eval(line)) for line in data.decode().splitlines())

    def is_ready(self) -> bool:
        return self._is_flowing

    def lost(self) -> None:
        self.is_lost = True

    def stall(self) -> None:
        self._is_flowing = False

    def flow(self, hub: Hub) -> None:
        self._is_flowing = True
        if self.cursor is not None:
            hub.resume(ROOM, self.cursor)

    def join(self, hub: Hub, since: int) -> None:
        """As a connection does it: enter, be sent what was missed, go live in that very step."""
        hub.enter(ROOM, lambda answer: self._entered(hub, since, answer))

    def leave(self, hub: Hub) -> None:
        if self.cursor is not None:
            hub.leave(ROOM, self.cursor)

    @property
    def is_in(self) -> bool:
        return self.cursor is not None and not self.cursor.left

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.heard]

    def _entered(self, hub: Hub, since: int, room: LiveRoom | Exception) -> None:
        if isinstance(room, Exception):
            self.error = room
            return
        self.leave(hub)
        self.heard.clear()
        self.start, self.head = min(since, room.ring.head), room.ring.head
        self.live_at = self.error = None
        self.cursor = Cursor(self, self.start, self._arrived)
        try:
            hub.attach(room, self.cursor)
        except Gone as gone:
            self.error = gone

    def _arrived(self, head: int) -> None:
        assert self.live_at is None, "it arrived twice"
        assert self.start + len(self.heard) == head, "live, but not everything was sent"
        self.live_at = head


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
