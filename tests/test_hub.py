"""The hub: whatever hints are lost, doubled or late, each cursor is sent one contiguous run of the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import channels.hub
import channels.ring
from channels.cursor import Cursor, Gone
from channels.hub import Hub
from channels.ring import Item
from tests.logs import ROOM, Frame, Reader, Scroll, folded, framer, quiet


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Small enough that a short log does not fit anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels.ring, "RING_ENTRIES", 8)
        patch.setattr(channels.hub, "TAIL_ENTRIES", 6)
        patch.setattr(channels.hub, "PAGE_ENTRIES", 4)
        patch.setattr(channels.hub, "CHUNK_BYTES", 120)
        yield


@pytest.fixture
def scroll() -> Scroll:
    return Scroll()


@pytest.fixture
async def hub(scroll: Scroll) -> AsyncIterator[Hub]:
    hub = Hub(scroll, {"plain": framer, "other": lambda payload: b"\n" + framer(payload)})
    yield hub
    await hub.close()


def _say(hub: Hub, scroll: Scroll, about: int | None = None, *, rewrites: bool = False) -> Item:
    """Said here: the log has it, and the hub is told at once."""
    item = scroll.add(about, rewrites=rewrites)
    hub.apply(ROOM, [item], item.seq)
    return item


class Hold:
    """Holds up the reads of a log until they are let go: before they look, or once they have looked."""

    def __init__(self, scroll: Scroll, *, after_snapshot: bool = False) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()
        self._passes = after_snapshot
        scroll.pause = self._wait

    async def _wait(self) -> None:
        if self._passes:
            self._passes = False
            return
        self.reached.set()
        await self._open.wait()

    def let_go(self) -> None:
        self._open.set()


# -- any order of events -------------------------------------------------------------------------


class Story:
    """Writers, hints, readers and faults, in an order that hypothesis chooses; the rest by a seed."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.scroll = Scroll()
        self.scroll.pause = self._pause
        self.hub = Hub(self.scroll, {"plain": framer})
        self.hints: list[Item] = []
        self.readers = [Reader() for _ in range(4)]
        self.joins: dict[Reader, asyncio.Task[None]] = {}
        self.left: dict[Reader, tuple[Cursor, int]] = {}

    async def _pause(self) -> None:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)

    async def unfold(self, steps: list[str]) -> None:
        for step in steps:
            getattr(self, step)()
            for _ in range(self.random.randrange(4)):
                await asyncio.sleep(0)
        for reader in self.readers:
            reader.flow()
        self.scroll.fault = None
        for _ in range(4):  # as the head poll does it
            self.poll()
            await quiet()
        await asyncio.gather(*self.joins.values())
        await quiet()
        await self.hub.close()

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
        self.hub.apply(ROOM, (), self.scroll.head)

    def join(self) -> None:
        reader = self.random.choice(self.readers)
        if (reader not in self.joins or self.joins[reader].done()) and not reader.is_lost:
            since = self.random.randrange(self.scroll.head + 1)
            self.joins[reader] = asyncio.create_task(self._joined(reader, since))

    async def _joined(self, reader: Reader, since: int) -> None:
        with suppress(Gone, OSError):  # it left meanwhile, or the log was away
            await reader.join(self.hub, since)

    def leave(self) -> None:
        reader = self.random.choice(self.readers)
        if reader.cursor is not None and not reader.cursor.left:
            reader.leave(self.hub)
            self.left[reader] = (reader.cursor, len(reader.writes))

    def stall(self) -> None:
        self.random.choice(self.readers).stall()

    def flow(self) -> None:
        self.random.choice(self.readers).flow()

    def break_log(self) -> None:
        self.scroll.fault = OSError("the log is away")

    def check(self) -> None:
        for reader in self.readers:
            cursor, writes = self.left.get(reader, (None, 0))
            if cursor is not None and cursor is reader.cursor:  # it did not come in again
                assert len(reader.writes) == writes, "written to after it left"
            assert reader.seqs == list(range(reader.start + 1, reader.start + 1 + len(reader.seqs)))
            for frame in reader.heard:
                due = self._stands(frame.seq, reader.head)
                assert set(due.known) <= set(frame.known), "without what was known at the join"
                assert due.text <= frame.text, "with a text known to be corrected at the join"
            if reader.is_live and not reader.is_lost and not _left(reader):
                assert reader.start + len(reader.seqs) == self.scroll.head, "something was missed"
                self._same_as_a_fresh_look(reader)

    def _same_as_a_fresh_look(self, reader: Reader) -> None:
        for seq, shown in folded(reader.heard).items():
            if self.scroll.lines[seq - 1].about is None:
                truth = self._stands(seq, self.scroll.head)
                assert shown == (set(truth.known), truth.text)

    def _stands(self, seq: int, as_of: int) -> Frame:
        reader = Reader()
        reader.write(framer(self.scroll.item(self.scroll.lines[seq - 1], as_of).payload))
        return reader.heard[0]


