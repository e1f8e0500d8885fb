"""Group commit: one task takes what is queued and commits it in one transaction, then says so.

The promise: an outcome is given only after COMMIT returned; seqs of a room are 1, 2, 3… in commit order,
and one client id makes at most one act, however often and from wherever it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Text, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import gate, index
from storage.acts import (
    Act,
    CidConflict,
    Draft,
    Missed,
    Outcome,
    PersonaRow,
    Placed,
    QueueFull,
    Stale,
    Step,
)
from storage.database import Database, StorageError
from storage.entries import FIND_RECEIPTS, as_receipt
from storage.schema import entry, outbox, persona, receipt, room

log = structlog.get_logger()

BATCH_ACTS = 256
BATCH_BYTES = 256 * 1024
QUEUE_ACTS = 4096
QUEUE_BYTES = 8 * 1024 * 1024

Answer = Outcome | Exception
_UNFIT = (ValueError, OverflowError)  # what drivers raise for a value that they cannot send


@dataclass(frozen=True, slots=True)
class Commit:
    """One act that is now in SQL: its drafts at their places, in the room of that slug."""

    room: str
    act: Act
    placed: tuple[Placed, ...]


Announce = Callable[[Sequence[Commit]], None]


class Writer:
    """The only task of a process that appends entries. `announce` hears of commits before their senders."""

    def __init__(self, database: Database, announce: Announce) -> None:
        self._database = database
        self._announce = announce
        self._queue: deque[tuple[Act, asyncio.Future[Outcome]]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.epoch = 0
        """The gate's epoch as last read by a commit."""

    def submit(self, act: Act) -> asyncio.Future[Outcome]:
        """Queue an act. The future gives its Outcome, or raises Missed, CidConflict, Stale or StorageError.

        Raises QueueFull at once when too much waits.
        """
        if len(self._queue) >= QUEUE_ACTS or self._queued_bytes + act.bytes > QUEUE_BYTES:
            raise QueueFull
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((act, future))
        self._queued_bytes += act.bytes
        self._idle.clear()
        self._wake.set()
        return future

    @property
    def waiting(self) -> int:
        """Acts queued and not yet taken into a transaction."""
        return len(self._queue)

    async def run(self) -> None:
        """Commit for ever. Cancelled only after `drain`."""
        while True:
            await self._wake.wait()
            while self._queue:
                await self._settle(self._take())
            self._wake.clear()
            self._idle.set()

    async def drain(self) -> None:
        """Wait until everything queued is answered."""
        await self._idle.wait()

    def _take(self) -> list[tuple[Act, asyncio.Future[Outcome]]]:
        batch: list[tuple[Act, asyncio.Future[Outcome]]] = []
        size = 0
        while self._queue and len(batch) < BATCH_ACTS and (size < BATCH_BYTES or not batch):
            item = self._queue.popleft()
            size += item[0].bytes
            batch.append(item)
        self._queued_bytes -= size
        return batch

    async def _settle(self, batch: Sequence[tuple[Act, asyncio.Future[Outcome]]]) -> None:
        """Everyone in the batch is answered, whatever happens to it."""
        answers: Sequence[Answer] = [StorageError("writer") for _ in batch]
        try:
            answers = await self._attempt([act for act, _ in batch])
        finally:
            for (_, future), answer in zip(batch, answers, strict=True):
                _resolve(future, answer)

    async def _attempt(self, acts: Sequence[Act], *, again: bool = True) -> list[Answer]:
        """Commit, or find out what stood in the way: a lost connection, one bad act, or the database."""
        try:
            return await self._commit(acts)
        except (SQLAlchemyError, StorageError, OSError, TimeoutError, *_UNFIT) as error:
            if again and isinstance(error, DBAPIError) and error.connection_invalidated:
                # The commit's fate is unknown: run the same batch again, receipts decide.
                return await self._attempt(acts, again=False)
            if len(acts) > 1 and _is_about_a_row(error):
                half = len(acts) // 2
                return [*await self._attempt(acts[:half]), *await self._attempt(acts[half:])]
            return self._failed(acts, error)

    def _failed(self, acts: Sequence[Act], error: Exception) -> list[Answer]:
        log.error("commit failed", acts=len(acts), fault=type(error).__name__)
        return [StorageError(type(error).__name__) for _ in acts]

    async def _commit(self, acts: Sequence[Act]) -> list[Answer]:
        async with self._database.raw_writing() as connection:
            batch = await _Batch.begin(connection, acts, self._database.is_sqlite)
            answers = [await batch.admit(act) for act in acts]
            await batch.write()
        self.epoch = batch.epoch
        if any(commit.act.scrub for commit in batch.commits):
            self._database.scrub_soon()
        if batch.commits:
            self._tell(batch.commits)
        return answers

    def _tell(self, commits: Sequence[Commit]) -> None:
        try:
            self._announce(commits)
        except Exception as error:
            # It is in SQL all the same: its senders are told so, and listeners learn it by the head poll.
            log.error("announcement failed", fault=type(error).__name__, exc_info=True)


