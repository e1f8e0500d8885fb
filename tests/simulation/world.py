"""The world: two processes, a store, a bus, clients, a clock; a seed decides what happens next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from channels.hub import LiveRoom
from channels.ring import Item
from storage.acts import Act, Placed
from tests.simulation.client import Client, Wish
from tests.simulation.process import BAD, LEASE_SECONDS, Process
from tests.simulation.seasons import SEASONS
from tests.simulation.store import ROOMS, Copy, Store
from tests.simulation.verdict import Tally, Violation

CAST = ("Ana", "Ben", "Chiara", "Denis")
WISHES = 5
HINTS = 16
ROUNDS = 60


class Hint:
    """Something said to one process, under way."""

    __slots__ = ("items", "room", "to")

    def __init__(self, to: Process, room: str, items: list[Item]) -> None:
        self.to = to
        self.room = room
        self.items = items


class World:
    """One story. `note`, if given, hears a line of everything that happens."""

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        self.random = Random(seed)
        self._draw = self.random.random
        self.note = note
        self.season = SEASONS[seed % len(SEASONS)]
        self.tally = Tally()
        self.now = 1_000.0
        self.drift = 0.0
        self.store = Store()
        self.copy: Copy = self.store.copy()
        self.unaware: list[tuple[Process, LiveRoom]] = []
        """Rooms that are live on a log which was exchanged under them, and have not been told."""
        self.restored_at = 0.0
        self.acked: list[tuple[int, bytes, Sequence[Placed]]] = []
        self.hints: list[Hint] = []
        self.is_calm = False
        self._ids = self._sessions = self._cids = 0
        self.processes = [Process(self, "one"), Process(self, "two")]
        self.clients = [Client(name, int(name == "Denis")) for name in CAST]
        self.ghosts: list[Client] = []
        """Doctors who were revoked, whose connections may not know it yet."""

    # -- what processes ask of it ----------------------------------------------------------------

    def clock(self) -> float:
        return self.now

    def wall(self) -> int:
        """What a wall says, in ms: it may be put back."""
        return int((self.now + self.drift) * 1_000)

    def new_id(self) -> str:
        self._ids += 1
        return f"e{self._ids}"

    def chance(self, odds: float) -> bool:
        return self._draw() < odds

    def fails(self) -> bool:
        """Does the database, at this step of a transaction?"""
        return not self.is_calm and self._draw() < self.season.store_fails

    def read_fails(self) -> bool:
        return not self.is_calm and self._draw() < self.season.reads_fail

    def publish(self, process: Process, room: str, items: list[Item]) -> None:
        other = self.processes[process is self.processes[0]]
        self.hints.append(Hint(other, room, items))
        if len(self.hints) > HINTS:
            del self.hints[0]
            self.tally["hints dropped"] += 1

    def may_grow(self, acts: Sequence[Act]) -> bool:
        """False while a restored log would come to where somebody stands who does not know of it.

        Restoring is done with everything stopped. What is tried here besides is that it is noticed, not
        that two logs of the same length can be told apart by their length.
        """
        self.unaware = [
            (process, room)
            for process, room in self.unaware
            if process.is_alive and process.hub.live(room.name) is room
        ]
        entries = sum(len(act.drafts) for act in acts)
        return all(
            self.store.last_seq[ROOMS.index(room.name)] + entries < room.ring.head
            for _, room in self.unaware
        )

    def polled(self, process: Process, began: float) -> None:
        if began > self.restored_at:
            self.unaware = [each for each in self.unaware if each[0] is not process]

    def reckon(self, process: Process) -> None:
        """What a hub has counted, before it is gone."""
        divergences = process.hub.divergences
        if divergences and not self.tally["restores"]:
            raise Violation(f"process {process.name} took the log for another one")
        self.tally["divergences"] += divergences

    # -- what happens ----------------------------------------------------------------------------

    def run(self, steps: int) -> Tally:
        """So many steps, then rest. Raises Violation."""
        draw, actions = self._draw, self.season.actions
        many = len(actions)
        if self.note is None:
            for _ in range(steps):
                actions[int(draw() * many)](self)
        else:
            for at in range(steps):
                action = actions[int(draw() * many)]
                self.note(f"{at:4} {self.now:8.1f} {action.__name__}")
                action(self)
        self.rest()
        return self.tally

    def turn(self) -> None:
        process = self._process()
        if process is not None:
            for _ in range(1 + int(self._draw() * 6)):
                process.turn()

    def work(self) -> None:
        process = self._process()
        if process is not None:
            for _ in range(1 + int(self._draw() * 6)):
                process.work()

    def read(self) -> None:
        process = self._process()
        if process is not None:
            for _ in range(1 + int(self._draw() * 3)):
                if process.reads:
                    process.read_on(int(self._draw() * len(process.reads)))

    def look(self) -> None:
        process = self._process()
        if process is not None:
            process.look()

    def deliver(self) -> None:
        """Any of the hints under way arrives; some do so again later, and some never."""
        if not self.hints:
            return
        at = int(self._draw() * len(self.hints))
        hint = self.hints[at]
        luck = self._draw()
        if at:
            self.tally["hints late"] += 1
        if luck < self.season.doubled:
            self.tally["hints doubled"] += 1
        else:
            del self.hints[at]
        if luck > 1 - self.season.dropped:
            self.tally["hints dropped"] += 1
        elif hint.to.is_alive and not hint.to.is_stopped:
            items = hint.items if luck < 0.9 else []
            hint.to.hub.apply(hint.room, items, hint.items[-1].seq)

    def tick(self) -> None:
        self.now += 0.05 + self._draw() * 0.5

    def say(self) -> None:
        """Somebody sends something new, or again what was not answered."""
        client = self._client()
        session = client.session
        if session is None:
            self._connect(client)
        elif not session.is_cut and not session.process.is_stopped:
            for _ in range(1 + int(self._draw() * 3)):
                session.process.submit(session, self._wish(client))

    def receive(self) -> None:
        client = self._client()
        if client.session is None:
            self._connect(client)
        else:
            client.receive()

    def part(self) -> None:
        client = self._client()
        if client.session is not None:
            client.part(int(self._draw() * (len(client.session.buffer) + 1)))

    def stall(self) -> None:
        client = self._client()
        if client.session is not None:
            client.session.is_stalled = True
            self.tally["stalls"] += 1

    def flow(self) -> None:
        self._client().flow()

    # -- faults ----------------------------------------------------------------------------------

    def crash(self) -> None:
        process = self.processes[int(self._draw() * 2)]
        if process.is_alive:
            process.crash()
            self.tally["crashes"] += 1

    def start(self) -> None:
        for process in self.processes:
            if not process.is_alive:
                process.start()

    def stop(self) -> None:
        """SIGSTOP: it runs no more, holds what it holds, and its clock goes on."""
        process = self._process()
        if process is not None:
            process.is_stopped = True
            self.tally["stops"] += 1

    def go_on(self) -> None:
        for process in self.processes:
            process.is_stopped = False

    def jump(self) -> None:
        """Everybody slept, or the machine did."""
        self.now += 1 + self._draw() * 80

    def set_clock(self) -> None:
        """Somebody puts the wall clock forward or back, by up to an hour."""
        self.drift += (self._draw() - 0.5) * 7_200

    def lock(self) -> None:
        """An outsider takes the database's lock, or lets it go."""
        if self.store.holder is None:
            self.store.holder = self
        elif self.store.holder is self:
            self.store.holder = None

    def sweep(self) -> None:
        process = self._process()
        if process is not None:
            before = len(process.hub.names())
            process.hub.sweep()
            self.tally["rooms forgotten"] += before - len(process.hub.names())

    def revoke(self) -> None:
        """One doctor is put out; another takes the place."""
        at = int(self._draw() * len(self.clients))
        client = self.clients[at]
        if self.store.holder is None and len(self.ghosts) < 3:
            self.store.epoch += 1
            self.store.revoked.add(client.name.encode())
            client.is_revoked, client.late = True, self.now + LEASE_SECONDS
            self.ghosts.append(client)
            self.clients[at] = Client(f"{CAST[at]}{self.store.epoch}", client.room)
            self.tally["revocations"] += 1

    def prune(self) -> None:
        """Retention takes the oldest entries."""
        room = int(self._draw() * len(ROOMS))
        oldest = self.store.oldest[room]
        if self.store.last_seq[room] - oldest > 12:
            self.store.oldest[room] = oldest + 1 + int(self._draw() * 6)

    def back_up(self) -> None:
        if self._draw() < 0.5:
            self.copy = self.store.copy()

    def restore(self) -> None:
        """An older copy takes the place of the log; mostly with everything stopped, as it should be."""
        if self.copy.last_seq == self.store.last_seq or self._is_writing():
            return
        self.tally["restores"] += 1
        if self._draw() < 0.5:
            for process in self.processes:
                if process.is_alive:
                    process.crash()
        self.store.restore(self.copy)
        self.restored_at = self.now
        self.now += 0.01
        self.hints.clear()
        self.unaware = []
        for process in self.processes:
            self._look_again(process)

    # -- rest ------------------------------------------------------------------------------------

    def rest(self) -> None:
        """The faults end: everybody must come to see the same, all of it."""
        self.is_calm = True
        self.hints.clear()
        if self.store.holder is self:
            self.store.holder = None
        self.go_on()
        self.start()
        for _ in range(ROUNDS):
            self._settle()
            if self._is_at_rest():
                break
        else:
            raise Violation(f"C6: no rest; {self._restless()}")
        for process in self.processes:
            self.reckon(process)
            if process.unanswered:
                raise Violation(f"{process.unanswered} acts were never answered")
        self._check_store()
        for client in self.clients:
            self._check_view(client)

    def _settle(self) -> None:
        self.now += 0.2
        for process in self.processes:
            for _ in range(3):
                process.look()
            while process.transaction is not None or not process.acts.is_idle:
                process.work()
                if self.store.holder not in (None, process):
                    break
            while process.due or process.reads:
                while process.due:
                    process.turn()
                if process.reads:
                    process.read_on(0)
        for client in (*self.clients, *self.ghosts):
            client.flow()
            session = client.session
            if session is not None:
                client.receive()
            elif not client.is_revoked:
                self._connect(client)
            if client.is_in and client.wishes and not client.is_revoked:
                for wish in list(client.wishes.values()):
                    assert client.session is not None
                    client.session.process.submit(client.session, wish)

    def _is_at_rest(self) -> bool:
        return not self._restless()

    def _restless(self) -> str:
        """Why not yet, if so."""
        for process in self.processes:
            if not process.acts.is_idle:
                return f"process {process.name} has acts to commit"
        for ghost in self.ghosts:
            if ghost.is_in:
                return f"{ghost.name} was revoked and is still in"
        for client in self.clients:
            session = client.session
            if session is None or session.is_cut or not session.is_live or session.buffer:
                return f"{client.name} is not live"
            if client.wishes:
                return f"{client.name} was not told of {list(client.wishes)}"
            if client.seq != self.store.last_seq[client.room]:
                return f"{client.name} has {client.seq} of {self.store.last_seq[client.room]}"
        return ""

    def _check_store(self) -> None:
        for rows in self.store.rows:
            if [row.seq for row in rows] != list(range(1, len(rows) + 1)):
                raise Violation("C1: the log has a hole")
        places = {
            cid: [(p.seq, p.id) for p in placed] for cid, (_, placed) in self.store.receipts.items()
        }
        found: dict[bytes, list[tuple[int, str]]] = {}
        for rows in self.store.rows:
            for row in rows:
                found.setdefault(row.cid, []).append((row.seq, row.id))
        if found != places:
            raise Violation("C3: what is in the log is not what the receipts say")
        for room, cid, placed in self.acked:
            for place in placed:
                if not self.store.has(room, place.seq, place.id) and (
                    place.id not in self.store.erased
                ):
                    raise Violation(f"C2: {cid!r} was acknowledged at {place.seq} and is not there")
        if not self.tally["restores"]:
            for client in (*self.clients, *self.ghosts):
                for cid in client.refused:
                    if cid in self.store.receipts:
                        raise Violation(f"C3: {cid!r} was refused for good, and is there")

    def _check_view(self, client: Client) -> None:
        rows = self.store.rows[client.room]
        for seq, seen in client.view.items():
            row = rows[seq - 1]
            if row.id != seen.id:
                raise Violation(f"C4: {client.name} has another {seq}")
            if self.tally["restores"] and (seen.text or seen.mark):
                continue  # it came as it stood later, maybe by what a restore took away
            if row.about is None and client.shown[seq] != (row.text, row.mark):
                raise Violation(f"C4: {client.name} shows {seq} as it was: {client.shown[seq]}")
        first = client.seq - len(client.view) + 1
        if client.view and (min(client.view) != first or first > len(rows)):
            raise Violation(f"C5: {client.name}'s view has a hole")

    # -- privates --------------------------------------------------------------------------------

    def _process(self) -> Process | None:
        process = self.processes[self._draw() < 0.5]
        return process if process.is_alive and not process.is_stopped else None

    def _client(self) -> Client:
        ghosts = self.ghosts
        if ghosts and self._draw() < 0.1:
            return ghosts[int(self._draw() * len(ghosts))]
        return self.clients[int(self._draw() * len(self.clients))]

    def _connect(self, client: Client) -> None:
        process = self.processes[self._draw() < 0.5]
        if process.is_alive and not process.is_stopped and not client.is_revoked:
            self._sessions += 1
            self.tally["returns"] += client.begun
            client.connect(process, self._sessions)

    def _wish(self, client: Client) -> Wish:
        """Something that waits for its answer, or something new."""
        wishes = client.wishes
        if wishes and (len(wishes) >= WISHES or self._draw() < 0.2):
            return list(wishes.values())[int(self._draw() * len(wishes))]
        return self._new_wish(client)

    def _new_wish(self, client: Client) -> Wish:
        self._cids += 1
        luck = self._draw()
        kind, target, entries = "say", None, 1
        about = self.season.about
        if luck < about and client.shown:
            kind = ("edit", "redact", "mark")[int(luck / about * 3)]
            known = list(client.shown)
            target = known[-1 - int(self._draw() * min(5, len(known)))]
            self.tally["redactions"] += kind == "redact"
        elif luck > 0.9:
            entries = 2
        end = BAD if luck > 0.99 else b""
        cid = b"%s:%d%s" % (client.name.encode(), self._cids, end)
        wish = client.wishes[cid] = Wish(client.room, cid, kind, target, entries)
        return wish

    def _is_writing(self) -> bool:
        return self.store.holder is not None or any(p.transaction for p in self.processes)

    def _look_again(self, process: Process) -> None:
        """What it had read is read once more; rooms that are live are on a log that is no longer there."""
        for read in process.reads:
            read.answer = None
        process.poll = None
        if process.is_alive:
            for name in ROOMS:
                live = process.hub.live(name)
                if live is not None:
                    self.unaware.append((process, live))
