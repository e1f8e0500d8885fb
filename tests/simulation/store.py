"""The one store, modelled: rows, receipts, a lock, and transactions that may fail at every step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from channels.log import Page, Request
from channels.ring import Item
from storage.acts import Act, Answer, Missed, Placed
from storage.ledger import Commit, Head, Ledger, Receipt
from tests.simulation.verdict import Violation

ROOMS = ("world", "ward")
FRAME_BYTES = 4


class Row:
    """One version of an entry. Its bytes are a number in the frames' table, and nothing else."""

    __slots__ = ("about", "cid", "id", "item", "mark", "prev", "rewrites", "seq", "subject", "text")

    def __init__(
        self,
        frames: list[Row],
        seq: int,
        id: str,
        prev: str | None,
        cid: bytes,
        about: int | None = None,
        subject: str | None = None,
        rewrites: bool = False,
        text: int = 0,
        mark: int = 0,
    ) -> None:
        self.seq = seq
        self.id = id
        self.prev = prev
        """The id of the entry before it: histories that are mixed do not fit together."""
        self.cid = cid
        self.about = about
        self.subject = subject
        """The id of the entry whose text it shows."""
        self.rewrites = rewrites
        self.text = text
        """The seq of what last rewrote the text that it shows."""
        self.mark = mark
        """The seq of what was last said about it without rewriting it."""
        payload = len(frames).to_bytes(FRAME_BYTES, sys.byteorder)
        frames.append(self)
        self.item = Item(seq, id, seq, payload, about, rewrites)

    def changed(self, frames: list[Row], text: int, mark: int) -> Row:
        """The same entry as it stands from now on."""
        return Row(
            frames,
            self.seq,
            self.id,
            self.prev,
            self.cid,
            self.about,
            self.subject,
            self.rewrites,
            text,
            mark,
        )


@dataclass(slots=True)
class Copy:
    """What a backup holds."""

    rows: list[list[Row]]
    last_seq: list[int]
    oldest: list[int]
    receipts: dict[bytes, Receipt]
    redacted: dict[str, int]


class Store:
    """Committed rows. `holder` is whoever has the lock."""

    def __init__(self) -> None:
        self.frames: list[Row] = []
        self.rows: list[list[Row]] = [[] for _ in ROOMS]
        self.last_seq = [0 for _ in ROOMS]
        self.oldest = [1 for _ in ROOMS]
        self.receipts: dict[bytes, Receipt] = {}
        self.redacted: dict[str, int] = {}
        """Entries without their text any more, by id, and the seq of what removed it."""
        self.erased: set[str] = set()
        """Ids of what a restore took away."""
        self.ids: set[str] = set()
        self.epoch = 0
        self.revoked: set[bytes] = set()
        """Names of doctors of whom nothing may be committed any more."""
        self.holder: object | None = None

    def page(self, request: Request) -> Page:
        """What a read finds just now."""
        room = ROOMS.index(request.room)
        rows, oldest = self.rows[room], self.oldest[room]
        head = len(rows)
        if request.after is None:
            start, end = max(oldest - 1, head - request.limit), head
        else:
            start = max(request.after, oldest - 1)
            end = start + request.limit
        return Page([row.item for row in rows[start:end]], head, head, oldest)

    def has(self, room: int, seq: int, id: str) -> bool:
        """Is that entry there?"""
        rows = self.rows[room]
        return 0 < seq <= len(rows) and rows[seq - 1].id == id

    def copy(self) -> Copy:
        rows = [list(rows) for rows in self.rows]
        return Copy(
            rows,
            list(self.last_seq),
            list(self.oldest),
            dict(self.receipts),
            dict(self.redacted),
        )

    def restore(self, copy: Copy) -> None:
        """Put an older copy in the place of what there is."""
        for room, kept in enumerate(copy.rows):
            gone = self.rows[room][len(kept) :]
            self.erased.update(row.id for row in gone)
            self.ids.difference_update(row.id for row in gone)
        self.rows = [list(rows) for rows in copy.rows]
        self.last_seq = list(copy.last_seq)
        self.oldest = list(copy.oldest)
        self.receipts = dict(copy.receipts)
        self.redacted = dict(copy.redacted)


