"""Group commit and its ledger without a database: order, bounds, faults, numbers, receipts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import storage.group_commit
from storage.acts import Act, Answer, CidConflict, Draft, Outcome, Placed, QueueFull, Stale
from storage.database import StorageError
from storage.group_commit import Fault, GroupCommit, Reply
from storage.ledger import Head, Ledger, digest

WORLD = 1


def act(name: str, *bodies: bytes, epoch: int = 0, fingerprint: bytes = b"it") -> Act:
    drafts = tuple(
        Draft(f"{name}{n}", "say", b"salt", body, is_say=True) for n, body in enumerate(bodies)
    )
    return Act(WORLD, name.encode(), fingerprint, epoch, drafts)


class Queue:
    """A group commit, and the answers it gave, in order, by name."""

    def __init__(self) -> None:
        self.acts = GroupCommit()
        self.answers: list[tuple[str, Answer]] = []

    def put(self, *names: str, size: int = 1) -> None:
        for name in names:
            self.acts.submit(act(name, b"x" * size), self._reply(name))

    def next(self) -> str | None:
        """The names of the acts in the next batch."""
        batch = self.acts.next()
        return None if batch is None else " ".join(each.dedup.decode() for each in batch)

    def commit(self, batch: str) -> None:
        self.acts.committed([Outcome(()) for _ in batch.split()])

    def fail(self, fault: Fault) -> None:
        self.acts.failed(fault, StorageError(fault.value))

    @property
    def refused(self) -> list[str]:
        return [name for name, answer in self.answers if isinstance(answer, Exception)]

    @property
    def done(self) -> list[str]:
        return [name for name, answer in self.answers if isinstance(answer, Outcome)]

    def _reply(self, name: str) -> Reply:
        return lambda answer: self.answers.append((name, answer))


@pytest.fixture
def queue() -> Queue:
    return Queue()


# -- batches -------------------------------------------------------------------------------------


def test_what_waits_goes_into_one_batch_and_what_comes_meanwhile_into_the_next(
    queue: Queue,
) -> None:
    queue.put("a", "b")
    assert queue.next() == "a b"
    queue.put("c")
    assert queue.next() is None, "two at once"
    assert queue.answers == [], "answered before the commit"
    queue.commit("a b")
    assert queue.done == ["a", "b"]
    assert queue.next() == "c"


def test_a_batch_is_bounded_in_acts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.group_commit, "BATCH_ACTS", 2)
    queue.put("a", "b", "c")
    assert (queue.next(), queue.acts.waiting) == ("a b", 1)


def test_a_batch_is_bounded_in_bytes_but_takes_one_act_of_any_size(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.group_commit, "BATCH_BYTES", 500)
    queue.put("large", "next", size=1_000)
    assert queue.next() == "large"
    queue.commit("large")
    assert queue.next() == "next"


@pytest.mark.parametrize(("bound", "most"), [("QUEUE_ACTS", 2), ("QUEUE_BYTES", 500)])
def test_more_than_may_wait_is_refused_at_once_and_there_is_room_again_later(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(storage.group_commit, bound, most)
    queue.put("a", "b", size=40)
    with pytest.raises(QueueFull):
        queue.put("c", size=40)
    assert queue.next() == "a b"
    queue.put("d", "e", size=40)
    queue.commit("a b")
    assert (queue.done, queue.next()) == (["a", "b"], "d e")


def test_whoever_hears_an_answer_may_queue_the_next_act_at_once(queue: Queue) -> None:
    queue.acts.submit(act("a"), lambda _: queue.put("b"))
    queue.next()
    queue.commit("a")
    assert (queue.acts.is_idle, queue.next()) == (False, "b")


def test_it_is_idle_when_everybody_was_answered(queue: Queue) -> None:
    idle = [queue.acts.is_idle]
    queue.put("a")
    idle.append(queue.acts.is_idle)
    queue.next()
    idle.append(queue.acts.is_idle)
    queue.commit("a")
    idle.append(queue.acts.is_idle)
    assert idle == [True, False, False, True]


# -- faults --------------------------------------------------------------------------------------


def test_a_batch_in_doubt_is_run_again_as_it_was_before_anything_newer(queue: Queue) -> None:
    queue.put("a", "b")
    queue.next()
    queue.put("c")
    queue.fail(Fault.UNKNOWN)
    assert (queue.answers, queue.next()) == ([], "a b")
    queue.commit("a b")
    assert (queue.done, queue.next()) == (["a", "b"], "c")


def test_in_doubt_twice_its_senders_are_told_that_it_is_not_known(queue: Queue) -> None:
    queue.put("a", "b")
    for _ in range(2):
        assert queue.next() == "a b"
        queue.fail(Fault.UNKNOWN)
    assert (queue.refused, queue.next()) == (["a", "b"], None)
    queue.put("c")
    queue.next()
    queue.fail(Fault.UNKNOWN)
    assert queue.next() == "c", "the doubt about the former batch was held against this one"


def test_a_bad_act_is_refused_alone_and_the_others_keep_their_order(queue: Queue) -> None:
    queue.put("a", "b", "bad", "d", "e")
    queue.put("f")
    while (batch := queue.next()) is not None:
        if "bad" in batch:
            queue.fail(Fault.ROW)
        else:
            queue.commit(batch)
    assert (queue.done, queue.refused) == (["a", "b", "d", "e", "f"], ["bad"])


def test_a_store_that_is_away_refuses_the_batch_and_not_what_comes_after(queue: Queue) -> None:
    queue.put("a", "b")
    queue.next()
    queue.put("c")
    queue.fail(Fault.STORE)
    assert (queue.refused, queue.next()) == (["a", "b"], "c")


def test_half_of_a_batch_may_meet_a_fault_of_its_own(queue: Queue) -> None:
    queue.put("a", "b", "c", "d")
    queue.next()
    queue.fail(Fault.ROW)
    assert queue.next() == "a b"
    queue.fail(Fault.UNKNOWN)
    assert queue.next() == "a b", "in doubt: the other half has to wait"
    queue.commit("a b")
    assert queue.next() == "c d"
    queue.fail(Fault.STORE)
    assert (queue.done, queue.refused, queue.acts.is_idle) == (["a", "b"], ["c", "d"], True)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["put", "put", "next", "ok", *Fault]), max_size=60))
def test_whatever_fails_each_act_is_answered_once_and_nobody_overtakes(
    steps: Sequence[str | Fault],
) -> None:
    queue, put, under_way = Queue(), 0, ""
    for step in [*steps, *["next", "ok"] * (len(steps) + 1)]:
        if step == "put":
            queue.put(f"{put:02}")
            put += 1
        elif step == "next":
            under_way = queue.next() or under_way
        elif under_way and isinstance(step, Fault):
            queue.fail(step)
            under_way = ""
        elif under_way:
            queue.commit(under_way)
            under_way = ""
    assert sorted(name for name, _ in queue.answers) == [f"{n:02}" for n in range(put)]
    assert queue.done == sorted(queue.done)
    assert queue.acts.is_idle


# -- the ledger ----------------------------------------------------------------------------------


def ledger(last_seq: int = 6, says: int = 4, epoch: int = 0) -> Ledger:
    return Ledger(epoch, 1_000, {WORLD: Head("world", last_seq, says)}, {})


def test_entries_are_numbered_on_from_the_head_in_the_order_of_their_acts() -> None:
    book = ledger()
    first = book.place(act("a", b"1", b"2"))
    assert book.next_seq(act("b").room_id) == 9
    second = book.place(act("b", b"3"))
    assert [(place.seq, place.says) for place in first.placed] == [(7, 5), (8, 6)]
    assert second.placed == (Placed(9, "b0", 1_000, 7),)
    assert [commit.act.dedup for commit in book.commits] == [b"a", b"b"]
    assert book.heads[WORLD] == Head("world", 9, 7, moved=True)


def test_an_act_done_before_is_answered_with_its_places_and_not_done_again() -> None:
    book = ledger()
    places = (Placed(3, "a0", 5, 2),)
    book.receipts[b"a"] = (b"it", places)
    assert book.refusal(act("a", b"1")) == Outcome(places, duplicate=True)
    assert book.refusal(act("a", b"1", epoch=7)) == Outcome(places, duplicate=True), (
        "that it was done stays true when somebody was revoked since"
    )


def test_the_same_act_twice_in_one_batch_is_done_once() -> None:
    book = ledger()
    outcome = book.place(act("a", b"1"))
    assert book.refusal(act("a", b"1")) == Outcome(outcome.placed, duplicate=True)


def test_a_client_id_used_for_something_else_is_a_conflict() -> None:
    book = ledger()
    book.place(act("a", b"1"))
    assert isinstance(book.refusal(act("a", b"1", fingerprint=b"another")), CidConflict)


@pytest.mark.parametrize("epoch", [0, 2])
def test_an_act_allowed_at_another_epoch_is_stale(epoch: int) -> None:
    """Another, not an older one: a store restored from a copy may stand anywhere."""
    assert isinstance(ledger(epoch=1).refusal(act("a", b"1", epoch=epoch)), Stale)


def test_an_act_in_a_room_that_does_not_exist_is_refused() -> None:
    book = Ledger(0, 1_000, {}, {})
    assert isinstance(book.refusal(act("a", b"1")), StorageError)


def test_asking_numbers_nothing() -> None:
    book = ledger()
    assert book.refusal(act("a", b"1")) is None
    assert book.next_seq(act("a", b"1").room_id) == 7
    assert (book.heads[WORLD], book.receipts, book.commits) == (Head("world", 6, 4), {}, [])


def test_an_act_without_entries_has_a_receipt_and_moves_nothing() -> None:
    book = ledger()
    assert book.place(act("a")) == Outcome(())
    assert (book.heads[WORLD].moved, b"a" in book.receipts) == (False, True)


def test_a_digest_tells_places_and_bodies_apart() -> None:
    draft, placed = Draft("id", "say", b"salt", b"text"), Placed(7, "id", 1_000, 5)
    seen = {
        digest("world", placed, draft),
        digest("elsewhere", placed, draft),
        digest("world", Placed(8, "id", 1_000, 5), draft),
        digest("world", Placed(7, "id", 1_001, 5), draft),
        digest("world", placed, Draft("id", "say", b"salt", b"another")),
        digest("world", placed, Draft("id", "say", b"pepper", b"text")),
    }
    assert len(seen) == 6
