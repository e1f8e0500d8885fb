"""The judge of a chaos run: what the clients wrote down against what SQL holds, by no code of either.

`python -m tests.chaos.checker DIR DUMP.jsonl` reads the journals of a folder (`tests/chaos/journal.py` says
what stands in them) and a dump of the lounge store, and exits with 1 when there is a counter-example to:

    C1   each room's seqs run oldest…last_seq, no hole, no repeat, and no id stands twice
    C2   what was acked is in SQL, at that place, with that text
    C3   each client id made at most one entry, a refused one none, and nobody's text is not there
    C4   what was heard is what SQL has at that place, or had before an edit or a redaction
    C5   on each connection a room's seqs rise by one from attach on, live comes at the head, a cursor
         goes on where it stood, and is reset only with reason
    C6   5 s after quiet and the last fault every client is there and has reached the head
    C7   what one connection said is numbered in the order in which it said it
    C8   of what was committed 1 s after a revocation nothing is heard, nobody is let in and nothing accepted;
         1.5 s after a redaction no text is replayed
    C9   the delay from ack to everybody who was live (p99, only with --fresh-p99)
    C10  no text in a file where none belongs (--search), and none in another room
    C11  descriptors, tasks and memory are back where they were

A run that proves nothing (too few faults fired, too few sends acked, nobody who heard anything) fails as
`vacuous`. A send that got no answer is in doubt: it may be there once, or not at all. What was acked and
heard between the making of a copy of the database and its restoring may be lost; a cursor from there must
be reset.
"""

from __future__ import annotations

import argparse
import json
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

CATCH_UP_SECONDS = 5.0
REVOKED_SECONDS = 1.0
REDACTED_SECONDS = 1.5
DESCRIPTORS = 40  # pools of connections to two databases fill as they are needed
CONTEXT = 20
UNDECIDED = {"storage", "internal"}
"""Codes after which nobody can say whether it was kept."""
BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 60.0)

Line = dict[str, Any]
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Breach:
    """A counter-example, and where to look: a line of a client's journal, or a place in a room."""

    check: str
    says: str
    client: str | None = None
    line: int | None = None
    t: float | None = None
    place: Place | None = None


@dataclass(slots=True)
class Act:
    """All that one client did with one client id."""

    client: str
    cid: str
    room: str
    op: str
    hash: str | None
    target: int | None
    sends: list[Line] = field(default_factory=list)
    acks: list[Line] = field(default_factory=list)
    nacks: list[Line] = field(default_factory=list)
    lost: list[Line] = field(default_factory=list)
    """Acks that went with the database that was replaced by an older copy."""

    def breach(self, check: str, says: str, line: Line) -> Breach:
        place = (self.room, line["seq"]) if "seq" in line else None
        says = f"{self.op} {self.cid} in {self.room}: {says}"
        return Breach(check, says, self.client, line["line"], line["t"], place)


class Store:
    """What SQL holds at the end."""

    def __init__(self, dump: Path) -> None:
        self.rooms: dict[str, Line] = {}
        self.rows: dict[Place, Line] = {}
        self.seqs: dict[str, list[int]] = defaultdict(list)
        self.places: dict[str, list[Place]] = defaultdict(list)
        self.removals: dict[Place, list[Place]] = defaultdict(list)
        self.edits: dict[Place, list[Place]] = defaultdict(list)
        self.receipts: int | None = None
        for _, line in events(dump):
            if line["table"] == "room":
                self.rooms[line["room"]] = line
            elif line["table"] == "receipt":
                self.receipts = line["n"]
            else:
                self._keep(line)

    def head(self, room: str) -> int:
        return int(self.rooms.get(room, {}).get("last_seq", 0))

    def since(self, place: Place) -> float:
        """When the server wrote it there, in seconds since 1970; however late a client may read of it."""
        return float(self.rows[place]["at"]) / 1000 if place in self.rows else 0.0

    def is_gone(self, row: Line) -> bool:
        """Its text was taken away by a redaction that stands in the log."""
        subject = row["target"] if row["kind"] == "edit" else row["seq"]
        return row["hash"] is None and (row["room"], subject) in self.removals

    def _keep(self, row: Line) -> None:
        place = (row["room"], row["seq"])
        self.rows[place] = row
        self.seqs[row["room"]].append(row["seq"])
        if row["hash"] is not None:
            self.places[row["hash"]].append(place)
        if row["kind"] == "redact":
            self.removals[row["room"], row["target"]].append(place)
        if row["kind"] == "edit":
            self.edits[row["room"], row["target"]].append(place)


