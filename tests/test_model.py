"""The core held against a small model of a room, rule by rule, in any order that hypothesis finds."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.simulation.client import Client, Wish
from tests.simulation.process import Process
from tests.simulation.run import small
from tests.simulation.world import World

WHO = st.integers(0, 3)
WHERE = st.integers(0, 1)
ROOM = 0
DONE, BEFORE, MISSED, STALE = "done", "done before", "missed", "stale"


class Room:
    """The model: a list of what was said, in which each client id stands once."""

    def __init__(self) -> None:
        self.said: list[Wish] = []
        self.revoked: set[str] = set()

    def say(self, who: str, wish: Wish) -> str:
        """What becomes of it."""
        if wish in self.said:
            return BEFORE
        if who in self.revoked:
            return STALE
        if wish.target is not None and not self._has_text(wish.target):
            return MISSED
        self.said.append(wish)
        return DONE

    def shown(self, first: int) -> dict[int, tuple[int, int]]:
        """What is seen of it from there on: of each entry the seq of its last edit, and of its last mark."""
        shown = {}
        for seq, wish in enumerate(self.said, 1):
            if wish.target is None and seq >= first:
                shown[seq] = (self._last(seq, "edit", "redact"), self._last(seq, "mark"))
        return shown

    def _has_text(self, seq: int) -> bool:
        there = seq <= len(self.said) and self.said[seq - 1].target is None
        return there and not self._last(seq, "redact")

    def _last(self, target: int, *kinds: str) -> int:
        about = [n for n, w in enumerate(self.said, 1) if w.target == target and w.kind in kinds]
        return max(about, default=0)


class Lounge(RuleBasedStateMachine):
    """Two processes and four doctors in one room; after each rule everything that is due has run."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = ExitStack()
        self.bounds.enter_context(small())
        self.world = World(0)
        self.world.is_calm = True
        self.doctors = [Client(name, ROOM) for name in ("Ana", "Ben", "Chiara", "Omar")]
        self.room = Room()
        self.sent: list[tuple[Client, Wish]] = []
        self.number = 0

    def teardown(self) -> None:
        self.bounds.close()

    # -- rules -----------------------------------------------------------------------------------

    @rule(who=WHO, where=WHERE)
    def join(self, who: int, where: int) -> None:
        doctor = self.doctors[who]
        if not doctor.is_in and not doctor.is_revoked:
            self.number += 1
            doctor.connect(self.world.processes[where], self.number)
        self._settle()

    @rule(who=WHO, got=st.integers(0, 3))
    def leave(self, who: int, got: int) -> None:
        if self.doctors[who].session is not None:
            self.doctors[who].part(got)
        self._settle()

    @rule(who=WHO, times=st.integers(1, 3))
    def send(self, who: int, times: int) -> None:
        self._say(self.doctors[who], [self._wish(who) for _ in range(times)])

    @rule(who=WHO, kind=st.sampled_from(["edit", "redact", "mark"]), back=st.integers(0, 9))
    def change(self, who: int, kind: str, back: int) -> None:
        self._say(self.doctors[who], [self._wish(who, kind, max(1, len(self.room.said) - back))])

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99), twice=st.booleans())
    def resend(self, which: int, twice: bool) -> None:
        doctor, wish = self.sent[which % len(self.sent)]
        self._say(doctor, [wish] * (1 + twice))

    @rule(who=WHO, last_words=st.booleans())
    def revoke(self, who: int, last_words: bool) -> None:
        """They may still send before their process hears of it."""
        doctor, store = self.doctors[who], self.world.store
        if not doctor.is_revoked:
            store.epoch += 1
            store.revoked.add(doctor.name.encode())
            doctor.is_revoked = True
            self.room.revoked.add(doctor.name)
        if last_words:
            self._say(doctor, [self._wish(who)])
        self._settle()

    @rule(who=WHO)
    def stall(self, who: int) -> None:
        session = self.doctors[who].session
        if session is not None:
            session.is_stalled = True

    @rule(who=WHO)
    def flow(self, who: int) -> None:
        self.doctors[who].flow()
        self._settle()

    @rule(who=WHO, lived=st.integers(0, 4))
    def crash(self, who: int, lived: int) -> None:
        """A process dies so many steps into a transaction: the third of them commits."""
        doctor = self.doctors[who]
        if doctor.is_in and doctor.session is not None:
            process, wish = doctor.session.process, self._wish(who)
            doctor.wishes[wish.cid] = wish
            process.submit(doctor.session, wish)
            for _ in range(lived):
                process.work()
            if lived > 2:
                self.room.say(doctor.name, wish)
            self.sent.append((doctor, wish))
            process.crash()
            process.start()
        self._settle()

    @rule()
    def lose_hints(self) -> None:
        self.world.hints.clear()

    # -- what holds after each of them -----------------------------------------------------------

    @invariant()
    def the_log_is_what_was_said(self) -> None:
        rows = self.world.store.rows[ROOM]
        said = [(wish.cid, wish.target) for wish in self.room.said]
        assert [(row.cid, row.about) for row in rows] == said

    @invariant()
    def whoever_is_in_sees_the_room_as_it_is(self) -> None:
        for doctor in self.doctors:
            session = doctor.session
            if doctor.is_in and session is not None and not session.is_stalled:
                assert session.is_live, f"{doctor.name} is not live"
                assert doctor.seq == len(self.room.said), f"{doctor.name} missed something"
                first = doctor.seq - len(doctor.view) + 1
                assert doctor.shown == self.room.shown(first)

    @invariant()
    def whoever_was_revoked_is_out(self) -> None:
        assert not [each.name for each in self.doctors if each.is_revoked and each.is_in]

    # -- privates --------------------------------------------------------------------------------

    def _wish(self, who: int, kind: str = "say", target: int | None = None) -> Wish:
        self.number += 1
        cid = b"%s:%d" % (self.doctors[who].name.encode(), self.number)
        return Wish(ROOM, cid, kind, target)

    def _say(self, doctor: Client, wishes: list[Wish]) -> None:
        if not doctor.is_in or doctor.session is None:
            return
        for wish in wishes:
            doctor.wishes[wish.cid] = wish
            doctor.refused = [cid for cid in doctor.refused if cid != wish.cid]
            doctor.session.process.submit(doctor.session, wish)
            self.sent.append((doctor, wish))
        told = {wish: self.room.say(doctor.name, wish) for wish in dict.fromkeys(wishes)}
        before = len(self.world.acked)
        self._settle()
        acked = {cid for _, cid, _ in self.world.acked[before:]}
        for wish, fate in told.items():
            assert (wish.cid in acked) == (fate in (DONE, BEFORE)), fate
            assert (wish.cid in doctor.refused) == (fate == MISSED), fate
            assert (wish.cid in doctor.wishes) == (fate == STALE and not doctor.is_in), fate

    def _settle(self) -> None:
        for _ in range(6):
            for process in self.world.processes:
                self._run(process)
            hints, self.world.hints = self.world.hints, []
            for hint in hints:
                hint.to.hub.apply(hint.room, hint.items, hint.items[-1].seq)
            for doctor in self.doctors:
                if doctor.session is not None:
                    doctor.receive()

    def _run(self, process: Process) -> None:
        while not process.acts.is_idle:
            process.work()
        for _ in range(3):
            process.look()
        while process.due or process.reads:
            process.turn()
            if process.reads:
                process.read_on(0)


Lounge.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestARoom = Lounge.TestCase
