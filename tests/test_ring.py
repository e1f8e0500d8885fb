"""The ring: the recent end of a log, framed once, never with bytes that are known to be outdated."""

from __future__ import annotations

import pytest

import channels.ring
from channels.ring import Item, Ring

LOTS = 1 << 20


def item(seq: int, *, about: int | None = None, rewrites: bool = False, text: str = "") -> Item:
    """An entry whose bytes say where it is; every third one counts."""
    return Item(seq, f"id{seq}", seq // 3, (text or f"<{seq}>").encode(), about, rewrites)


class Framing:
    """Frames by a prefix and remembers how often."""

    def __init__(self) -> None:
        self.framed: list[bytes] = []

    def plain(self, payload: bytes) -> bytes:
        self.framed.append(payload)
        return b"p" + payload

    def other(self, payload: bytes) -> bytes:
        return b"o" + payload


def ring_of(*items: Item, head: int = 0) -> Ring:
    framing = Framing()
    ring = Ring({"plain": framing.plain, "other": framing.other}, head, 0)
    for each in items:
        ring.append(each)
    return ring


def run(first: int, last: int) -> list[Item]:
    return [item(seq) for seq in range(first, last + 1)]


def test_a_ring_is_a_run_that_ends_at_its_head() -> None:
    ring = ring_of(*run(8, 12), head=7)
    assert (ring.first, ring.head, ring.count) == (8, 12, 4)
    assert ring.take(7, "plain", LOTS) == (b"p<8>p<9>p<10>p<11>p<12>", 12)
    assert ring.take(10, "plain", LOTS) == (b"p<11>p<12>", 12)
    assert ring_of(head=7).first == 8


@pytest.mark.parametrize("seq", [12, 14, 1])
def test_only_the_very_next_entry_can_be_appended(seq: int) -> None:
    with pytest.raises(ValueError, match="expected seq 13"):
        ring_of(*run(1, 12)).append(item(seq))


def test_what_lies_outside_must_be_read_from_the_log() -> None:
    ring = ring_of(*run(8, 12), head=7)
    assert ring.take(6, "plain", LOTS) is None
    assert ring.take(12, "plain", LOTS) is None
    assert ring.take(99, "plain", LOTS) is None
    assert (ring.id_at(7), ring.id_at(8), ring.id_at(13)) == (None, "id8", None)
    assert (ring.count_at(7), ring.count_at(12), ring.count_at(13)) == (None, 4, None)


def test_frames_are_joined_as_far_as_they_fit_but_never_none_of_them() -> None:
    ring = ring_of(*run(1, 9))
    assert ring.take(0, "plain", 8) == (b"p<1>p<2>", 2)
    assert ring.take(0, "plain", 11) == (b"p<1>p<2>", 2)
    assert ring.take(0, "plain", 1) == (b"p<1>", 1)


def test_an_entry_is_framed_once_for_all_who_read_that_dialect() -> None:
    framing = Framing()
    ring = Ring({"plain": framing.plain, "other": framing.other}, 0, 0)
    ring.append(item(1))
    for _ in range(5):
        ring.take(0, "plain", LOTS)
    assert ring.take(0, "other", LOTS) == (b"o<1>", 1)
    assert framing.framed == [b"<1>"]


def test_the_oldest_leave_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels.ring, "RING_ENTRIES", 5)
    ring = ring_of(*run(1, 20))
    assert (ring.first, ring.head) == (16, 20)
    assert ring.take(14, "plain", LOTS) is None


def test_the_oldest_leave_when_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels.ring, "RING_BYTES", 100)
    ring = ring_of(*(item(seq, text="x" * 30) for seq in range(1, 21)))
    assert (ring.first, ring.head) == (18, 20)
    ring.append(item(21, text="x" * 101))  # larger than the ring by itself
    assert (ring.first, ring.head) == (22, 21)
    assert ring.take(20, "plain", LOTS) is None
    ring.append(item(22))
    assert ring.take(21, "plain", LOTS) == (b"p<22>", 22)


def test_a_replacement_counts_with_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels.ring, "RING_BYTES", 100)
    ring = ring_of(item(1), item(2, about=1))
    ring.refresh([item(1, text="x" * 90)])
    ring.append(item(3, text="x" * 20))
    assert ring.first == 2


def test_an_entry_that_others_are_about_is_read_again() -> None:
    ring = ring_of(*run(1, 4), item(5, about=2))
    assert ring.take(0, "plain", LOTS) == (b"p<1>", 1)
    assert ring.take(1, "plain", LOTS) is None
    assert ring.take(2, "plain", LOTS) == (b"p<3>p<4>p<5>", 5)
    ring.refresh([item(2, text="<2 as of 5>")])
    assert ring.take(1, "plain", LOTS) == (b"p<2 as of 5>p<3>p<4>p<5>", 5)


def test_bytes_framed_before_they_were_outdated_are_not_handed_out() -> None:
    ring = ring_of(*run(1, 2))
    ring.take(0, "plain", LOTS)
    ring.append(item(3, about=1))
    assert ring.take(0, "plain", LOTS) is None
    ring.refresh([item(1, text="<now>")])
    assert ring.take(0, "plain", LOTS) == (b"p<now>p<2>p<3>", 3)


def test_a_rewriting_outdates_the_earlier_ones_about_the_same_entry() -> None:
    ring = ring_of(item(1), item(2, about=1, rewrites=True), item(3), item(4, about=1))
    ring.refresh([item(1, text="<1 as of 4>")])
    assert ring.take(0, "plain", LOTS) == (b"p<1 as of 4>p<2>p<3>p<4>", 4)
    ring.append(item(5, about=1, rewrites=True))
    stale = [seq for seq in range(1, 6) if ring.take(seq - 1, "plain", LOTS) is None]
    assert stale == [1, 2, 4]


def test_a_reaction_does_not_outdate_a_correction() -> None:
    ring = ring_of(item(1), item(2, about=1, rewrites=True), item(3, about=1))
    assert ring.take(1, "plain", LOTS) == (b"p<2>p<3>", 3)


def test_refreshing_touches_nothing_that_is_current_or_not_there() -> None:
    ring = ring_of(*run(8, 9), head=7)
    ring.refresh([item(seq, text="<other>") for seq in (1, 8, 9, 10)])
    assert ring.take(7, "plain", LOTS) == (b"p<8>p<9>", 9)


def test_something_about_an_entry_before_the_ring_outdates_nothing() -> None:
    ring = ring_of(item(8), item(9, about=3, rewrites=True), head=7)
    assert ring.take(7, "plain", LOTS) == (b"p<8>p<9>", 9)


def test_the_seq_of_a_count_is_the_first_at_which_it_was_reached() -> None:
    ring = ring_of(*run(1, 20))  # counts 0 0 1 1 1 2 2 2 …
    assert [ring.seq_of_count(count) for count in (0, 1, 2, 6)] == [None, 3, 6, 18]
    assert ring_of(*run(4, 9), head=3).seq_of_count(1) is None  # it may have been reached before
    assert ring_of().seq_of_count(1) is None