class Case:
    """Everything that was written down: SQL, the facts, and of the journals what is not a recv."""

    def __init__(self, folder: Path, dump: Path) -> None:
        self.store = Store(dump)
        self.journals = {
            path.stem.removeprefix("client-"): path
            for path in sorted(folder.glob("client-*.jsonl"))
        }
        facts = folder / "facts.jsonl"
        self.facts = [line for _, line in events(facts)] if facts.exists() else []
        self.acts: dict[tuple[str, str], Act] = {}
        self.quiet: dict[str, float] = {}
        self.seeds = {line["seed"] for line in self.of("begin")}
        self.counts: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.began = float("inf")
        self.breaches: list[Breach] = []
        for client, path in self.journals.items():
            for line in events(path):
                self._note(client, *line)
        self.lapses = [(line["copied"], line["t"]) for line in self.of("restored")]
        for act in self.acts.values():
            act.lost = [a for a in act.acks if self.is_lapsed(a["t"]) and not self.is_kept(act, a)]
            act.acks = [ack for ack in act.acks if ack not in act.lost]
        self.sent_in = {act.hash: act.room for act in self.acts.values() if act.hash}
        self.acked: dict[Place, Act] = {
            (act.room, ack["seq"]): act for act in self.acts.values() for ack in act.acks
        }
        self.revoked = {line["client"]: float(line["t"]) for line in self.of("revoked")}
        self.removed = self._removed()

    def of(self, event: str) -> list[Line]:
        """The facts of one kind."""
        return [line for line in self.facts if line["event"] == event]

    def calm(self) -> float:
        """When nothing was sent any more and the last fault was over."""
        return max([*self.quiet.values(), *(line["t"] for line in self.of("fault"))], default=0.0)

    def is_lapsed(self, t: float) -> bool:
        """It was in a time that a restored copy does not know of."""
        return any(copied <= t <= restored for copied, restored in self.lapses)

    def is_kept(self, act: Act, ack: Line) -> bool:
        """SQL has what was acked, where it was acked."""
        row = self.store.rows.get((act.room, ack["seq"]))
        return row is not None and not _unlike(self, act, ack, row)

    def texts(self, place: Place) -> set[str | None]:
        """The hashes that may be heard there. None: one that nobody can know any more."""
        row = self.store.rows[place]
        subject = (row["room"], row["target"]) if row["kind"] == "edit" else place
        later = [edit for edit in self.store.edits[subject] if edit > place]
        return {self._text(each) for each in (place, *later)}

    def _text(self, place: Place) -> str | None:
        row, act = self.store.rows[place], self.acked.get(place)
        return row["hash"] or (act.hash if act else None)

    def _removed(self) -> dict[Place, float]:
        """Since when each redacted place is known to be."""
        facts = [
            ((line["room"], line["seq"]), line["t"])
            for line in self.of("redacted")
            if not self.is_lapsed(line["t"])
        ]
        own = [
            ((act.room, act.target), act.acks[0]["t"])
            for act in self.acts.values()
            if act.op == "redact" and act.acks and act.target is not None
        ]
        since: dict[Place, float] = {}
        for place, t in [*facts, *own]:
            since[place] = min(t, since.get(place, t))
        return since

    def _note(self, client: str, number: int, line: Line) -> None:
        event = line["event"]
        self.counts[event] += 1
        self.began = min(self.began, line["t"])
        line["line"] = number
        if event == "begin":
            self.seeds.add(line["seed"])
        elif event == "close":
            self.closes[str(line["code"])] += 1
        elif event == "quiet":
            self.quiet[client] = line["t"]
        elif event == "send":
            fresh = Act(
                client,
                line["cid"],
                line["room"],
                line.get("op", "say"),
                line.get("hash"),
                line.get("target"),
            )
            self.acts.setdefault((client, line["cid"]), fresh).sends.append(line)
        elif event in ("ack", "nack"):
            self._answered(client, line)

    def _answered(self, client: str, line: Line) -> None:
        act = self.acts.get((client, line["cid"]))
        if act is None:
            says = f"{line['cid']} was answered and never sent"
            self.breaches.append(Breach("C2", says, client, line["line"], line["t"]))
        elif line["event"] == "ack":
            act.acks.append(line)
        else:
            act.nacks.append(line)