class Transaction:
    """One batch under the lock: `admit`, `write`, `commit`, each of which somebody may not live to see."""

    def __init__(self, store: Store, acts: Sequence[Act], at: int) -> None:
        self._store = store
        self.acts = acts
        self.answers: list[Answer] = []
        self.rows: list[tuple[Commit, list[Row]]] = []
        self.stage = 0
        rooms = sorted({act.room_id for act in acts})
        heads = {n: Head(ROOMS[n], store.last_seq[n], store.last_seq[n]) for n in rooms}
        receipts = {
            act.dedup: store.receipts[act.dedup] for act in acts if act.dedup in store.receipts
        }
        self.ledger = Ledger(store.epoch, at, heads, receipts)
        self._redacted: set[tuple[int, int]] = set()

    def admit(self) -> None:
        for act in self.acts:
            refusal = self.ledger.refusal(act)
            if refusal is None:
                refusal = self.ledger.place(act) if self._holds(act) else Missed()
            self.answers.append(refusal)

    def write(self) -> None:
        """The rows as they are announced."""
        ends: dict[int, str | None] = {}
        for commit in self.ledger.commits:
            room = commit.act.room_id
            if room not in ends:
                rows = self._store.rows[room]
                ends[room] = rows[-1].id if rows else None
            made = []
            for draft, placed in zip(commit.act.drafts, commit.placed, strict=True):
                made.append(self._row(commit.act, draft.kind, draft.target, placed, ends[room]))
                ends[room] = draft.id
            self.rows.append((commit, made))

    def commit(self) -> None:
        """From here on everybody can read it."""
        store = self._store
        for commit, made in self.rows:
            act, room = commit.act, commit.act.room_id
            if act.dedup.partition(b":")[0] in store.revoked:
                raise Violation(f"committed after its doctor was revoked: {act.dedup!r}")
            if act.dedup in store.receipts:
                raise Violation(f"one client id, two acts: {act.dedup!r}")
            store.receipts[act.dedup] = (act.fingerprint, commit.placed)
            for row, draft in zip(made, act.drafts, strict=True):
                rows = store.rows[room]
                if row.seq != len(rows) + 1:
                    raise Violation(f"C1: {row.seq} was to follow {len(rows)}")
                rows.append(row)
                store.ids.add(row.id)
                if row.about is not None:
                    self._correct(rows, row, draft.kind)
        for room, head in self.ledger.heads.items():
            if head.moved:
                store.last_seq[room] = head.last_seq

    def _holds(self, act: Act) -> bool:
        """The guard of what is about another entry: it is there, it is their own, it has its text."""
        draft = act.drafts[0]
        if draft.target is None:
            return True
        rows = self._store.rows[act.room_id]
        if draft.target > len(rows) or (act.room_id, draft.target) in self._redacted:
            return False
        subject = rows[draft.target - 1]
        if subject.about is not None or subject.id in self._store.redacted:
            return False
        if draft.kind == "redact":
            self._redacted.add((act.room_id, draft.target))
        return True

    def _row(
        self, act: Act, kind: str, target: int | None, placed: Placed, prev: str | None
    ) -> Row:
        rewrites = kind in ("edit", "redact")
        subject: str | None = placed.id
        if target is not None:
            subject = self._store.rows[act.room_id][target - 1].id if rewrites else None
        return Row(
            self._store.frames,
            placed.seq,
            placed.id,
            prev,
            act.dedup,
            target,
            subject,
            rewrites,
            placed.seq if rewrites else 0,
        )

    def _correct(self, rows: list[Row], row: Row, kind: str) -> None:
        at, frames = row.about, self._store.frames
        assert at is not None
        subject = rows[at - 1]
        if not row.rewrites:
            rows[at - 1] = subject.changed(frames, subject.text, row.seq)
            return
        rows[at - 1] = subject.changed(frames, row.seq, subject.mark)
        for n in range(at, len(rows) - 1):
            if rows[n].rewrites and rows[n].about == at:
                rows[n] = rows[n].changed(frames, row.seq, 0)
        if kind == "redact":
            self._store.redacted[subject.id] = row.seq