@dataclass(slots=True)
class _Head:
    slug: str
    last_seq: int
    says: int
    moved: bool = False


@dataclass(slots=True)
class _Batch:
    """One transaction's worth: heads under lock, receipts found, rows gathered."""

    connection: AsyncConnection
    is_sqlite: bool
    epoch: int
    at: int
    heads: dict[int, _Head]
    receipts: dict[bytes, tuple[bytes, tuple[Placed, ...]]]
    commits: list[Commit] = field(default_factory=list)
    entry_rows: list[dict[str, Any]] = field(default_factory=list)
    receipt_rows: list[dict[str, Any]] = field(default_factory=list)
    index_rows: list[dict[str, Any]] = field(default_factory=list)
    persona_rows: dict[bytes, PersonaRow] = field(default_factory=dict)
    letter_rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    async def begin(
        cls, connection: AsyncConnection, acts: Sequence[Act], is_sqlite: bool
    ) -> _Batch:
        # Rooms are locked in id order, so that two processes never wait for each other in a circle.
        rooms = await connection.execute(_LOCK_ROOMS, {"ids": sorted({a.room_id for a in acts})})
        heads = {i: _Head(slug, last_seq, says) for i, slug, last_seq, says in rooms}
        found = await connection.execute(FIND_RECEIPTS, {"dedups": [a.dedup for a in acts]})
        receipts = {bytes(row.dedup): as_receipt(row) for row in found}
        return cls(
            connection=connection,
            is_sqlite=is_sqlite,
            epoch=await gate.held_epoch(connection),
            at=time.time_ns() // 1_000_000,
            heads=heads,
            receipts=receipts,
        )

    async def admit(self, act: Act) -> Answer:
        known = self.receipts.get(act.dedup)
        if known is not None:
            fingerprint, placed = known
            return Outcome(placed, True) if fingerprint == act.fingerprint else CidConflict()
        if act.epoch != self.epoch:
            return Stale()
        if act.room_id not in self.heads:
            return StorageError("no such room")
        if act.steps and not await self._guarded(act):
            return Missed()
        self._place(act)
        return Outcome(self.receipts[act.dedup][1])

    async def _guarded(self, act: Act) -> bool:
        savepoint = await self.connection.begin_nested()
        for step in act.steps:
            if not await self._holds(step, self.heads[act.room_id].last_seq + 1):
                await savepoint.rollback()
                return False
        await savepoint.commit()
        return True

    async def _holds(self, step: Step, act_seq: int) -> bool:
        values = {**step.values, "act_seq": act_seq} if step.numbered else dict(step.values)
        result = await self.connection.execute(step.statement, values)
        count = len(result.all()) if result.returns_rows else result.rowcount
        return step.rows is None or count == step.rows

    def _place(self, act: Act) -> None:
        head = self.heads[act.room_id]
        placed = tuple(self._number(act.room_id, head, draft) for draft in act.drafts)
        self.receipts[act.dedup] = (act.fingerprint, placed)
        self.receipt_rows.append(
            {
                "dedup": act.dedup,
                "fingerprint": act.fingerprint,
                "room_id": act.room_id,
                "seq": placed[0].seq if placed else None,
            }
        )
        if act.persona is not None:
            self.persona_rows[act.persona.id] = act.persona
        self.letter_rows.extend({"id": each.id, "sealed": each.sealed} for each in act.letters)
        self.commits.append(Commit(head.slug, act, placed))

    def _number(self, room_id: int, head: _Head, draft: Draft) -> Placed:
        head.last_seq += 1
        head.says += draft.is_say
        head.moved = True
        placed = Placed(head.last_seq, draft.id, self.at, head.says)
        self.entry_rows.append(
            {
                "room_id": room_id,
                "seq": placed.seq,
                "id": draft.id,
                "kind": draft.kind,
                "at": self.at,
                "persona": draft.persona,
                "target": draft.target,
                "says": head.says,
                "salt": draft.salt,
                "digest": digest(head.slug, placed, draft),
                "body": draft.body,
            }
        )
        if draft.terms is not None:  # an empty row too: what takes it out again must find it
            self.index_rows.append(index.row(self.is_sqlite, room_id, placed.seq, draft.terms))
        return placed

    async def write(self) -> None:
        """The gathered rows, a statement a table."""
        run = self.connection.execute
        if self.persona_rows:
            rows = [
                {"id": p.id, "face": p.face, "badge": p.badge, "was": p.was}
                for p in self.persona_rows.values()
            ]
            await run(_UPSERT_PERSONA_SQLITE if self.is_sqlite else _UPSERT_PERSONA_POSTGRES, rows)
        if self.entry_rows:
            await run(_INSERT_ENTRIES, self.entry_rows)
        if self.receipt_rows:
            await run(_INSERT_RECEIPTS, self.receipt_rows)
        if self.index_rows:
            await run(index.adding(self.is_sqlite), self.index_rows)
        if self.letter_rows:
            await run(_INSERT_LETTERS, self.letter_rows)
        moved = [
            {"room": room_id, "head": head.last_seq, "count": head.says}
            for room_id, head in self.heads.items()
            if head.moved
        ]
        if moved:
            await run(_MOVE_HEADS, moved)


