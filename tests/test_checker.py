"""The judge is judged: a good history passes, and each defect in it is caught by the check that is meant to.

The histories are made by hand, in time that is only counted, and share nothing with the checker but the
names in `tests/chaos/journal.py`.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import checker
from tests.chaos.dump import dump
from tests.chaos.journal import FACTS, Journal, hash_of, of_client

ROOM = "world"
Line = dict[str, Any]
Defect = Callable[["Story"], None]


@dataclass
class Story:
    """What Ana, Ben, Chiara and Denis wrote down, what SQL holds, and the facts."""

    journals: dict[str, list[Line]] = field(default_factory=dict)
    facts: list[Line] = field(default_factory=list)
    rows: list[Line] = field(default_factory=list)
    receipts: int = 0
    t: float = 1000.0
    attached: list[tuple[str, int]] = field(default_factory=list)
    uncounted: int = 0

    # -- telling it ------------------------------------------------------------------------------

    def tell(self, who: str, event: str, **fields: Any) -> None:
        self.t += 0.01
        self.journals.setdefault(who, []).append({"event": event, "t": self.t} | fields)

    def fact(self, event: str, **fields: Any) -> None:
        self.t += 0.01
        self.facts.append({"event": event, "t": self.t, **fields})

    def attach(self, who: str, conn: int, since: int | None = 0, reset: str | None = None) -> None:
        """Join, be sent what is due as it stands now, go live."""
        start = 1 if reset or since is None else since + 1
        cursor = {} if since is None else {"since": since}
        place: Line = {"room": ROOM, "conn": conn}
        self.tell(who, "attach", **place, **{"from": start, "head": len(self.rows)}, **cursor)
        if reset:
            self.tell(who, "reset", **place, reason=reset)
        for row in self.rows[start - 1 :]:
            self.tell(who, "recv", **self.as_it_stands(row), conn=conn)
        self.tell(who, "live", **place, head=len(self.rows))
        self.attached.append((who, conn))

    def as_it_stands(self, row: Line) -> Line:
        shown = {key: row[key] for key in ("room", "seq", "id", "kind")}
        if row["kind"] in ("say", "edit") and row["hash"] is None:
            return {**shown, "kind": "tombstone"}
        subject = row["seq"] if row["kind"] == "say" else row["target"]
        edits = [e for e in self.rows if e["kind"] == "edit" and e["target"] == subject]
        current = edits[-1]["hash"] if edits else row["hash"]
        told = {"hash": current, "target": row["target"]}
        return shown | {key: value for key, value in told.items() if value is not None}

    def keep(self, op: str, text: str | None = None, target: int | None = None) -> Line:
        """Commit an entry and send it to whoever is live."""
        seq = len(self.rows) + 1
        hashed = None if text is None else hash_of(text)
        row = {"room": ROOM, "seq": seq, "id": f"id{seq}", "kind": op, "hash": hashed}
        self.rows.append({**row, "target": target, "at": int(self.t * 1000)})
        if op == "redact":
            for each in self.rows:
                if each["seq"] == target or (each["kind"] == "edit" and each["target"] == target):
                    each["hash"] = None
        self.receipts += 1
        for who, conn in self.attached:
            shown = {key: value for key, value in row.items() if value is not None}
            told = {} if target is None else {"target": target}
            self.tell(who, "recv", **shown, **told, conn=conn)
        return self.rows[-1]

    def send(self, who: str, conn: int, cid: str, op: str = "say", **more: Any) -> None:
        self.tell(who, "send", cid=cid, room=ROOM, op=op, conn=conn, **more)

    def ack(self, who: str, conn: int, cid: str, row: Line, dup: bool = False) -> None:
        place = {key: row[key] for key in ("room", "seq", "id")}
        self.tell(who, "ack", cid=cid, **place, dup=dup, conn=conn)

    def say(self, who: str, conn: int, text: str) -> Line:
        """Sent, kept, heard and acked."""
        self.send(who, conn, f"cid {text}", hash=hash_of(text))
        row = self.keep("say", text)
        self.ack(who, conn, f"cid {text}", row)
        return row

    def close(self, who: str, conn: int, code: int) -> None:
        self.tell(who, "close", code=code, conn=conn)
        self.attached.remove((who, conn))

    # -- looking into it -------------------------------------------------------------------------

    def lines(self, who: str, event: str, **fields: Any) -> list[Line]:
        return [
            line
            for line in self.journals[who]
            if line["event"] == event and fields.items() <= line.items()
        ]

    def one(self, who: str, event: str, **fields: Any) -> Line:
        """The last line like this."""
        return self.lines(who, event, **fields)[-1]

    def known(self, event: str) -> Line:
        """The last fact of that kind."""
        return [line for line in self.facts if line["event"] == event][-1]

    def drop(self, who: str, line: Line) -> None:
        self.journals[who].remove(line)

    def add_after(self, who: str, line: Line, **changes: Any) -> None:
        """The same line once more, right behind, with changes."""
        place = self.journals[who].index(line) + 1
        self.journals[who].insert(place, {**line, **changes})

    # -- judging it ------------------------------------------------------------------------------

    def write(self, folder: Path) -> Path:
        for who, lines in self.journals.items():
            _write(folder / f"client-{who}.jsonl", lines)
        _write(folder / FACTS, self.facts)
        room = {"table": "room", "room": ROOM, "last_seq": self.head, "oldest": 1}
        rows = [{"table": "entry", **row} for row in self.rows]
        _write(folder / "dump", [room, *rows, {"table": "receipt", "n": self.receipts}])
        return folder / "dump"

    def judged(self, folder: Path, *options: str) -> Line:
        """The checker's report."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = checker.main([str(folder), str(self.write(folder)), *options])
        report: Line = json.loads(out.getvalue().splitlines()[-1])
        assert code == (report["verdict"] == "fail")
        return report

    @property
    def head(self) -> int:
        return int(self.rows[-1]["seq"]) + self.uncounted