def events(path: Path) -> Iterator[tuple[int, Line]]:
    """The numbered lines of a journal; a last one that its writer did not finish is left out."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.endswith("\n"):
                yield number, json.loads(line)


# -- SQL -----------------------------------------------------------------------------------------


def c1(case: Case) -> Iterator[Breach]:
    """No hole, no repeat."""
    store = case.store
    for room in {*store.rooms, *store.seqs}:
        seqs, oldest = store.seqs[room], int(store.rooms.get(room, {}).get("oldest", 1))
        for before, seq in pairwise([oldest - 1, *seqs, store.head(room) + 1]):
            if seq != before + 1:
                says = f"{room}: {seq} follows {before} (head {store.head(room)})"
                yield Breach("C1", says, place=(room, seq))
        ids = Counter(store.rows[room, seq]["id"] for seq in set(seqs))
        for id_ in (each for each, n in ids.items() if n > 1):
            yield Breach(
                "C1", f"{room}: the id {id_} stands {ids[id_]} times", place=(room, oldest)
            )


def c2(case: Case) -> Iterator[Breach]:
    """Acked is kept."""
    for act in case.acts.values():
        for ack in act.acks:
            row = case.store.rows.get((act.room, ack["seq"]))
            wrong = "nothing" if row is None else _unlike(case, act, ack, row)
            if wrong:
                yield act.breach("C2", f"acked at {ack['seq']}, where SQL has {wrong}", ack)


def c3(case: Case) -> Iterator[Breach]:
    """Once, or not at all."""
    yield from _doubled(case)
    yield from _refused_and_kept(case)
    speaking = {act.room for act in case.acts.values()}
    for place, row in case.store.rows.items():
        is_new = row["room"] in speaking and row["at"] >= case.began * 1000
        if is_new and row["hash"] is not None and row["hash"] not in case.sent_in:
            yield Breach("C3", f"{place}: a text that nobody sent", place=place)
    acked = sum(bool(act.acks) for act in case.acts.values())
    if case.store.receipts is not None and case.store.receipts < acked:
        says = f"{case.store.receipts} receipts for {acked} client ids that were acked"
        yield Breach("C3", says)


def _unlike(case: Case, act: Act, ack: Line, row: Line) -> str | None:
    """What SQL has instead of what was acked."""
    is_same = ack["room"] == act.room and row["kind"] == act.op
    is_there = act.op == "say" or row["target"] == act.target
    if not (is_same and is_there and ack.get("id") in (None, row["id"])):
        return "another entry"
    is_kept = act.hash is None or act.hash == row["hash"] or case.store.is_gone(row)
    return None if is_kept else "another text"


def _doubled(case: Case) -> Iterator[Breach]:
    for act in case.acts.values():
        places = case.store.places.get(act.hash or "", [])
        if len(places) > 1:
            yield act.breach("C3", f"it stands at {places}", {**act.sends[0], "seq": places[1][1]})
        seqs = {ack["seq"] for ack in act.acks}
        if len(seqs) > 1:
            yield act.breach("C3", f"acked at {sorted(seqs)}", act.acks[-1])
    for place, removals in case.store.removals.items():
        if len(removals) > 1:
            yield Breach("C3", f"{place} was redacted at {removals}", place=removals[1])


def _refused_and_kept(case: Case) -> Iterator[Breach]:
    """Judged only when each send of it got its own refusal: one that got none may yet be kept."""
    for act in case.acts.values():
        is_refused = not act.acks and len(act.nacks) >= len(act.sends)
        is_decided = not UNDECIDED & {nack["code"] for nack in act.nacks}
        if is_refused and is_decided and case.store.places.get(act.hash or ""):
            yield act.breach("C3", f"refused ({act.nacks[-1]['code']}), and kept", act.nacks[-1])


# -- what each client heard ----------------------------------------------------------------------


@dataclass(slots=True)
class View:
    """What one connection has been sent of one room since it attached.

    `live` and `most` (the highest seq) outlive a further attach on the same connection: a delay is that of
    the first hearing, by whoever had caught up before.
    """

    next: int
    since: int | None
    attached: float
    head: int
    live: float | None = None
    most: int = 0
    reached: float | None = None
    owes: str | None = None
    """What is wrong with its beginning, unless a reset says so before anything else comes."""


class Walk:
    """One client's journal from the first line to `done`: C4, C5, C6, C8, C9, C10."""

    def __init__(self, case: Case, client: str, delays: array[float]) -> None:
        self._case = case
        self._store = case.store
        self._client = client
        self._delays = delays
        self._views: dict[tuple[int, str], View] = {}
        self._rooms: set[str] = set()
        self._seen: set[Place] = set()
        self._true: set[Place] = set()
        self._lost: set[Place] = set()
        """Heard from a database that was replaced: another line of this doctor may still stand there."""
        self._number = 0
        self._ended = 0.0
        self._gone = case.revoked.get(client, float("inf")) + REVOKED_SECONDS

    def breaches(self) -> Iterator[Breach]:
        for number, line in events(self._case.journals[self._client]):
            self._number, event = number, line["event"]
            if event == "recv":
                yield from self._recv(line)
            elif event == "attach":
                yield from self._attach(line)
            elif event in ("live", "reset"):
                yield from self._live(line) if event == "live" else self._reset(line)
            elif event == "close":
                for key in [key for key in self._views if key[0] == line["conn"]]:
                    del self._views[key]
            self._ended = line["t"]
            if event == "done":
                break
        yield from self._unobserved()

    def _attach(self, line: Line) -> Iterator[Breach]:
        room, since = line["room"], line.get("since")
        if line["t"] > self._gone < self._store.since((room, line["head"])):
            yield self._breach("C8", f"was let into {room} after it was revoked", line)
        view = View(line["from"], since, line["t"], line["head"])
        before = self._views.get((line["conn"], room))
        if before is not None:
            view.live, view.most = before.live, before.most
        if since is not None and line["from"] != since + 1:
            view.owes = f"had {room} up to {since} and was resumed at {line['from']}"
        elif since and (room, since) not in self._seen:
            view.owes = f"was resumed after {since} of {room}, which it never heard"
        elif since and (room, since) not in self._true and not self._case.is_lapsed(line["t"]):
            view.owes = f"was resumed after {since} of {room}, which SQL does not have"
        self._views[line["conn"], room] = view
        self._rooms.add(room)
        self._reach(line, view)

    def _reset(self, line: Line) -> Iterator[Breach]:
        view = self._views.get((line["conn"], line["room"]))
        if view is None:
            yield self._breach("C5", f"a reset of {line['room']}, which it is not in", line)
            return
        view.owes = None
        place = (line["room"], view.since or 0)
        oldest = int(self._store.rooms.get(line["room"], {}).get("oldest", 1))
        if place in self._true - self._lost and oldest <= place[1] + 1:
            yield self._breach("C5", f"{line['room']} was reset, and its cursor was good", line)

    def _live(self, line: Line) -> Iterator[Breach]:
        view = self._views.get((line["conn"], line["room"]))
        if view is None:
            yield self._breach("C5", f"live in {line['room']}, which it is not in", line)
            return
        yield from self._overdue(view, line)
        if view.next <= line["head"]:
            says = f"live at {line['head']} in {line['room']}, sent up to {view.next - 1}"
            yield self._breach("C5", says, line)
        view.live = view.live or line["t"]
        self._reach(line, view)

    def _recv(self, line: Line) -> Iterator[Breach]:
        place, view = (line["room"], line["seq"]), self._views.get((line["conn"], line["room"]))
        if line["t"] > self._gone < self._store.since(place):
            yield self._breach("C8", f"heard {place}, said after it was revoked", line)
        if self._case.sent_in.get(line.get("hash", ""), place[0]) != place[0]:
            yield self._breach("C10", f"heard at {place} what was said in another room", line)
        if view is None:
            yield self._breach("C5", f"heard {place} outside of the room", line)
        else:
            yield from self._in_order(view, line)
        wrong = self._differs(line)
        if wrong is None:
            self._true.add(place)
        elif self._case.is_lapsed(line["t"]):
            self._lost.add(place)
        else:
            yield self._breach("C4", f"heard at {place} {wrong}", line)
        self._seen.add(place)

    def _in_order(self, view: View, line: Line) -> Iterator[Breach]:
        place = (line["room"], line["seq"])
        yield from self._overdue(view, line)
        if line["seq"] != view.next:
            yield self._breach("C5", f"heard {place}, where {view.next} was due", line)
        view.next = line["seq"] + 1
        subject = (line["room"], line["target"]) if line["kind"] == "edit" else place
        removed = self._case.removed.get(subject, float("inf"))
        known = any(seq <= view.head for _, seq in self._store.removals.get(subject, ()))
        # the answer tells what the server knew; the client may have read it much later
        if line.get("hash") and known and view.attached > removed + REDACTED_SECONDS:
            yield self._breach("C8", f"was replayed the text of {place}, which is redacted", line)
        self._time(view, line)
        self._reach(line, view)

    def _differs(self, line: Line) -> str | None:
        """How what was heard is not what SQL has."""
        place = (line["room"], line["seq"])
        row = self._store.rows.get(place)
        if row is None or row["id"] != line["id"]:
            return "an entry that SQL does not have" if row is None else "the id of another entry"
        if line["kind"] == "tombstone":
            return None if self._store.is_gone(row) else "a tombstone of what stands"
        if line["kind"] != row["kind"]:
            return f"a {line['kind']}, and SQL has a {row['kind']}"
        if row["kind"] != "say" and line.get("target") != row["target"]:
            return "another target"
        texts = self._case.texts(place) if "hash" in line else {None}
        is_known = line.get("hash") in texts or (
            None in texts and line["hash"] in self._case.sent_in
        )
        return None if is_known else "another text"

    def _overdue(self, view: View, line: Line) -> Iterator[Breach]:
        if view.owes is not None:
            yield self._breach("C5", f"{view.owes}, without a reset", line)
            view.owes = None

    def _time(self, view: View, line: Line) -> None:
        is_first, view.most = line["seq"] > view.most, max(view.most, line["seq"])
        act = self._case.acked.get((line["room"], line["seq"]))
        if act is None or view.live is None or all(ack.get("dup") for ack in act.acks):
            return
        said = min(ack["t"] for ack in act.acks)
        if is_first and said >= view.live:
            self._delays.append(max(0.0, line["t"] - said))

    def _reach(self, line: Line, view: View) -> None:
        if view.reached is None and view.next > self._store.head(line["room"]):
            view.reached = line["t"]

    def _unobserved(self) -> Iterator[Breach]:
        if self._client not in self._case.quiet or self._client in self._case.revoked:
            return
        calm = self._case.calm()
        if not self._rooms:
            yield Breach("C6", "it never was in any room", self._client, self._number, calm)
        for room in self._rooms - {room for _, room in self._views}:
            yield Breach("C6", f"at the end it was not in {room}", self._client, self._number, calm)
        for (conn, room), view in self._views.items():
            due = max(calm, view.attached) + CATCH_UP_SECONDS
            if view.reached is None and self._ended < due:
                yield from self._left_early(room, calm)
            elif view.reached is None or view.reached > due:
                had = f"up to {view.next - 1} by {view.reached or 'the end'}, due by {due}"
                says = f"connection {conn} had {room} {had}; its head is {self._store.head(room)}"
                yield Breach("C6", says, self._client, self._number, due, (room, view.next))

    def _left_early(self, room: str, calm: float) -> Iterator[Breach]:
        """Whoever has only just come back is given no verdict, if the others had their time."""
        if self._ended < calm + CATCH_UP_SECONDS:
            says = f"{self._client} left before it was due to have reached the head of {room}"
            yield Breach("vacuous", says, self._client, self._number, self._ended)

    def _breach(self, check: str, says: str, line: Line) -> Breach:
        place = (line["room"], line.get("seq", 0))
        return Breach(check, says, self._client, self._number, line["t"], place)