def _left(reader: Reader) -> bool:
    return reader.cursor is None or reader.cursor.left


STEPS = ["say", "say", "say", "hint", "hint", "hint", "hints_together", "head_only", "poll"]
STEPS += ["join", "join", "leave", "stall", "flow", "break_log"]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(STEPS), max_size=60), st.integers(0, 10_000))
async def test_in_any_order_of_events_everybody_hears_one_run_and_ends_at_the_truth(
    steps: list[str], seed: int
) -> None:
    story = Story(Random(seed))
    await story.unfold(steps)
    story.check()


# -- hints ---------------------------------------------------------------------------------------


async def test_hints_doubled_and_reordered_are_heard_once_and_in_order(
    hub: Hub, scroll: Scroll
) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    items = [scroll.add() for _ in range(3)]
    for at in (2, 0, 0, 1, 2, 1):
        hub.apply(ROOM, [items[at]], items[at].seq)
        await quiet()
    assert reader.seqs == [1, 2, 3]


async def test_a_hole_is_filled_from_the_log_with_one_read(hub: Hub, scroll: Scroll) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    for _ in range(3):
        scroll.add()
    scroll.reads.clear()
    _say(hub, scroll)
    await quiet()
    assert reader.seqs == [1, 2, 3, 4]
    assert scroll.reads == [("after", 0)]


async def test_a_lost_last_hint_is_made_good_by_the_head_alone(hub: Hub, scroll: Scroll) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    scroll.add()
    hub.apply(ROOM, (), 1)
    await quiet()
    assert reader.seqs == [1]


async def test_what_happens_in_a_room_without_listeners_costs_nothing(
    hub: Hub, scroll: Scroll
) -> None:
    for n in range(1_000):
        hub.apply(f"specialty/{n}", [scroll.add()], scroll.head)
    await quiet()
    assert (hub.names(), scroll.reads) == ([], [])


async def test_a_head_that_the_log_does_not_have_is_asked_for_once(
    hub: Hub, scroll: Scroll
) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    scroll.reads.clear()
    hub.apply(ROOM, (), 10**12)
    await quiet()
    assert scroll.reads == [("after", 0)]
    _say(hub, scroll)
    await quiet()
    assert reader.seqs == [1]


async def test_a_log_that_begins_after_what_is_missing_is_not_read_for_ever(
    hub: Hub, scroll: Scroll
) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    for _ in range(20):
        scroll.add()
    scroll.oldest = 10  # retention went past it
    scroll.reads.clear()
    hub.apply(ROOM, (), scroll.head)
    await quiet()
    assert len(scroll.reads) == 1
    assert reader.seqs == []


async def test_a_failed_backfill_is_repeated_at_the_next_poll(hub: Hub, scroll: Scroll) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    scroll.add()
    scroll.fault = OSError("away")
    hub.apply(ROOM, (), 1)
    await quiet()
    assert reader.seqs == []
    hub.apply(ROOM, (), 1)
    await quiet()
    assert reader.seqs == [1]


# -- joining -------------------------------------------------------------------------------------


async def test_what_is_said_while_the_room_opens_is_heard(hub: Hub, scroll: Scroll) -> None:
    scroll.add()
    hold, reader = Hold(scroll), Reader()
    joining = asyncio.create_task(reader.join(hub, 0))
    await hold.reached.wait()
    _say(hub, scroll)
    hold.let_go()
    await joining
    await quiet()
    assert reader.seqs == [1, 2]


async def test_a_cursor_that_is_not_at_the_head_cannot_go_live(hub: Hub, scroll: Scroll) -> None:
    _say(hub, scroll)
    room = await hub.enter(ROOM)
    with pytest.raises(ValueError, match="cannot go live"):
        hub.listen(room, Cursor(Reader(), 0))


async def test_nobody_is_sent_more_than_the_room_has_heard_of(hub: Hub, scroll: Scroll) -> None:
    """Another process wrote on: the log has it, its hint is still under way."""
    for _ in range(10):
        scroll.add()
    await hub.enter(ROOM)
    _say(hub, scroll, 10)  # so that entry 10 must be read from the log
    scroll.add()
    reader = Reader()
    await reader.join(hub, 9)
    assert reader.seqs == [10, 11]
    hub.apply(ROOM, (), 12)
    await quiet()
    assert reader.seqs == [10, 11, 12]


