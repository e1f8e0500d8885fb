"""One connection: what the server has written for it, and what of that the client has not yet got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from channels.cursor import Cursor
from channels.hub import LiveRoom
from storage.acts import Outcome
from tests.simulation.store import Row
from tests.simulation.verdict import Violation

if TYPE_CHECKING:
    from tests.simulation.client import Client, Wish
    from tests.simulation.process import Process

HIGH_WATER = 10


@dataclass(frozen=True, slots=True)
class Joined:
    """The answer to a join: the view goes on after `since`, or begins anew at `start`."""

    start: int
    since: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to an act of which nothing was done, for good or just now."""

    wish: Wish
    is_final: bool


class Place(Cursor):
    """A cursor that has the same number in every telling, so that sets of them have the same order."""

    __slots__ = ("number",)

    number: int

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class Session:
    """A subscriber that holds every frame against the truth in the step in which it is written."""

    __slots__ = (
        "acked_index",
        "acked_seq",
        "buffer",
        "client",
        "cursor",
        "dialect",
        "era",
        "is_cut",
        "is_live",
        "is_stalled",
        "last",
        "live",
        "number",
        "process",
        "room",
        "sent",
        "seq",
    )

    def __init__(self, client: Client, process: Process, number: int) -> None:
        self.client = client
        self.process = process
        self.number = number
        self.room = client.room
        self.dialect = "json" if number % 2 else "msgpack"
        self.buffer: list[Row | Joined | Refused | tuple[Wish, Outcome]] = []
        self.is_cut = self.is_stalled = self.is_live = False
        self.cursor: Cursor
        self.live: LiveRoom | None = None
        self.seq = 0
        self.last: str | None = None
        self.sent = self.acked_index = self.acked_seq = self.era = 0

    def __str__(self) -> str:
        return f"{self.client.name}'s connection {self.number} to {self.process.name}"

    def place(self, room: LiveRoom, start: int, last: str | None) -> None:
        """Where the room goes on for it."""
        cursor = Place(self, start - 1, self.arrived)
        cursor.number = self.number
        self.cursor = cursor
        self.live, self.seq, self.last = room, start - 1, last

    def leave(self) -> None:
        if self.live is not None:
            self.process.hub.leave(self.live.name, self.cursor)

    def flow(self) -> None:
        """It may be ready again."""
        if self.live is not None and not self.is_cut and self.is_ready():
            self.process.hub.resume(self.live.name, self.cursor)

    def arrived(self, head: int) -> None:
        assert self.live is not None
        if (
            self.is_live
            or self.seq != head
            or head not in (self.live.ring.head, self.live.oldest - 1)
        ):
            raise Violation(f"{self}: live at {head}, having been sent {self.seq}")
        self.is_live = True

    # -- as a subscriber (channels.cursor) -------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.is_cut or self.cursor.left:
            raise Violation(f"{self}: written to after it left")
        process, live = self.process, self.live
        assert live is not None
        world = process.world
        if self.client.late is not None and world.now >= self.client.late:
            raise Violation(f"nothing after the lease: {self} of a doctor revoked long ago")
        frames, ids = world.store.frames, world.store.ids
        erased, redacted = world.store.erased, world.store.redacted
        head = live.ring.head if process.answering is None else process.answering
        for number in memoryview(data).cast("I"):
            row = frames[number]
            if row.seq != self.seq + 1:
                raise Violation(f"C5: {self} is sent {row.seq} after {self.seq}")
            if row.id not in ids and row.id not in erased:
                raise Violation(f"C4: {self} is sent {row.seq}, which is not committed")
            if row.prev != self.last and self.last is not None:
                raise Violation(f"{self} is sent a {row.seq} of another history")
            if (
                row.subject in redacted
                and row.text < redacted[row.subject] <= head
                and not world.unaware
            ):
                raise Violation(f"{self} is sent the text of {row.seq}, removed long before")
            self.seq, self.last = row.seq, row.id
            self.buffer.append(row)

    def is_ready(self) -> bool:
        return not self.is_stalled and len(self.buffer) < HIGH_WATER

    def lost(self) -> None:
        self.process.world.tally["lost"] += 1
        self.process.end(self)