# -- the rest ------------------------------------------------------------------------------------


def c7(case: Case) -> Iterator[Breach]:
    """In the order of saying. A client id that was refused meanwhile has lost its place in the row."""
    rows: dict[tuple[str, int, str], list[tuple[int, Line, Act]]] = defaultdict(list)
    for act in case.acts.values():
        refused = {nack["conn"] for nack in act.nacks}
        for ack in act.acks:
            conn = ack["conn"]
            sent = [send["line"] for send in act.sends if send["conn"] == conn]
            if act.op == "say" and sent and conn not in refused and not ack.get("dup"):
                rows[act.client, conn, act.room].append((sent[0], ack, act))
    for (_, conn, _), said in rows.items():
        said.sort(key=lambda each: each[0])
        for (_, before, _), (_, ack, act) in pairwise(said):
            if ack["seq"] < before["seq"]:
                says = f"got {ack['seq']} on connection {conn}, and what went before it {before['seq']}"
                yield act.breach("C7", says, ack)


def c8(case: Case) -> Iterator[Breach]:
    """Nothing is accepted of whoever was revoked."""
    for act in case.acts.values():
        late = case.revoked.get(act.client, float("inf")) + REVOKED_SECONDS
        if act.acks and not act.acks[0].get("dup") and act.sends[0]["t"] > late:
            yield act.breach("C8", "sent after the revocation, and acked", act.acks[0])


