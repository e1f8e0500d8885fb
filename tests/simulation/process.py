"""One process of the lounge: hub and group commit as they are, and what drives them, step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from channels.cursor import Gone
from channels.hub import Hub, LiveRoom, Place
from channels.log import Answer, Done, Request
from storage.acts import Outcome, QueueFull, Stale
from storage.database import StorageError
from storage.group_commit import Fault, GroupCommit
from tests.simulation.session import Joined, Refused, Session
from tests.simulation.store import ROOMS, Transaction
from tests.simulation.verdict import Violation

if TYPE_CHECKING:
    from tests.simulation.client import Wish
    from tests.simulation.world import World

LEASE_SECONDS = 3.0
FRESH_ENTRIES = 9
FRAMERS = {"json": bytes, "msgpack": bytes}
BAD = b"!"
"""How client ids end whose acts no database takes."""


class Read:
    """A read under way: asked for, then looked up, then answered."""

    __slots__ = ("answer", "done", "head", "request")

    def __init__(self, request: Request, done: Done, head: int) -> None:
        self.request = request
        self.done = done
        self.head = head
        """Where the room stood here when it was asked for."""
        self.answer: Answer | None = None


class Poll:
    """A look at the gate and the heads."""

    __slots__ = ("began", "epoch", "found", "stood")

    def __init__(self, began: float, stood: dict[str, int]) -> None:
        self.began = began
        self.stood = stood
        self.epoch = 0
        self.found: list[tuple[str, int, int]] | None = None


class Process:
    """It runs only when the world says so; a crash takes everything but the store."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.is_alive = False
        self.is_stopped = False
        self.sessions: list[Session] = []
        self.start()

    def start(self) -> None:
        world = self.world
        self.due: deque[Callable[[], None]] = deque()
        self.reads: list[Read] = []
        self.acts = GroupCommit()
        self.transaction: Transaction | None = None
        self.poll: Poll | None = None
        self.polled_at = world.now
        self.epoch = world.store.epoch
        self.is_holding = False
        self.unanswered = 0
        self.answering: int | None = None
        self.hub = Hub(
            self._read,
            FRAMERS,
            soon=self.due.append,
            clock=world.clock,
            may_write=self._may_write,
        )
        self.is_alive, self.is_stopped = True, False

    def crash(self) -> None:
        self.is_alive = False
        self.world.reckon(self)
        if self.world.store.holder is self:
            self.world.store.holder = None
        sessions, self.sessions = self.sessions, []
        for session in sessions:
            session.is_cut = True
        self.acts = GroupCommit()
        self.transaction = self.poll = None
        self.due.clear()
        self.reads.clear()

    # -- connections -----------------------------------------------------------------------------

    def join(self, session: Session, since: int | None, last: str | None) -> None:
        """Enter, find the place, attach: each in a turn of its own, as a connection does it."""
        self.sessions.append(session)
        name = ROOMS[session.room]

        def entered(answer: LiveRoom | Exception) -> None:
            if isinstance(answer, Exception):
                self.due.append(lambda: self.end(session))
            else:
                self.due.append(lambda: self._locate(session, answer, since, last))

        self.hub.enter(name, entered)

    def submit(self, session: Session, wish: Wish) -> None:
        act = wish.act(self.epoch, self.world.new_id)
        index = session.sent = session.sent + 1
        try:
            self.acts.submit(act, lambda answer: self._replied(session, wish, index, answer))
            self.unanswered += 1
        except QueueFull:
            self.world.tally["queue full"] += 1
            session.buffer.append(Refused(wish, is_final=False))

    def end(self, session: Session) -> None:
        """The connection is closed from here."""
        if not session.is_cut:
            session.is_cut = True
            self.sessions.remove(session)
            session.leave()

    def _locate(
        self, session: Session, room: LiveRoom, since: int | None, last: str | None
    ) -> None:
        if session.is_cut:
            return
        if since is None:
            self._attach(session, room, None, None)
            return

        def located(place: Place | Exception) -> None:
            if place is Place.KNOWN and since and since + 1 < room.oldest:
                raise Violation(f"{session}: {since} is known, but what follows is not kept")
            self.due.append(lambda: self._placed(session, room, since, last, place))

        self.hub.locate(room, since, last, located)

    def _placed(
        self,
        session: Session,
        room: LiveRoom,
        since: int,
        last: str | None,
        place: Place | Exception,
    ) -> None:
        if session.is_cut:
            return
        if isinstance(place, Exception):
            self.end(session)
            return
        if place is Place.KNOWN:
            self._attach(session, room, since, last)
            return
        store = self.world.store
        if (
            last
            and not self.world.tally["restores"]
            and since >= store.oldest[session.room]
            and store.has(session.room, since, last)
        ):
            raise Violation(f"{session}: its good place {since} is {place.value}")
        self.world.tally["resets"] += 1
        self._attach(session, room, None, None)

    def _attach(
        self, session: Session, room: LiveRoom, since: int | None, last: str | None
    ) -> None:
        if since is None:
            start = max(room.oldest, room.ring.head - FRESH_ENTRIES + 1)
            last = None
        else:
            start = max(since + 1, room.oldest)
            last = last if start == since + 1 else None
        session.place(room, start, last)
        session.buffer.append(Joined(start, since if since == start - 1 else None))
        try:
            self.hub.attach(room, session.cursor)
        except Gone:
            self.end(session)

    # -- acts ------------------------------------------------------------------------------------

    def _replied(
        self, session: Session, wish: Wish, index: int, answer: Outcome | Exception
    ) -> None:
        world = self.world
        self.unanswered -= 1
        if isinstance(answer, Outcome):
            self._acknowledge(session, wish, index, answer)
        elif isinstance(answer, Stale):
            world.tally["stale"] += 1
            self.heard(world.store.epoch)
            session.buffer.append(Refused(wish, is_final=False))
        elif isinstance(answer, StorageError):
            session.buffer.append(Refused(wish, is_final=wish.cid.endswith(BAD)))
        else:
            world.tally["missed"] += 1
            session.buffer.append(Refused(wish, is_final=True))

    def _acknowledge(self, session: Session, wish: Wish, index: int, outcome: Outcome) -> None:
        world, room = self.world, session.room
        for placed in outcome.placed:
            if placed.id in world.store.erased:
                continue
            rows = world.store.rows[room]
            row = rows[placed.seq - 1] if placed.seq <= len(rows) else None
            if row is None or row.id != placed.id or row.cid != wish.cid:
                raise Violation(f"C2: {wish.cid!r} is not at {placed.seq}, as its sender was told")
        if outcome.duplicate:
            world.tally["duplicates answered"] += 1
        else:
            world.tally["acks"] += 1
            if session.era != world.tally["restores"]:
                session.era, session.acked_seq = world.tally["restores"], 0
            if index <= session.acked_index or outcome.placed[0].seq <= session.acked_seq:
                raise Violation(f"C7: {session} overtook itself at {outcome.placed[0].seq}")
            session.acked_index, session.acked_seq = index, outcome.placed[-1].seq
        world.acked.append((room, wish.cid, outcome.placed))
        session.buffer.append((wish, outcome))

    # -- one step of what goes on ----------------------------------------------------------------

    def turn(self) -> None:
        """What the loop runs next."""
        if self.due:
            self.due.popleft()()

    def work(self) -> None:
        """One step of the writer."""
        transaction = self.transaction
        if transaction is None:
            self._begin()
        elif transaction.stage == 0:
            transaction.write()
            transaction.stage = 1
            self._perhaps_fail()
        elif transaction.stage == 1:
            self._commit(transaction)
        else:
            self._tell(transaction)

    def _begin(self) -> None:
        world = self.world
        if world.store.holder is not None:
            if self.acts.waiting and world.chance(0.1) and self.acts.next() is not None:
                world.tally["locked"] += 1
                self._fail(Fault.STORE)
            return
        acts = self.acts.next()
        if acts is None:
            return
        if not world.may_grow(acts):
            self._fail(Fault.STORE)
            return
        world.store.holder = self
        self.transaction = Transaction(world.store, acts, world.wall())
        self.transaction.admit()
        if any(act.dedup.endswith(BAD) for act in acts):
            world.tally["bad rows"] += 1
            self._fail(Fault.ROW)

    def _perhaps_fail(self) -> None:
        if self.world.fails():
            self.world.tally["store faults"] += 1
            self._fail(Fault.STORE)

    def _commit(self, transaction: Transaction) -> None:
        world = self.world
        if not world.fails():
            transaction.commit()
            world.store.holder = None
            transaction.stage = 2
            return
        if world.chance(0.5):
            transaction.commit()
            world.tally["in doubt, committed"] += 1
        else:
            world.tally["in doubt, not committed"] += 1
        self._fail(Fault.UNKNOWN)

    def _tell(self, transaction: Transaction) -> None:
        """First the listeners, then the senders."""
        self.transaction = None
        for commit, rows in transaction.rows:
            if rows:
                items = [row.item for row in rows]
                self.hub.apply(commit.room, items, rows[-1].seq)
                self.world.publish(self, commit.room, items)
        self.acts.committed(transaction.answers)

    def _fail(self, fault: Fault) -> None:
        if self.world.store.holder is self:
            self.world.store.holder = None
        self.transaction = None
        self.acts.failed(fault, StorageError(fault.value))

    # -- reading ---------------------------------------------------------------------------------

    def read_on(self, at: int) -> None:
        """One step of one of the reads under way."""
        read = self.reads[at]
        if read.answer is None:
            if self.world.read_fails():
                self.world.tally["reads failed"] += 1
                read.answer = StorageError("away")
            else:
                read.answer = self.world.store.page(read.request)
            return
        del self.reads[at]
        self.answering = read.head
        read.done(read.answer)
        self.answering = None

    def _read(self, request: Request, done: Done) -> None:
        room = self.hub.live(request.room)
        if room is not None:
            self.world.tally["backfills" if room.filling else "pages"] += 1
        self.reads.append(Read(request, done, 0 if room is None else room.ring.head))

    # -- the gate and the heads ------------------------------------------------------------------

    def look(self) -> None:
        """One step of the poll: begin, read, hear."""
        poll, store = self.poll, self.world.store
        if poll is None:
            self.poll = Poll(self.world.now, self.hub.heads())
        elif poll.found is None:
            poll.epoch = store.epoch
            poll.found = [
                (name, len(store.rows[room]), store.oldest[room])
                for room, name in enumerate(ROOMS)
                if name in poll.stood
            ]
        else:
            self.poll = None
            self._hear(poll, poll.found)

    def heard(self, epoch: int) -> None:
        """The door: whoever was revoked is put out."""
        if epoch != self.epoch:
            self.epoch = epoch
            for session in [each for each in self.sessions if each.client.is_revoked]:
                self.end(session)

    def _hear(self, poll: Poll, found: list[tuple[str, int, int]]) -> None:
        self.heard(poll.epoch)
        self.polled_at = poll.began
        for name, head, oldest in found:
            self.hub.polled(name, head, oldest, poll.stood[name])
        self.world.polled(self, poll.began)
        if self.is_holding and self._may_write():
            self.is_holding = False
            self.hub.release()

    def _may_write(self) -> bool:
        if self.world.now - self.polled_at < LEASE_SECONDS:
            return True
        if not self.is_holding:
            self.is_holding = True
            self.world.tally["held"] += 1
        return False