def _write(path: Path, lines: list[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _told() -> Story:
    story = Story()
    story.fact("begin", seed=7)
    story.fact("planned", n=2)
    for process, fds in (("server 1", 40), ("server 2", 44)):
        story.fact("survey", process=process, fds=fds, tasks=9, rss=90_000, phase="before")
    for who in ("ana", "ben", "chiara", "denis"):
        story.tell(who, "begin", client=who, seed=7)
        story.attach(who, 1)
    for text in ("one", "two", "three"):
        story.say("ana", 1, text)
    story.say("ben", 1, "four")

    # Ana corrects her second, Ben takes his back after correcting it
    for who, text, target in (("ana", "two!", 2), ("ben", "four!", 4)):
        story.send(who, 1, f"cid {text}", "edit", hash=hash_of(text), target=target)
        story.ack(who, 1, f"cid {text}", story.keep("edit", text, target))
    story.send("ben", 1, "cid gone", "redact", target=4)
    story.ack("ben", 1, "cid gone", story.keep("redact", target=4))

    # said over two connections at once, and again later
    story.attach("ana", 2, since=None)
    for conn in (1, 2):
        story.send("ana", conn, "cid eight", hash=hash_of("eight"))
    eight = story.keep("say", "eight")
    story.ack("ana", 2, "cid eight", eight)
    story.ack("ana", 1, "cid eight", eight, dup=True)
    story.send("ana", 1, "cid eight", hash=hash_of("eight"))
    story.ack("ana", 1, "cid eight", eight, dup=True)

    # too busy at first; the guard holds another; and the later one has overtaken it
    story.send("chiara", 1, "cid ten", hash=hash_of("ten"))
    story.tell("chiara", "nack", cid="cid ten", code="busy", final=False, conn=1)
    story.say("chiara", 1, "nine")
    story.send("chiara", 1, "cid ten", hash=hash_of("ten"))
    story.ack("chiara", 1, "cid ten", story.keep("say", "ten"))
    story.send("chiara", 1, "cid held", hash=hash_of("held"))
    story.tell("chiara", "nack", cid="cid held", code="held_privacy", final=True, conn=1)

    # the server falls while two are on their way: one is kept, the other is not
    story.fact("fault", name="kill", phase="start")
    story.send("ana", 1, "cid eleven", hash=hash_of("eleven"))
    story.send("ana", 1, "cid lost", hash=hash_of("lost"))
    for conn in (1, 2):
        story.close("ana", conn, 1006)
    story.keep("say", "eleven")
    story.fact("fault", name="kill", phase="end")
    story.fact("fired", n=1)
    for n in range(12, 18):
        story.say("ben", 1, f"n{n}")
    story.attach("ana", 3, since=10)
    story.say("ana", 3, "back")

    # Chiara comes with a cursor that is not of this log
    story.close("chiara", 1, 1006)
    story.attach("chiara", 2, since=99, reset="unknown_cursor")

    # Denis is no longer verified
    story.fact("revoked", client="denis")
    story.close("denis", 1, 4503)
    story.say("ben", 1, "last")

    for who in ("ana", "ben", "chiara"):
        story.tell(who, "quiet")
    story.t += 6
    for who in ("ana", "ben", "chiara"):
        story.tell(who, "done")
    for who, conn in (("ana", 3), ("ben", 1), ("chiara", 2)):
        story.close(who, conn, 1000)
    for process, fds in (("server 1", 44), ("server 2", 40)):
        story.fact("survey", process=process, fds=fds, tasks=9, rss=95_000, phase="after")
    story.fact("fired", n=1)
    story.fact("canary", text="canarywords")
    return story


TOLD = _told()


@pytest.fixture
def story() -> Story:
    return copy.deepcopy(TOLD)


# -- the good one --------------------------------------------------------------------------------


def test_a_good_history_passes(story: Story, tmp_path: Path) -> None:
    """With edits, tombstones, a say that was sent thrice, one refused, two in doubt, a reset."""
    report = story.judged(tmp_path, "--fresh-p99", "1.5")
    assert (report["verdict"], report["breaches"], report["seeds"]) == ("pass", {}, [7])
    assert (report["planned"], report["fired"], report["undecided"]) == (2, 2, 2)
    assert {row["kind"] for row in story.rows} == {"say", "edit", "redact"}
    assert story.lines("ana", "recv", conn=3, seq=11)  # in doubt, and there
    assert story.lines("chiara", "recv", conn=2, kind="tombstone")
    assert story.lines("chiara", "reset")


def test_a_line_that_a_killed_client_did_not_finish_is_left_out(
    story: Story, tmp_path: Path
) -> None:
    dumped = story.write(tmp_path)
    with (tmp_path / "client-denis.jsonl").open("a") as journal:
        journal.write('{"event": "recv", "ro')
    assert checker.main([str(tmp_path), str(dumped)]) == 0


def test_a_client_that_was_killed_before_it_went_quiet_need_not_have_heard_the_last(
    story: Story, tmp_path: Path
) -> None:
    story.journals["ben"] = story.journals["ben"][:20]
    assert "C6" not in story.judged(tmp_path)["breaches"]


# -- the defects ---------------------------------------------------------------------------------


def _counted_but_not_kept(story: Story) -> None:
    story.uncounted = 1


def _one_id_twice(story: Story) -> None:
    story.rows[12]["id"] = story.rows[11]["id"]


def _numbered_twice(story: Story) -> None:
    story.rows.insert(5, story.rows[5])


def _acked_and_lost(story: Story) -> None:
    sent, ack = story.one("ben", "send", cid="cid last"), story.one("ben", "ack", cid="cid last")
    story.add_after("ben", ack, cid="cid never", seq=99, id="id99")
    story.add_after("ben", sent, cid="cid never", hash=hash_of("never"))
    story.receipts += 1


def _acked_at_anothers_place(story: Story) -> None:
    ack = story.one("ben", "ack", cid="cid last")
    ack.update(seq=1, id="id1")


def _kept_with_another_text(story: Story) -> None:
    """What was acked, and what everybody heard, is another doctor's words."""
    seq = story.one("ben", "ack", cid="cid last")["seq"]
    story.rows[seq - 1]["hash"] = hash_of("lost")
    for who in story.journals:
        for line in story.lines(who, "recv", seq=seq):
            line["hash"] = hash_of("lost")


def _kept_twice(story: Story) -> None:
    """As a server without receipts would, when the answer was lost and the say came again."""
    seq = story.one("ben", "ack", cid="cid n13")["seq"]
    story.rows[seq - 1]["hash"] = story.rows[seq - 2]["hash"]
    for who in story.journals:
        for line in story.lines(who, "recv", seq=seq):
            line["hash"] = story.rows[seq - 1]["hash"]
    story.drop("ben", story.one("ben", "ack", cid="cid n13"))


def _acked_at_two_places(story: Story) -> None:
    story.lines("ana", "ack", cid="cid eight")[-1].update(seq=9, id="id9")


def _refused_and_kept(story: Story) -> None:
    lost = story.one("ana", "send", cid="cid eleven")
    story.add_after("ana", lost, event="nack", code="forbidden", final=True)


def _nobodys_text(story: Story) -> None:
    """The one that was in doubt is there, but mangled."""
    story.rows[10]["hash"] = hash_of("mangled")
    for who in story.journals:
        for line in story.lines(who, "recv", seq=11):
            line["hash"] = hash_of("mangled")


def _redacted_twice(story: Story) -> None:
    """A second redaction of the same say, where there was an edit."""
    story.rows[4]["kind"] = "redact"
    story.rows[4]["target"] = 4


def _receipts_missing(story: Story) -> None:
    story.receipts = 9


def _heard_another_text(story: Story) -> None:
    story.one("ben", "recv", seq=13)["hash"] = hash_of("n12")


def _heard_another_id(story: Story) -> None:
    story.one("ana", "recv", seq=13)["id"] = "id of nothing"


def _heard_before_it_was_kept(story: Story) -> None:
    """And it never was: published, then rolled back."""
    last = story.one("ana", "recv")
    seq = last["seq"] + 1
    story.add_after("ana", last, seq=seq, id=f"id{seq}", hash=hash_of("lost"))


def _tombstone_of_what_stands(story: Story) -> None:
    line = story.one("chiara", "recv", seq=3, conn=2)
    line["kind"] = "tombstone"
    del line["hash"]


def _edit_of_something_else(story: Story) -> None:
    story.one("chiara", "recv", seq=5, conn=1)["target"] = 3


def _edit_with_the_words_before_it(story: Story) -> None:
    story.one("chiara", "recv", seq=5, conn=1)["hash"] = hash_of("two")


def _skipped(story: Story) -> None:
    story.drop("ben", story.one("ben", "recv", seq=14))


def _heard_twice(story: Story) -> None:
    story.add_after("ben", story.one("ben", "recv", seq=14))


def _in_the_wrong_order(story: Story) -> None:
    story.add_after("ben", story.one("ben", "recv", seq=15), **story.one("ben", "recv", seq=14))
    story.drop("ben", story.lines("ben", "recv", seq=14)[0])


def _resumed_too_far(story: Story) -> None:
    """The replay leaves out what was committed while she was away, and nobody says so."""
    story.one("ana", "attach", conn=3)["from"] = 12
    story.drop("ana", story.one("ana", "recv", conn=3, seq=11))


def _resumed_from_what_it_never_heard(story: Story) -> None:
    story.one("ana", "attach", conn=3)["since"] = 12
    story.one("ana", "attach", conn=3)["from"] = 13
    for seq in (11, 12):
        story.drop("ana", story.one("ana", "recv", conn=3, seq=seq))


def _live_too_early(story: Story) -> None:
    live = story.one("ana", "live", conn=3)
    story.drop("ana", live)
    story.add_after("ana", story.one("ana", "recv", conn=3, seq=12), **live)


def _reset_for_nothing(story: Story) -> None:
    attach = story.one("ana", "attach", conn=3)
    story.add_after("ana", attach, event="reset", reason="unknown_cursor")


def _heard_outside_of_the_room(story: Story) -> None:
    line = story.one("ben", "recv")
    story.add_after("ben", line, conn=7)


def _never_heard_the_last(story: Story) -> None:
    story.drop("ben", story.one("ben", "recv"))


def _heard_the_last_too_late(story: Story) -> None:
    last = story.one("ben", "recv")
    story.drop("ben", last)
    done = story.one("ben", "done")
    quiet = story.one("ben", "quiet")
    story.add_after("ben", quiet, **{**last, "t": done["t"]})


def _left_before_it_was_due(story: Story) -> None:
    _never_heard_the_last(story)
    story.one("ben", "done")["t"] -= 2


def _never_came_back(story: Story) -> None:
    story.add_after("ben", story.one("ben", "recv"), event="close", code=1006)


def _never_got_in(story: Story) -> None:
    story.tell("erin", "close", code=503, conn=1)
    story.tell("erin", "quiet", t=story.one("ana", "quiet")["t"])


def _numbered_out_of_order(story: Story) -> None:
    first, second = (story.one("ben", "send", cid=f"cid n{n}") for n in (14, 15))
    story.drop("ben", second)
    place = story.journals["ben"].index(first)
    story.journals["ben"].insert(place, second)


def _heard_after_the_revocation(story: Story) -> None:
    story.known("revoked")["t"] -= 5


def _let_in_after_the_revocation(story: Story) -> None:
    """It has everything already, so that nothing is sent to it."""
    last = story.rows[-1]["seq"]
    place: Line = {"room": ROOM, "from": last + 1, "head": last}
    story.known("revoked").update(client="dora", t=story.t - 20)
    story.tell("dora", "attach", conn=1, **place)


def _accepted_after_the_revocation(story: Story) -> None:
    revoked = story.known("revoked")
    revoked.update(client="ben", t=story.one("ben", "recv")["t"] - 0.5)
    for event in ("send", "ack"):
        story.one("ben", event, cid="cid last")["t"] += 1


def _replayed_what_was_redacted(story: Story) -> None:
    for line in story.lines("chiara", "recv", conn=2, seq=4):
        line.update(kind="say", hash=hash_of("four!"))
    for line in story.journals["chiara"]:
        if line.get("conn") == 2:
            line["t"] += 2
    story.one("chiara", "done")["t"] += 2
    story.one("chiara", "quiet")["t"] += 2


def _heard_in_another_room(story: Story) -> None:
    """It was said elsewhere, and stands here."""
    sent = story.one("ana", "send", cid="cid eleven")
    sent["room"] = "bench/1"


def _descriptors_leak(story: Story) -> None:
    story.known("survey")["fds"] = 90


def _memory_leaks(story: Story) -> None:
    story.known("survey")["rss"] = 300_000


def _not_looked_at_afterwards(story: Story) -> None:
    story.facts.remove(story.known("survey"))


def _faults_did_not_fire(story: Story) -> None:
    story.facts = [line for line in story.facts if line["event"] != "fired"]


def _hardly_anything_acked(story: Story) -> None:
    for n in range(9):
        story.add_after("ben", story.one("ben", "send", cid="cid last"), cid=f"cid more {n}")


def _nobody_went_quiet(story: Story) -> None:
    for who in ("ana", "ben", "chiara"):
        story.drop(who, story.one(who, "quiet"))


DEFECTS: dict[Defect, str] = {
    _counted_but_not_kept: "C1 C6",
    _one_id_twice: "C1 C2 C4",
    _numbered_twice: "C1",
    _acked_and_lost: "C2",
    _acked_at_anothers_place: "C2 C7",
    _kept_with_another_text: "C2",
    _kept_twice: "C3",
    _acked_at_two_places: "C2 C3",
    _refused_and_kept: "C3",
    _nobodys_text: "C3",
    _redacted_twice: "C2 C3 C4",
    _receipts_missing: "C3",
    _heard_another_text: "C4",
    _heard_another_id: "C4",
    _heard_before_it_was_kept: "C4",
    _tombstone_of_what_stands: "C4",
    _edit_of_something_else: "C4",
    _edit_with_the_words_before_it: "C4",
    _skipped: "C5",
    _heard_twice: "C5",
    _in_the_wrong_order: "C5",
    _resumed_too_far: "C5",
    _resumed_from_what_it_never_heard: "C5",
    _live_too_early: "C5",
    _reset_for_nothing: "C5",
    _heard_outside_of_the_room: "C5",
    _never_heard_the_last: "C6",
    _heard_the_last_too_late: "C6",
    _never_came_back: "C6",
    _never_got_in: "C6",
    _left_before_it_was_due: "vacuous",
    _numbered_out_of_order: "C7",
    _heard_after_the_revocation: "C8",
    _let_in_after_the_revocation: "C8",
    _accepted_after_the_revocation: "C8",
    _replayed_what_was_redacted: "C8",
    _heard_in_another_room: "C10",
    _descriptors_leak: "C11",
    _memory_leaks: "C11",
    _not_looked_at_afterwards: "C11",
    _faults_did_not_fire: "vacuous",
    _hardly_anything_acked: "vacuous",
    _nobody_went_quiet: "vacuous",
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__.strip("_"))
def test_a_defect_is_caught_by_its_check_and_by_no_unrelated_one(
    defect: Defect, story: Story, tmp_path: Path
) -> None:
    defect(story)
    assert " ".join(sorted(story.judged(tmp_path)["breaches"])) == DEFECTS[defect]


@pytest.mark.parametrize(
    ("is_told", "reset", "breaches"),
    [
        (False, "unknown_cursor", {"C2", "C4"}),
        (True, "unknown_cursor", set()),
        (True, None, {"C5"}),
    ],
)
def test_what_a_restored_copy_lacks_is_excused_if_every_cursor_from_there_is_reset(
    story: Story, tmp_path: Path, is_told: bool, reset: str | None, breaches: set[str]
) -> None:
    """Ben's last say is lost with the database that was replaced; then each comes back."""
    lost = story.rows.pop()
    said = story.lines("ben", "send")[-1]
    for who in ("ana", "ben", "chiara"):
        story.journals[who] = [
            line for line in story.journals[who] if line["event"] not in ("quiet", "done")
        ]
        story.attach(who, 8, since=lost["seq"], reset=reset)
    if is_told:
        story.fact("restored", copied=said["t"])
        story.facts[-1]["t"] = said["t"] + 0.1
    for who in ("ana", "ben", "chiara"):
        story.tell(who, "quiet")
        story.tell(who, "done", t=story.t + 6)
    report = story.judged(tmp_path)
    assert set(report["breaches"]) == breaches
    assert report["lost_with_a_copy"] == is_told


def test_a_slow_delivery_fails_only_when_the_delay_is_asked_for(
    story: Story, tmp_path: Path
) -> None:
    last = story.lines("ana", "recv")[-1]
    for line in (last, story.one("ana", "quiet"), story.one("ana", "done")):
        line["t"] += 2
    assert story.judged(tmp_path)["breaches"] == {}
    report = story.judged(tmp_path, "--fresh-p99", "1.5")
    assert report["breaches"] == {"C9": 1}
    assert report["delay"]["histogram"]["<=2.5"] == 1


def test_what_is_replayed_does_not_count_as_a_delay(story: Story, tmp_path: Path) -> None:
    before = story.judged(tmp_path)["delay"]["n"]
    for line in story.lines("chiara", "recv", conn=2)[:-1]:
        story.drop("chiara", line)
    assert story.judged(tmp_path)["delay"]["n"] == before


def test_a_canary_in_a_file_is_found_across_a_chunk_of_reading(
    story: Story, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"." * ((1 << 20) - 5) + b"canarywords")
    report = story.judged(tmp_path, "--search", str(log))
    assert report["breaches"] == {"C10": 1}
    log.write_bytes(b"canary words")
    assert story.judged(tmp_path, "--search", str(log))["breaches"] == {}


def test_a_search_without_a_canary_proves_nothing(story: Story, tmp_path: Path) -> None:
    story.facts.remove(story.known("canary"))
    (tmp_path / "server.log").touch()
    report = story.judged(tmp_path, "--search", str(tmp_path / "server.log"))
    assert report["breaches"] == {"vacuous": 1}


# -- as a process --------------------------------------------------------------------------------


def test_the_command_says_verdict_seed_counter_example_and_twenty_events(
    story: Story, tmp_path: Path
) -> None:
    _skipped(story)
    code, said = _run(tmp_path, story.write(tmp_path))
    assert code == 1
    assert said[0] == "FAIL: {'C5': 1} (seed 7)"
    assert said[1].startswith("C5: heard ('world', 15), where 14 was due (client ben, line ")
    (marked,) = [line for line in said[2:-1] if line.startswith(">")]
    assert json.loads(marked.split(" ", 2)[2])["seq"] == 15
    assert len(said[2:-1]) == 20
    assert json.loads(said[-1])["first"]["check"] == "C5"


def test_the_command_knows_nothing_but_the_standard_library(story: Story, tmp_path: Path) -> None:
    code, said = _run(tmp_path, story.write(tmp_path))
    assert (code, said[0]) == (0, "PASS: no counter-example (seed 7)")


def _run(folder: Path, dumped: Path) -> tuple[int, list[str]]:
    """Isolated: neither the tree nor what is installed can be imported."""
    command = [sys.executable, "-I", "-S", str(checker.__file__), str(folder), str(dumped)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


# -- what it is fed ------------------------------------------------------------------------------


def test_a_line_stands_in_the_journal_before_anything_follows_from_it(tmp_path: Path) -> None:
    journal = of_client(tmp_path, "ana")
    journal.note("send", cid="c1", room=ROOM, hash=hash_of("Adénosine 6 mg"), target=None, conn=1)
    (line,) = (tmp_path / "client-ana.jsonl").read_text("utf-8").splitlines()
    told = json.loads(line)
    assert told.pop("t") > 1_600_000_000
    hashed = hashlib.sha256("Adénosine 6 mg".encode()).hexdigest()[:16]
    assert told == {"event": "send", "cid": "c1", "room": ROOM, "hash": hashed, "conn": 1}
    journal.close()


def test_two_writers_of_the_facts_do_not_cut_each_others_lines(tmp_path: Path) -> None:
    one, two = Journal(tmp_path / FACTS), Journal(tmp_path / FACTS)
    for n in range(50):
        one.note("fault", name="kill", phase="start", t=n)
        two.note("fired", n=1)
    lines = [json.loads(line) for line in (tmp_path / FACTS).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["fault", "fired"] * 50
    assert lines[98]["t"] == 49


def test_a_dump_has_every_entry_with_its_text_as_a_hash_only(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "lounge.db")) as store:
        store.executescript(
            "CREATE TABLE room (id, slug, last_seq, oldest);"
            "CREATE TABLE entry (room_id, seq, id, kind, body, target, at);"
            "CREATE TABLE receipt (dedup);"
            "INSERT INTO room VALUES (3, 'world', 2, 1);"
            "INSERT INTO receipt VALUES (x'00'), (x'01');"
        )
        say = json.dumps({"text": "Adenosine"}).encode()
        store.execute("INSERT INTO entry VALUES (3, 1, 'a', 'say', ?, NULL, 5)", [say])
        store.execute("INSERT INTO entry VALUES (3, 2, 'b', 'redact', '{}', 1, 6)")
        store.commit()
    assert dump(f"sqlite+aiosqlite:///{tmp_path}/lounge.db", tmp_path / "dump") == 2
    room, one, two, receipts = map(json.loads, (tmp_path / "dump").read_text().splitlines())
    assert room == {"table": "room", "room": ROOM, "last_seq": 2, "oldest": 1}
    assert (one["hash"], one["target"], one["at"]) == (hash_of("Adenosine"), None, 5)
    assert (two["hash"], two["target"], two["kind"]) == (None, 1, "redact")
    assert receipts == {"table": "receipt", "n": 2}