def c10(case: Case, files: Iterable[Path]) -> Iterator[Breach]:
    """No canary in these files."""
    canaries = [line["text"].encode() for line in case.of("canary")]
    longest = max(map(len, canaries), default=0)
    for path in files:
        if not canaries:
            yield Breach("vacuous", f"{path} was to be searched, and no canary is known")
        found: set[bytes] = set()
        with path.open("rb") as file:
            kept = b""
            while chunk := file.read(1 << 20):
                found |= {each for each in canaries if each in kept + chunk}
                kept = chunk[-longest:]
        for each in sorted(found):
            yield Breach("C10", f"{path} holds {each.decode()!r}")


def c11(case: Case, rss_factor: float) -> Iterator[Breach]:
    """As it was before."""
    surveys: dict[str, dict[str, Line]] = {"before": {}, "after": {}}
    for line in case.of("survey"):
        surveys[line["phase"]][line["process"]] = line
    for process, before in surveys["before"].items():
        after = surveys["after"].get(process)
        if after is None:
            yield Breach("C11", f"{process} was not looked at afterwards")
            continue
        for what in ("fds", "tasks"):
            if abs(after.get(what, 0) - before.get(what, 0)) > DESCRIPTORS:
                yield Breach("C11", f"{process}: {what} {before[what]} before, {after[what]} after")
        if after["rss"] > before["rss"] * rss_factor:
            yield Breach("C11", f"{process}: rss {before['rss']} before, {after['rss']} after")


