"""The hub: whatever hints are lost, doubled or late, each cursor is sent one contiguous run of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import channels.hub
import channels.log
import channels.ring
from channels.cursor import Cursor, Gone
from channels.hub import Hub, LiveRoom, Place
from channels.log import Page, Request, asked
from channels.ring import Item
from tests.logs import ROOM, Frame, Listener, Scroll, Turns, folded, framer


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Small enough that a short log does not fit anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels.ring, "RING_ENTRIES", 8)
        patch.setattr(channels.hub, "TAIL_ENTRIES", 6)
        patch.setattr(channels.hub, "PAGE_ENTRIES", 4)
        patch.setattr(channels.hub, "CHUNK_BYTES", 140)
        yield


class Gate:
    """Whether entries may leave."""

    def __init__(self) -> None:
        self.is_open = True

    def __call__(self) -> bool:
        return self.is_open


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def scroll(turns: Turns) -> Scroll:
    return Scroll(turns)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def hub(scroll: Scroll, turns: Turns, gate: Gate) -> Hub:
    return _hub(scroll, turns, gate)


def _hub(scroll: Scroll, turns: Turns, may_write: Callable[[], bool] = lambda: True) -> Hub:
    framers = {"plain": framer, "other": lambda payload: b"\n" + framer(payload)}
    return Hub(scroll, framers, soon=turns.soon, clock=turns.clock, may_write=may_write)


def _say(hub: Hub, scroll: Scroll, about: int | None = None, *, rewrites: bool = False) -> Item:
    """Said here: the log has it, and the hub is told at once."""
    item = scroll.add(about, rewrites=rewrites)
    hub.apply(ROOM, [item], item.seq)
    return item


def _listening(hub: Hub, turns: Turns, since: int = 0) -> Listener:
    """Somebody who came in, and has been sent everything."""
    listener = Listener()
    listener.join(hub, since)
    turns.quiet()
    return listener


def _opened(hub: Hub, turns: Turns) -> LiveRoom:
    hub.enter(ROOM, lambda _: None)
    turns.quiet()
    room = hub.live(ROOM)
    assert room is not None
    return room


def _poll(hub: Hub, scroll: Scroll) -> None:
    """Ask for the heads, and hear at once."""
    for name, stood in hub.heads().items():
        hub.polled(name, scroll.head, scroll.oldest, stood)


# -- any order of events -------------------------------------------------------------------------


class Story:
    """Writers, hints, readers and faults, in an order that hypothesis chooses; the rest by a seed."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.turns = Turns()
        self.scroll = Scroll(self.turns)
        self.scroll.holds = "both"
        self.may_write = True
        self.hub = _hub(self.scroll, self.turns, lambda: self.may_write)
        self.hints: list[Item] = []
        self.listeners = [Listener() for _ in range(4)]
        self.left: dict[Listener, tuple[Cursor, int]] = {}

    def unfold(self, steps: list[str]) -> None:
        for step in steps:
            getattr(self, step)()
            self._go_on()
        for listener in self.listeners:
            listener.flow(self.hub)
        self.scroll.fault = None
        self.scroll.let_go()
        self.release()
        for _ in range(4):
            self.poll()
            self.turns.quiet()

    def _go_on(self) -> None:
        """Some of what is due runs; reads look and answer in any order."""
        for _ in range(self.random.randrange(4)):
            self.turns.one()
        for _ in range(self.random.randrange(3)):
            if self.scroll.held:
                self.scroll.let_go(self.random.randrange(len(self.scroll.held)))

    def say(self) -> None:
        earlier = [line.seq for line in self.scroll.lines if line.about is None]
        about = self.random.choice([None, *earlier[-6:]])
        self.hints.append(self.scroll.add(about, rewrites=self.random.random() < 0.5))

    def hint(self) -> None:
        """Any of the hints under way arrives; some do so twice, and some never."""
        if self.hints:
            item = self.random.choice(self.hints)
            if self.random.random() < 0.7:
                self.hints.remove(item)
            self.hub.apply(ROOM, [item], item.seq)

    def hints_together(self) -> None:
        some = sorted(self.random.sample(self.hints, min(3, len(self.hints))), key=lambda i: i.seq)
        if some:
            self.hub.apply(ROOM, some, some[-1].seq)

    def head_only(self) -> None:
        if self.hints:
            self.hub.apply(ROOM, (), self.random.choice(self.hints).seq)

    def poll(self) -> None:
        _poll(self.hub, self.scroll)

    def join(self) -> None:
        listener = self.random.choice(self.listeners)
        if not listener.is_lost:
            listener.join(self.hub, self.random.randrange(self.scroll.head + 1))

    def leave(self) -> None:
        listener = self.random.choice(self.listeners)
        if listener.cursor is not None and not listener.cursor.left:
            listener.leave(self.hub)
            self.left[listener] = (listener.cursor, len(listener.writes))

    def stall(self) -> None:
        self.random.choice(self.listeners).stall()

    def flow(self) -> None:
        self.random.choice(self.listeners).flow(self.hub)

    def hold(self) -> None:
        self.may_write = False

    def release(self) -> None:
        self.may_write = True
        self.hub.release()

    def break_log(self) -> None:
        self.scroll.fault = OSError("the log is away")

    def check(self) -> None:
        assert self.hub.divergences == 0, "the log was always the same"
        for listener in self.listeners:
            cursor, writes = self.left.get(listener, (None, 0))
            if cursor is not None and cursor is listener.cursor:  # it did not come in again
                assert len(listener.writes) == writes, "written to after it left"
            run = range(listener.start + 1, listener.start + 1 + len(listener.seqs))
            assert listener.seqs == list(run)
            for frame in listener.heard:
                due = self._stands(frame.seq, listener.head)
                assert set(due.known) <= set(frame.known), "without what was known at the join"
                assert due.text <= frame.text, "with a text known to be corrected at the join"
            if listener.is_in and not listener.is_lost:
                assert listener.live_at is not None, "never told that it is live"
                assert listener.start + len(listener.seqs) == self.scroll.head, "something missed"
                self._same_as_a_fresh_look(listener)

    def _same_as_a_fresh_look(self, listener: Listener) -> None:
        for seq, shown in folded(listener.heard).items():
            if self.scroll.lines[seq - 1].about is None:
                truth = self._stands(seq, self.scroll.head)
                assert shown == (set(truth.known), truth.text)

    def _stands(self, seq: int, as_of: int) -> Frame:
        listener = Listener()
        listener.write(framer(self.scroll.item(self.scroll.lines[seq - 1], as_of).payload))
        return listener.heard[0]


