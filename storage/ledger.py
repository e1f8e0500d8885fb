"""What one transaction does to rooms, reckoned without I/O: numbers, receipts, refusals, rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.acts import (
    Act,
    Answer,
    CidConflict,
    Draft,
    Elsewhere,
    Outcome,
    PersonaRow,
    Placed,
    Stale,
)
from storage.database import StorageError

Receipt = tuple[bytes, tuple[Placed, ...]]
"""The fingerprint of an act that a client id made, and where its entries are."""


@dataclass(slots=True)
class Head:
    """Where a room stands inside the transaction."""

    slug: str
    last_seq: int
    says: int
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """What one act has in one room, now in SQL: drafts at their places, in the room of that slug."""

    room: str
    act: Act
    placed: tuple[Placed, ...]
    drafts: tuple[Draft, ...] = ()
    name: str | None = None
    """The name of the act's persona, when the act brought its row."""


@dataclass(slots=True)
class Names:
    """The names of personas as read under the rooms' locks, and those that this transaction gives."""

    given: dict[bytes, str] = field(default_factory=dict)
    taken: set[tuple[int, str]] = field(default_factory=set)

    def give(self, room_id: int, row: PersonaRow) -> str | None:
        """What this persona is called: what it was called before, or the first of its names that is free."""
        if len(row.names) < 2:
            return row.names[0] if row.names else None
        if row.id not in self.given:
            free = (name for name in row.names if (room_id, name) not in self.taken)
            name = next(free, row.names[-1])  # were all taken, the index would refuse it
            self.given[row.id] = name
            self.taken.add((room_id, name))
        return self.given[row.id]


@dataclass(slots=True)
class Ledger:
    """Heads and receipts as read under the rooms' locks; `at` is the transaction's time in ms."""

    epoch: int
    at: int
    heads: Mapping[int, Head]
    receipts: dict[bytes, Receipt]
    commits: list[Commit] = field(default_factory=list)
    names: Names = field(default_factory=Names)

    def refusal(self, act: Act) -> Answer | None:
        """The answer to an act that is not to be done: done before, or not allowed. None: go on."""
        known = self.receipts.get(act.dedup)
        if known is not None:
            fingerprint, placed = known
            return Outcome(placed, True) if fingerprint == act.fingerprint else CidConflict()
        if act.epoch != self.epoch:
            return Stale()
        rooms = {part.room_id for part in act.parts}
        numbered = {step.room_id for step in act.steps if step.room_id is not None}
        are_there = rooms <= self.heads.keys() and numbered <= rooms
        return None if are_there else StorageError("no such room")

    def next_seq(self, room_id: int) -> int:
        """Where an act's first entry would go in a room."""
        return self.heads[room_id].last_seq + 1

    def place(self, act: Act) -> Outcome:
        """Number the act's entries. Only for an act whose guards hold."""
        name = None if act.persona is None else self.names.give(act.room_id, act.persona)
        own, *others = (self._part(act, part, name) for part in act.parts)
        self.receipts[act.dedup] = (act.fingerprint, own.placed)
        self.commits += [own, *others]
        return Outcome(own.placed, name=name)

    def _part(self, act: Act, part: Elsewhere, name: str | None) -> Commit:
        head = self.heads[part.room_id]
        placed = tuple(self._number(head, draft) for draft in part.drafts)
        return Commit(head.slug, act, placed, part.drafts, name)

    def _number(self, head: Head, draft: Draft) -> Placed:
        head.last_seq += 1
        head.says += draft.is_say
        head.moved = True
        return Placed(head.last_seq, draft.id, self.at, head.says)


def digest(slug: str, placed: Placed, draft: Draft) -> bytes:
    """SHA-256 over salt, place and body; without the salt nobody can try texts against it."""
    parts = (slug, placed.seq, placed.id, draft.kind, placed.at, draft.target, "")
    place = "\n".join(map(str, parts)).encode()
    return hashlib.sha256(draft.salt + place + (draft.persona or b"") + draft.body).digest()