def vacuous(case: Case, report: Line, min_fired: float, min_acked: float) -> Iterator[Breach]:
    """What would prove nothing."""
    planned, fired = report["planned"], report["fired"]
    if planned and fired < planned * min_fired:
        yield Breach("vacuous", f"{fired} of {planned} planned faults fired")
    if report["acked_share"] < min_acked:
        yield Breach(
            "vacuous", f"{report['acked']} of {report['client_ids']} client ids were acked"
        )
    for event in ("send", "recv", "attach", "quiet"):
        if not case.counts[event]:
            yield Breach("vacuous", f"no client wrote {event!r}")


# -- the verdict ---------------------------------------------------------------------------------


def judge(options: argparse.Namespace) -> tuple[Case, list[Breach], Line]:
    """All counter-examples, the earliest first, and the report."""
    case, delays = Case(options.folder, options.dump), array("d")
    found = [*case.breaches, *c1(case), *c2(case), *c3(case), *c7(case), *c8(case)]
    for client in case.journals:
        found += Walk(case, client, delays).breaches()
    found += [*c10(case, options.search), *c11(case, options.rss_factor)]
    report = _report(case, delays)
    found += vacuous(case, report, options.min_fired, options.min_acked)
    p99, allowed = report["delay"]["p99"], options.fresh_p99
    if allowed is not None and (p99 is None or p99 > allowed):
        check = "vacuous" if p99 is None else "C9"
        found.append(Breach(check, f"the delay's p99 is {p99} s, allowed are {allowed} s"))
    found.sort(key=lambda each: (each.t is None, each.t or 0.0))
    report["breaches"] = dict(Counter(each.check for each in found))
    report["first"] = asdict(found[0]) if found else None
    return case, found, {"verdict": "fail" if found else "pass", **report}