STEPS = ["say", "say", "say", "hint", "hint", "hint", "hints_together", "head_only", "poll"]
STEPS += ["join", "join", "leave", "stall", "flow", "hold", "release", "break_log"]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(STEPS), max_size=60), st.integers(0, 10_000))
def test_in_any_order_of_events_everybody_hears_one_run_and_ends_at_the_truth(
    steps: list[str], seed: int
) -> None:
    story = Story(Random(seed))
    story.unfold(steps)
    story.check()


# -- hints ---------------------------------------------------------------------------------------


def test_hints_doubled_and_reordered_are_heard_once_and_in_order(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    items = [scroll.add() for _ in range(3)]
    for at in (2, 0, 0, 1, 2, 1):
        hub.apply(ROOM, [items[at]], items[at].seq)
        turns.quiet()
    assert listener.seqs == [1, 2, 3]


def test_a_hole_is_filled_from_the_log_with_one_read(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    for _ in range(2):
        _say(hub, scroll)
    turns.quiet()
    scroll.add()
    scroll.reads.clear()
    _say(hub, scroll)
    turns.quiet()
    assert listener.seqs == [1, 2, 3, 4]
    assert scroll.reads == [
        ("after", 1)
    ]  # the newest that it holds comes again: is it still the same?


def test_a_lost_last_hint_is_made_good_by_the_head_alone(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    scroll.add()
    _poll(hub, scroll)
    turns.quiet()
    assert listener.seqs == [1]


def test_what_happens_in_a_room_without_listeners_costs_nothing(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for n in range(1_000):
        hub.apply(f"specialty/{n}", [scroll.add()], scroll.head)
    turns.quiet()
    assert (hub.names(), scroll.reads) == ([], [])


def test_a_head_that_the_log_does_not_have_is_asked_for_once(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    scroll.reads.clear()
    hub.apply(ROOM, (), 10**12)
    turns.quiet()
    assert scroll.reads == [("after", 0)]
    _say(hub, scroll)
    turns.quiet()
    assert listener.seqs == [1]


def test_when_retention_went_past_a_room_everybody_comes_back_and_it_is_opened_anew(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    for _ in range(20):
        scroll.add()
    scroll.oldest = 10  # retention went past it
    scroll.reads.clear()
    hub.apply(ROOM, (), scroll.head)
    turns.quiet()
    assert len(scroll.reads) == 1
    assert (listener.seqs, listener.is_lost) == ([], True)
    assert (hub.names(), hub.divergences) == ([], 0)
    assert _listening(hub, turns, 9).seqs == list(range(10, 21))


def test_a_failed_backfill_is_repeated_at_the_next_poll(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    scroll.add()
    scroll.fault = OSError("away")
    _poll(hub, scroll)
    turns.quiet()
    assert listener.seqs == []
    _poll(hub, scroll)
    turns.quiet()
    assert listener.seqs == [1]


# -- joining -------------------------------------------------------------------------------------


def test_what_is_said_while_the_room_opens_is_heard(hub: Hub, scroll: Scroll, turns: Turns) -> None:
    scroll.add()
    scroll.holds = "after"
    listener = _listening(hub, turns)
    _say(hub, scroll)
    scroll.let_go()
    turns.quiet()
    assert listener.seqs == [1, 2]


def test_nobody_is_sent_more_than_the_room_has_heard_of(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """Another process wrote on: the log has it, its hint is still under way."""
    for _ in range(10):
        scroll.add()
    _opened(hub, turns)
    _say(hub, scroll, 10)  # so that entry 10 must be read from the log
    scroll.add()
    listener = _listening(hub, turns, 9)
    assert listener.seqs == [10, 11]
    _poll(hub, scroll)
    turns.quiet()
    assert listener.seqs == [10, 11, 12]


def test_live_is_said_once_and_in_the_step_in_which_the_head_is_reached(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """The listener itself asserts the rest: that it had everything when it was told."""
    for _ in range(20):
        scroll.add()
    listener = Listener()
    listener.join(hub, 0)
    while listener.live_at is None:
        _say(hub, scroll) if scroll.head < 30 else None
        turns.one()
    _say(hub, scroll)
    turns.quiet()
    assert listener.live_at == 30
    assert listener.seqs == list(range(1, 32))


def test_fifty_who_come_back_to_different_places_of_one_page_cost_one_read(
    hub: Hub, scroll: Scroll, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.hub, "PAGE_ENTRIES", 50)
    monkeypatch.setattr(channels.hub, "CHUNK_BYTES", 10_000)
    for _ in range(56):
        scroll.add()
    _opened(hub, turns)
    scroll.reads.clear()
    listeners = [Listener() for _ in range(50)]
    for since, listener in enumerate(listeners):
        listener.join(hub, since)
        if since % 10 == 0:
            turns.quiet()  # some come while it is under way, others while it is kept
    turns.quiet()
    for since, listener in enumerate(listeners):
        assert listener.seqs == list(range(since + 1, 57))
    assert scroll.reads == [("after", 0)]


def test_a_kept_page_is_forgotten_after_a_moment(hub: Hub, scroll: Scroll, turns: Turns) -> None:
    for _ in range(20):
        scroll.add()
    _listening(hub, turns)
    scroll.reads.clear()
    turns.now += channels.hub.KEPT_SECONDS + 1
    hub.sweep()
    _listening(hub, turns)
    assert ("after", 0) in scroll.reads


def test_a_correction_drops_the_pages_that_were_kept(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(20):
        scroll.add()
    early = _listening(hub, turns)
    scroll.reads.clear()
    assert _listening(hub, turns).seqs == early.seqs
    assert scroll.reads == [], "the pages were not kept"
    correction = _say(hub, scroll, 2, rewrites=True)
    late = _listening(hub, turns)
    assert (early.heard[1].text, late.heard[1].text) == (0, correction.seq)


def test_nobody_shares_a_read_that_began_before_a_correction_they_know_of(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(20):
        scroll.add()
    _opened(hub, turns)
    scroll.holds = "after"
    early = _listening(hub, turns)
    correction = _say(hub, scroll, 2, rewrites=True)
    late = _listening(hub, turns)
    scroll.let_go()
    turns.quiet()
    assert late.heard[1].text == correction.seq
    assert (early.heard[1].text, folded(early.heard)[2]) == (0, folded(late.heard)[2])


def test_a_read_that_comes_late_does_not_bring_back_outdated_bytes(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(6):
        scroll.add()
    _opened(hub, turns)
    _say(hub, scroll, 5)  # now the ring must read entry 5 again
    scroll.holds = "after"
    early = _listening(hub, turns, 4)
    correction = _say(hub, scroll, 5, rewrites=True)
    scroll.let_go()
    turns.quiet()
    late = _listening(hub, turns, 4)
    assert late.heard[0].text == correction.seq
    assert folded(early.heard)[5] == folded(late.heard)[5]


def test_a_room_that_cannot_be_opened_is_an_error_for_all_who_wait_and_then_forgotten(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    scroll.add()
    scroll.fault = OSError("away")
    answers: list[LiveRoom | Exception] = []
    for _ in range(3):
        hub.enter(ROOM, answers.append)
    turns.quiet()
    assert [type(answer) for answer in answers] == [OSError] * 3
    assert hub.names() == []
    assert _listening(hub, turns).seqs == [1]


# -- a client's place ----------------------------------------------------------------------------


def _located(
    hub: Hub, turns: Turns, room: LiveRoom, since: int, last: str | None
) -> Place | Exception:
    answers: list[Place | Exception] = []
    hub.locate(room, since, last, answers.append)
    turns.quiet()
    assert len(answers) == 1, "answered once"
    return answers[0]


@pytest.mark.parametrize(
    ("since", "last", "place"),
    [
        (0, None, Place.KNOWN),
        (0, "any", Place.KNOWN),  # nothing was seen, so nothing can be another
        (18, "id18", Place.KNOWN),  # in the ring
        (18, "another", Place.UNKNOWN),
        (18, None, Place.KNOWN),
        (6, "id6", Place.KNOWN),  # in a page
        (6, "another", Place.UNKNOWN),
        (5, "id5", Place.KNOWN),  # the oldest
        (3, "id3", Place.BEYOND_RETENTION),
        (22, "id22", Place.KNOWN),  # another process has come further
        (22, "another", Place.UNKNOWN),
        (30, "id30", Place.UNKNOWN),  # nobody has come there
    ],
)
def test_a_clients_place_is_known_when_the_log_has_that_entry_there(
    hub: Hub, scroll: Scroll, turns: Turns, since: int, last: str | None, place: Place
) -> None:
    for _ in range(20):
        scroll.add()
    scroll.oldest = 5
    room = _opened(hub, turns)
    for _ in range(5):
        scroll.add()
    assert _located(hub, turns, room, since, last) is place


def test_the_place_just_before_what_is_kept_is_not_beyond_it(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(20):
        scroll.add()
    scroll.oldest = 5
    room = _opened(hub, turns)
    assert _located(hub, turns, room, 4, None) is Place.KNOWN
    assert _located(hub, turns, room, 3, None) is Place.BEYOND_RETENTION


def test_a_place_that_retention_passes_while_it_is_looked_up_is_beyond_it(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """Else the client would go on after a hole that nobody told it of."""
    for _ in range(20):
        scroll.add()
    room = _opened(hub, turns)
    answers: list[Place | Exception] = []
    scroll.holds = "after"
    hub.locate(room, 6, "id6", answers.append)
    turns.quiet()
    scroll.oldest = 9
    _poll(hub, scroll)
    scroll.let_go()
    turns.quiet()
    assert answers == [Place.BEYOND_RETENTION]


def test_reading_on_to_a_place_answers_with_what_the_log_raises(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """Else a client with a good cursor would be told that it is unknown."""
    room = _opened(hub, turns)
    scroll.add()
    scroll.fault = OSError("away")
    assert isinstance(_located(hub, turns, room, 1, "id1"), OSError)
    assert _located(hub, turns, room, 1, "id1") is Place.KNOWN
    assert room.ring.head == 1
    assert _located(hub, turns, room, 99, "id99") is Place.UNKNOWN
    assert room.ring.head == 1


def test_a_read_that_looked_before_a_client_came_does_not_judge_its_place(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """Said elsewhere, heard there, and the client is here before the read that was under way."""
    scroll.add()
    room = _opened(hub, turns)
    scroll.holds = "after"
    hub.apply(ROOM, (), 2)
    turns.quiet()
    scroll.add()
    answers: list[Place | Exception] = []
    hub.locate(room, 2, "id2", answers.append)
    scroll.let_go()
    turns.quiet()
    assert answers == [Place.KNOWN]


def test_a_place_in_the_past_answers_with_what_the_log_raises(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(20):
        scroll.add()
    room = _opened(hub, turns)
    scroll.fault = OSError("away")
    assert isinstance(_located(hub, turns, room, 6, "id6"), OSError)
    assert _located(hub, turns, room, 6, "id6") is Place.KNOWN


# -- live ----------------------------------------------------------------------------------------


def test_what_is_said_in_one_tick_is_one_write_of_the_same_bytes_for_all(
    hub: Hub, scroll: Scroll, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.hub, "CHUNK_BYTES", 10_000)
    listeners = [_listening(hub, turns) for _ in range(3)]
    for _ in range(5):
        _say(hub, scroll)
    turns.quiet()
    assert [len(listener.writes) for listener in listeners] == [1, 1, 1]
    assert listeners[0].writes[0] is listeners[1].writes[0] is listeners[2].writes[0]
    assert hub.deliveries == 15


def test_each_dialect_gets_its_own_frames(hub: Hub, scroll: Scroll, turns: Turns) -> None:
    plain, other = _listening(hub, turns), Listener(dialect="other")
    other.write = other.writes.append  # type: ignore[assignment,method-assign]
    hub.attach(_opened(hub, turns), Cursor(other, 0))
    item = _say(hub, scroll)
    turns.quiet()
    assert (plain.writes, other.writes) == ([framer(item.payload)], [b"\n" + framer(item.payload)])


def test_who_stalls_falls_behind_alone_and_catches_up_from_the_log(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    slow, quick = _listening(hub, turns), _listening(hub, turns)
    slow.stall()
    for _ in range(30):  # far more than the ring holds
        _say(hub, scroll)
        turns.quiet()
    assert (slow.seqs, quick.seqs) == ([], list(range(1, 31)))
    scroll.reads.clear()
    slow.flow(hub)
    turns.quiet()
    assert slow.seqs == list(range(1, 31))
    assert scroll.reads[0] == ("after", 0)
    _say(hub, scroll)
    turns.quiet()
    assert slow.seqs[-1] == quick.seqs[-1] == 31


def test_a_stalled_reader_keeps_nothing_but_a_number(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    slow = _listening(hub, turns)
    slow.stall()
    for _ in range(200):
        _say(hub, scroll)
        turns.quiet()
    room = hub.live(ROOM)
    assert room is not None
    assert slow.cursor is not None
    assert (slow.writes, slow.cursor.seq, room.ring.first) == ([], 0, 193)
    assert (len(turns.due), room.flights, room.filled, scroll.held) == (0, {}, [], [])


def test_after_a_leave_nothing_more_is_written(hub: Hub, scroll: Scroll, turns: Turns) -> None:
    listener, other = _listening(hub, turns), _listening(hub, turns)
    _say(hub, scroll)
    listener.leave(hub)  # before the flush that is due
    turns.quiet()
    assert (listener.seqs, other.seqs) == ([], [1])


def test_a_leave_while_catching_up_ends_it(hub: Hub, scroll: Scroll, turns: Turns) -> None:
    for _ in range(20):
        scroll.add()
    room = _opened(hub, turns)
    scroll.holds = "after"
    listener = _listening(hub, turns)
    assert scroll.held, "it was not catching up"
    listener.leave(hub)
    scroll.let_go()
    turns.quiet()
    assert (listener.writes, listener.live_at) == ([], None)
    assert room.cursors == set()


def test_who_left_between_two_steps_does_not_go_live(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """A connection that is ended while it joins must not stay behind as a listener for ever."""
    scroll.add()
    room = _opened(hub, turns)
    listener = Listener()
    listener.join(hub, 0)
    assert (listener.seqs, listener.live_at) == ([1], None)
    listener.leave(hub)
    turns.quiet()
    assert listener.live_at is None
    assert room.cursors == set()


def test_a_listener_whom_the_log_fails_is_told_to_come_back(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    slow, quick = _listening(hub, turns), _listening(hub, turns)
    slow.stall()
    for _ in range(20):
        _say(hub, scroll)
        turns.quiet()
    scroll.fault = OSError("the log is away")
    slow.flow(hub)
    turns.quiet()
    room = hub.live(ROOM)
    assert room is not None
    assert (slow.is_lost, quick.is_lost) == (True, False)
    assert room.cursors == {quick.cursor}


# -- another log ---------------------------------------------------------------------------------


def _assert_all_lost(hub: Hub, listeners: list[Listener]) -> None:
    assert [listener.is_lost for listener in listeners] == [True] * len(listeners)
    assert (hub.names(), hub.divergences) == ([], 1)


def _two_at_the_tenth(hub: Hub, scroll: Scroll, turns: Turns) -> list[Listener]:
    for _ in range(10):
        scroll.add()
    return [_listening(hub, turns), _listening(hub, turns, 9)]


def test_a_restored_older_copy_is_noticed_by_the_poll(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listeners = _two_at_the_tenth(hub, scroll, turns)
    scroll.restore(7)
    _poll(hub, scroll)
    _assert_all_lost(hub, listeners)
    again = _listening(hub, turns)
    assert again.seqs == list(range(1, 8))


def test_a_restored_older_copy_that_has_grown_past_is_noticed_as_it_is_read_on(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listeners = _two_at_the_tenth(hub, scroll, turns)
    scroll.restore(7)
    for _ in range(6):
        scroll.add()
    _poll(hub, scroll)
    turns.quiet()
    _assert_all_lost(hub, listeners)
    assert all(frame.id == f"id{frame.seq}" for frame in listeners[0].heard), "histories mixed"


def test_a_restored_older_copy_is_noticed_by_the_next_commit_here(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listeners = _two_at_the_tenth(hub, scroll, turns)
    scroll.restore(7)
    _say(hub, scroll)
    turns.quiet()
    _assert_all_lost(hub, listeners)
    assert [listener.seqs[-1] for listener in listeners] == [10, 10]


def test_a_restored_older_copy_is_noticed_by_whoever_reads_its_past(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    """They lag so far behind that what they are sent next would be of the other history."""
    for _ in range(20):
        scroll.add()
    _opened(hub, turns)
    scroll.restore(2)
    for _ in range(5):
        scroll.add()
    listener = _listening(hub, turns, 4)
    _assert_all_lost(hub, [listener])
    assert listener.seqs == []


def test_who_is_finding_their_place_while_the_log_is_exchanged_is_sent_round_again(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    for _ in range(10):
        scroll.add()
    room = _opened(hub, turns)
    scroll.restore(7)
    assert isinstance(_located(hub, turns, room, 12, "id12"), Gone)
    with pytest.raises(Gone):
        hub.attach(room, Cursor(Listener(), 10))
    assert hub.divergences == 1


def test_a_poll_that_looked_before_the_room_came_further_is_no_divergence(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    _say(hub, scroll)
    stood, head = hub.heads()[ROOM], scroll.head
    _say(hub, scroll)
    hub.polled(ROOM, head, 1, stood)
    turns.quiet()
    assert (listener.seqs, hub.divergences) == ([1, 2], 0)


# -- when entries may not leave ------------------------------------------------------------------


def test_what_may_not_leave_is_held_and_then_goes_out_whole_and_in_order(
    hub: Hub, scroll: Scroll, turns: Turns, gate: Gate
) -> None:
    live = _listening(hub, turns)
    _say(hub, scroll)
    turns.quiet()
    gate.is_open = False
    for _ in range(15):  # more than the ring holds
        _say(hub, scroll)
        turns.quiet()
    late = _listening(hub, turns, 1)
    assert (live.seqs, late.seqs, late.live_at) == ([1], [], None)
    gate.is_open = True
    turns.quiet()
    assert (live.seqs, late.seqs) == ([1], [])
    hub.release()
    turns.quiet()
    assert (live.seqs, late.seqs) == (list(range(1, 17)), list(range(2, 17)))
    assert late.live_at == 16


def test_a_page_that_comes_when_nothing_may_leave_is_not_lost(
    hub: Hub, scroll: Scroll, turns: Turns, gate: Gate
) -> None:
    for _ in range(20):
        scroll.add()
    _opened(hub, turns)
    scroll.holds = "after"
    listener = _listening(hub, turns)
    gate.is_open = False
    scroll.let_go()
    turns.quiet()
    assert listener.seqs == []
    gate.is_open = True
    hub.release()
    hub.release()  # twice is as good as once
    turns.quiet()
    assert listener.seqs == list(range(1, 21))


def test_a_stalled_listener_is_not_written_to_because_entries_may_leave_again(
    hub: Hub, scroll: Scroll, turns: Turns, gate: Gate
) -> None:
    listener = _listening(hub, turns)
    gate.is_open = False
    _say(hub, scroll)
    turns.quiet()
    listener.stall()
    gate.is_open = True
    hub.release()
    turns.quiet()
    assert listener.seqs == []
    listener.flow(hub)
    turns.quiet()
    assert listener.seqs == [1]


# -- rooms come and go ---------------------------------------------------------------------------


def test_a_room_is_forgotten_a_while_after_the_last_has_left(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    listener = _listening(hub, turns)
    turns.now += 100
    hub.sweep()
    assert hub.names() == [ROOM]
    listener.leave(hub)
    turns.now += 59
    hub.sweep()
    assert hub.names() == [ROOM]
    turns.now += 2
    hub.sweep()
    assert hub.names() == []
    assert hub.live(ROOM) is None


def test_a_room_forgotten_during_a_join_sends_the_client_round_again(
    hub: Hub, scroll: Scroll, turns: Turns
) -> None:
    room = _opened(hub, turns)
    turns.now += 100
    hub.sweep()
    with pytest.raises(Gone):
        hub.attach(room, Cursor(Listener(), 0))
    listener = _listening(hub, turns)
    _say(hub, scroll)
    turns.quiet()
    assert listener.seqs == [1]


# -- the tasks that read -------------------------------------------------------------------------


class Shelf:
    """A log whose reads wait until they are let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def after(self, room: str, seq: int, limit: int) -> Page:
        return await self.tail(room, limit)

    async def tail(self, room: str, limit: int) -> Page:
        self.reached.set()
        await self.opened.wait()
        return Page([Item(1, "id1", 1, b"1")], 1, 1)


def _read_by(reader: channels.log.Reader) -> Hub:
    loop = asyncio.get_running_loop()
    return Hub(
        reader, {"plain": framer}, soon=loop.call_soon, clock=loop.time, may_write=lambda: True
    )


async def test_who_asked_first_may_leave_while_the_room_opens() -> None:
    shelf = Shelf()
    hub = _read_by(channels.log.Reader(shelf))

    async def entered() -> LiveRoom:
        return await asked(lambda done: hub.enter(ROOM, done))

    first, second = asyncio.create_task(entered()), asyncio.create_task(entered())
    await shelf.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    shelf.opened.set()
    assert (await second).ring.head == 1


async def test_what_is_asked_raises_what_it_is_answered_with() -> None:
    with pytest.raises(OSError, match="away"):
        await asked(lambda done: done(OSError("away")))


async def test_closing_ends_what_still_reads() -> None:
    before = asyncio.all_tasks()
    shelf = Shelf()
    reader = channels.log.Reader(shelf)
    answers: list[Page | Exception] = []
    reader(Request(ROOM, None, 1), answers.append)
    await shelf.reached.wait()
    await reader.close()
    assert (answers, asyncio.all_tasks()) == ([], before)