def _resolve(future: asyncio.Future[Outcome], answer: Answer) -> None:
    if future.done():  # its sender has gone
        return
    if isinstance(answer, Outcome):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _is_about_a_row(error: Exception) -> bool:
    """True when one act's own values are at fault (SQLSTATE classes 22 and 23), not the database."""
    if isinstance(error, (IntegrityError, DataError, *_UNFIT)):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else None
    state: str = getattr(cause, "sqlstate", None) or ""
    return state[:2] in ("22", "23") or isinstance(getattr(cause, "__cause__", None), _UNFIT)


def digest(slug: str, placed: Placed, draft: Draft) -> bytes:
    """SHA-256 over salt, place and body; without the salt nobody can try texts against it."""
    parts = (slug, placed.seq, placed.id, draft.kind, placed.at, draft.target, "")
    place = "\n".join(map(str, parts)).encode()
    return hashlib.sha256(draft.salt + place + (draft.persona or b"") + draft.body).digest()


_LOCK_ROOMS = (
    select(room.c.id, room.c.slug, room.c.last_seq, room.c.says)
    .where(room.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(room.c.id)
    .with_for_update(key_share=True)
)
_INSERT_ENTRIES = insert(entry)
_INSERT_RECEIPTS = insert(receipt)
_INSERT_LETTERS = insert(outbox)
_MOVE_HEADS = (
    update(room)
    .where(room.c.id == bindparam("room"))
    .values(last_seq=bindparam("head"), says=bindparam("count"))
)
_as_it_was = persona.c.badge == bindparam("was", type_=Text)
_sqlite_persona = sqlite.insert(persona)
_UPSERT_PERSONA_SQLITE = _sqlite_persona.on_conflict_do_update(
    index_elements=[persona.c.id],
    set_={"badge": _sqlite_persona.excluded.badge},
    where=_as_it_was,
)
_postgres_persona = postgresql.insert(persona)
_UPSERT_PERSONA_POSTGRES = _postgres_persona.on_conflict_do_update(
    index_elements=[persona.c.id],
    set_={"badge": _postgres_persona.excluded.badge},
    where=_as_it_was,
)
