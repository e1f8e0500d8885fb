"""A doctor's client: what it wants said, what it was told, and its view of the room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.acts import Act, Draft, Outcome
from tests.simulation.session import Joined, Refused, Session
from tests.simulation.store import Row
from tests.simulation.verdict import Violation

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to be said once, under one client id, however often it is sent."""

    room: int
    cid: bytes
    kind: str
    target: int | None = None
    entries: int = 1

    def act(self, epoch: int, new_id: Callable[[], str]) -> Act:
        drafts = tuple(
            Draft(new_id(), self.kind, b"", b"", target=self.target) for _ in range(self.entries)
        )
        return Act(self.room, self.cid, self.cid, epoch, drafts)


class Client:
    """Sends until it is told what became of it; follows one room, over one connection at a time."""

    def __init__(self, name: str, room: int) -> None:
        self.name = name
        self.room = room
        self.session: Session | None = None
        self.is_revoked = False
        self.late: float | None = None
        """When the last frame may have left for it, once it was revoked."""
        self.wishes: dict[bytes, Wish] = {}
        self.refused: list[bytes] = []
        self.begun = False
        self.seq = 0
        self.last: str | None = None
        self.view: dict[int, Row] = {}
        self.shown: dict[int, tuple[int, int]] = {}

    @property
    def is_in(self) -> bool:
        return self.session is not None and not self.session.is_cut

    # -- its connection --------------------------------------------------------------------------

    def connect(self, process: Process, number: int) -> Session:
        """With the place of its last entry, if it has one."""
        session = self.session = Session(self, process, number)
        if self.begun:
            process.join(session, self.seq, self.last)
        else:
            process.join(session, None, None)
        return session

    def part(self, got: int) -> None:
        """The line is cut; so much of what was under way has arrived."""
        session = self.session
        assert session is not None
        self._take(session.buffer[:got])
        session.process.end(session)
        self.session = None

    def receive(self) -> None:
        """Take what has arrived."""
        session = self.session
        assert session is not None
        if session.buffer:
            was_full = not session.is_ready()
            buffer, session.buffer = session.buffer, []
            self._take(buffer)
            if was_full:
                session.flow()
        if session.is_cut:
            self.session = None

    def flow(self) -> None:
        session = self.session
        if session is not None and session.is_stalled:
            session.is_stalled = False
            session.flow()

    # -- its view --------------------------------------------------------------------------------

    def _take(self, frames: list[Row | Joined | Refused | tuple[Wish, Outcome]]) -> None:
        for frame in frames:
            if type(frame) is Row:
                self._show(frame)
            elif type(frame) is tuple:
                self.wishes.pop(frame[0].cid, None)
            elif type(frame) is Joined:
                self._joined(frame)
            elif type(frame) is Refused and frame.is_final:
                self.refused.append(frame.wish.cid)
                self.wishes.pop(frame.wish.cid, None)

    def _joined(self, joined: Joined) -> None:
        if joined.since is None:
            self.view.clear()
            self.shown.clear()
            self.begun, self.seq, self.last = True, joined.start - 1, None
        elif joined.start != self.seq + 1:
            raise Violation(f"{self.name} has {self.seq} and is told {joined.start} comes next")

    def _show(self, row: Row) -> None:
        """As `docs/protocol.md` has it: what is about an entry changes it, wherever that came from."""
        if row.seq != self.seq + 1:
            raise Violation(f"C5: {self.name} hears {row.seq} after {self.seq}")
        self.seq, self.last = row.seq, row.id
        self.view[row.seq] = row
        if row.about is None:
            self.shown[row.seq] = (row.text, row.mark)
        elif row.about in self.shown:
            text, mark = self.shown[row.about]
            if row.rewrites:
                self.shown[row.about] = (max(text, row.seq), mark)
            else:
                self.shown[row.about] = (text, max(mark, row.seq))