def context(case: Case, breach: Breach) -> list[str]:
    """Up to 20 events around it: of its client, else of its place in any journal, else the facts."""
    if breach.client is not None and breach.line is not None:
        first = max(1, breach.line - CONTEXT * 2 // 3)
        there = islice(events(case.journals[breach.client]), first - 1, first - 1 + CONTEXT)
        return [f"{'>' if n == breach.line else ' '} {n} {json.dumps(line)}" for n, line in there]
    if breach.place is None:
        return [f"  {json.dumps(line)}" for line in case.facts[-CONTEXT:]]
    room, seq = breach.place
    near = [
        (abs(line["seq"] - seq), line["t"], f"  {client}:{n} {json.dumps(line)}")
        for client, path in case.journals.items()
        for n, line in events(path)
        if line.get("room") == room and "seq" in line
    ]
    return [line for _, _, line in sorted(sorted(near)[:CONTEXT], key=lambda each: each[1])]


def _report(case: Case, delays: array[float]) -> Line:
    acts = case.acts.values()
    acked = sum(bool(act.acks or act.lost) for act in acts)
    refused = sum(
        not (act.acks or act.lost) and any(n.get("final") for n in act.nacks) for act in acts
    )
    return {
        "seeds": sorted(case.seeds, key=str),
        "clients": len(case.journals),
        "events": dict(case.counts),
        "closes": dict(case.closes),
        "nacks": dict(Counter(nack["code"] for act in acts for nack in act.nacks)),
        "client_ids": len(acts),
        "acked": acked,
        "acked_share": round(acked / len(acts), 4) if acts else 0.0,
        "undecided": len(acts) - acked - refused,
        "lost_with_a_copy": sum(bool(act.lost) for act in acts),
        "entries": len(case.store.rows),
        "receipts": case.store.receipts,
        "planned": sum(line["n"] for line in case.of("planned")),
        "fired": sum(line["n"] for line in case.of("fired")),
        "delay": _delay(sorted(delays)),
    }


def _delay(delays: list[float]) -> Line:
    """Seconds, and how many lay below each bound."""
    figures: Line = {"n": len(delays)}
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)):
        rank = max(0, min(len(delays), -int(-len(delays) * share // 1)) - 1)
        figures[name] = round(delays[rank], 4) if delays else None
    bounds = (*BUCKETS, float("inf"))
    below = [sum(each <= bound for each in delays) for bound in bounds]
    figures["histogram"] = {
        f"<={bound}": n - before
        for bound, n, before in zip(bounds, below, [0, *below], strict=False)
    }
    return figures


def main(arguments: list[str]) -> int:
    """Print verdict, first counter-example, seed, and the report as the last line; 0 only if all is well."""
    options = _options().parse_args(arguments)
    case, found, report = judge(options)
    seeds = ", ".join(map(str, report["seeds"])) or "not told"
    print(
        f"{report['verdict'].upper()}: {report['breaches'] or 'no counter-example'} (seed {seeds})"
    )
    if found:
        first = found[0]
        print(f"{first.check}: {first.says} (client {first.client}, line {first.line})")
        print(*context(case, first), sep="\n")
    print(json.dumps(report))
    return 1 if found else 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.checker")
    options.add_argument("folder", metavar="DIR", type=Path)
    options.add_argument("dump", metavar="DUMP.jsonl", type=Path)
    options.add_argument("--fresh-p99", type=float, help="seconds")
    options.add_argument("--min-fired", type=float, default=0.95)
    options.add_argument("--min-acked", type=float, default=0.80)
    options.add_argument("--rss-factor", type=float, default=1.5)
    options.add_argument("--search", metavar="FILE", type=Path, nargs="+", default=[])
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