async def test_fifty_who_come_back_to_one_place_cost_one_read_a_page(
    hub: Hub, scroll: Scroll
) -> None:
    for _ in range(20):
        scroll.add()
    readers = [Reader() for _ in range(50)]
    await hub.enter(ROOM)
    scroll.reads.clear()
    await asyncio.gather(*(reader.join(hub, 0) for reader in readers))
    assert all(reader.seqs == list(range(1, 21)) for reader in readers)
    assert len(scroll.reads) <= 20
    assert len(scroll.reads) == len(set(scroll.reads))


async def test_nobody_shares_a_read_that_began_before_a_correction_they_know_of(
    hub: Hub, scroll: Scroll
) -> None:
    for _ in range(20):
        scroll.add()
    await hub.enter(ROOM)
    early, late = Reader(), Reader()
    hold = Hold(scroll, after_snapshot=True)
    joins = [asyncio.create_task(early.join(hub, 0))]
    await hold.reached.wait()
    correction = _say(hub, scroll, 2, rewrites=True)
    joins.append(asyncio.create_task(late.join(hub, 0)))
    await quiet()
    hold.let_go()
    await asyncio.gather(*joins)
    assert late.heard[1].text == correction.seq
    assert (early.heard[1].text, folded(early.heard)[2]) == (0, folded(late.heard)[2])


async def test_a_read_that_comes_late_does_not_bring_back_outdated_bytes(
    hub: Hub, scroll: Scroll
) -> None:
    for _ in range(6):
        scroll.add()
    await hub.enter(ROOM)
    _say(hub, scroll, 5)  # now the ring must read entry 5 again
    early, late = Reader(), Reader()
    hold = Hold(scroll, after_snapshot=True)
    joining = asyncio.create_task(early.join(hub, 4))
    await hold.reached.wait()
    correction = _say(hub, scroll, 5, rewrites=True)
    hold.let_go()
    await joining
    await late.join(hub, 4)
    assert late.heard[0].text == correction.seq
    assert folded(early.heard)[5] == folded(late.heard)[5]


async def test_a_room_that_cannot_be_opened_is_an_error_for_all_who_wait_and_then_forgotten(
    hub: Hub, scroll: Scroll
) -> None:
    scroll.add()
    scroll.fault = OSError("away")
    answers = await asyncio.gather(*(hub.enter(ROOM) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    assert hub.names() == []
    reader = Reader()
    await reader.join(hub, 0)
    assert reader.seqs == [1]


async def test_who_asked_first_may_leave_while_the_room_opens(hub: Hub, scroll: Scroll) -> None:
    scroll.add()
    hold, first, second = Hold(scroll), Reader(), Reader()
    joins = [asyncio.create_task(reader.join(hub, 0)) for reader in (first, second)]
    await hold.reached.wait()
    joins[0].cancel()
    await quiet()
    hold.let_go()
    await joins[1]
    assert second.seqs == [1]


async def test_reading_on_to_a_place_raises_what_the_log_raises(hub: Hub, scroll: Scroll) -> None:
    """Else a client with a good cursor would be told that it is unknown."""
    room = await hub.enter(ROOM)
    scroll.add()
    scroll.fault = OSError("away")
    with pytest.raises(OSError, match="away"):
        await hub.refresh(room, 1)
    await hub.refresh(room, 1)
    assert room.ring.head == 1
    await hub.refresh(room, 99)
    assert room.ring.head == 1


# -- live ----------------------------------------------------------------------------------------


async def test_what_is_said_in_one_tick_is_one_write_of_the_same_bytes_for_all(
    hub: Hub, scroll: Scroll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.hub, "CHUNK_BYTES", 10_000)
    readers = [Reader() for _ in range(3)]
    for reader in readers:
        await reader.join(hub, 0)
    for _ in range(5):
        _say(hub, scroll)
    await quiet()
    assert [len(reader.writes) for reader in readers] == [1, 1, 1]
    assert readers[0].writes[0] is readers[1].writes[0] is readers[2].writes[0]
    assert hub.deliveries == 15


async def test_each_dialect_gets_its_own_frames(hub: Hub, scroll: Scroll) -> None:
    plain, other = Reader(), Reader(dialect="other")
    await plain.join(hub, 0)
    room = await hub.enter(ROOM)
    hub.listen(room, Cursor(other, 0))
    other.write = other.writes.append  # type: ignore[assignment,method-assign]
    item = _say(hub, scroll)
    await quiet()
    assert (plain.writes, other.writes) == ([framer(item.payload)], [b"\n" + framer(item.payload)])


async def test_who_stalls_falls_behind_alone_and_catches_up_from_the_log(
    hub: Hub, scroll: Scroll
) -> None:
    slow, quick = Reader(), Reader()
    await slow.join(hub, 0)
    await quick.join(hub, 0)
    slow.stall()
    for _ in range(30):  # far more than the ring holds
        _say(hub, scroll)
        await quiet(3)
    await quiet()
    assert (slow.seqs, quick.seqs) == ([], list(range(1, 31)))
    scroll.reads.clear()
    slow.flow()
    await quiet()
    assert slow.seqs == list(range(1, 31))
    assert scroll.reads[0] == ("after", 0)
    _say(hub, scroll)
    await quiet()
    assert slow.seqs[-1] == quick.seqs[-1] == 31


async def test_a_stalled_reader_keeps_nothing_but_a_number(hub: Hub, scroll: Scroll) -> None:
    slow = Reader()
    await slow.join(hub, 0)
    slow.stall()
    for _ in range(200):
        _say(hub, scroll)
        await quiet(2)
    room = hub.live(ROOM)
    assert room is not None
    assert (slow.writes, room.ring.first) == ([], 193)
    assert len(asyncio.all_tasks()) < 20


async def test_after_a_leave_nothing_more_is_written(hub: Hub, scroll: Scroll) -> None:
    reader, other = Reader(), Reader()
    await reader.join(hub, 0)
    await other.join(hub, 0)
    _say(hub, scroll)
    reader.leave(hub)  # before the flush that is due
    await quiet()
    assert (reader.seqs, other.seqs) == ([], [1])


async def test_a_leave_while_catching_up_ends_it(hub: Hub, scroll: Scroll) -> None:
    for _ in range(20):
        scroll.add()
    hold, reader = Hold(scroll), Reader()
    hold.let_go()
    await hub.enter(ROOM)
    hold = Hold(scroll)
    joining = asyncio.create_task(reader.join(hub, 0))
    await hold.reached.wait()
    reader.leave(hub)
    hold.let_go()
    with pytest.raises(Gone):
        await joining
    assert reader.writes == []


async def test_who_left_in_the_last_moment_does_not_go_live(hub: Hub, scroll: Scroll) -> None:
    """A connection that is ended while it joins must not stay behind as a listener for ever."""
    reader = Reader()
    room = await hub.enter(ROOM)
    cursor = Cursor(reader, 0)
    await hub.catch_up(room, cursor)
    hub.leave(ROOM, cursor)
    with pytest.raises(Gone):
        hub.listen(room, cursor)
    assert room.cursors == set()


@pytest.mark.parametrize("fault", ["the log is away", "the log ends before"])
async def test_a_listener_who_cannot_be_served_is_told_to_come_back(
    hub: Hub, scroll: Scroll, fault: str
) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    reader.stall()
    for _ in range(20):
        _say(hub, scroll)
        await quiet(3)
    if fault == "the log is away":
        scroll.fault = OSError(fault)
    else:
        scroll.lines.clear()  # as after a restore
    reader.flow()
    await quiet()
    assert reader.is_lost
    room = hub.live(ROOM)
    assert room is not None
    assert room.cursors == set()


# -- rooms come and go ---------------------------------------------------------------------------


async def test_a_room_is_forgotten_a_while_after_the_last_has_left(
    hub: Hub, scroll: Scroll, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    await reader.join(hub, 0)
    monkeypatch.setattr(channels.hub, "EMPTY_ROOM_SECONDS", -1.0)
    hub.sweep()
    assert hub.names() == [ROOM]
    reader.leave(hub)
    monkeypatch.setattr(channels.hub, "EMPTY_ROOM_SECONDS", 60.0)
    hub.sweep()
    assert hub.names() == [ROOM]
    monkeypatch.setattr(channels.hub, "EMPTY_ROOM_SECONDS", -1.0)
    hub.sweep()
    assert hub.names() == []
    assert hub.live(ROOM) is None


async def test_a_room_forgotten_during_a_join_sends_the_client_round_again(
    hub: Hub, scroll: Scroll, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await hub.enter(ROOM)
    monkeypatch.setattr(channels.hub, "EMPTY_ROOM_SECONDS", -1.0)
    hub.sweep()
    with pytest.raises(Gone):
        hub.listen(room, Cursor(Reader(), 0))
    reader = Reader()
    await reader.join(hub, 0)
    _say(hub, scroll)
    await quiet()
    assert reader.seqs == [1]


async def test_closing_ends_what_still_runs(scroll: Scroll) -> None:
    hub = Hub(scroll, {"plain": framer})
    before = asyncio.all_tasks()
    Hold(scroll)
    waiting = asyncio.gather(*(hub.enter(ROOM) for _ in range(2)), return_exceptions=True)
    await quiet()
    await hub.close()
    assert [type(answer) for answer in await waiting] == [Gone, Gone]
    await quiet()
    assert asyncio.all_tasks() == before
