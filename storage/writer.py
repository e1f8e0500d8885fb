"""The writer: one task that runs each batch of the group commit in one transaction, then says so.

The promise: an outcome is given only after COMMIT returned; seqs of a room are 1, 2, 3… in commit order,
and one client id makes at most one act, however often and from wherever it is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import (
    Text,
    bindparam,
    insert,
    literal,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import audit, gate, index
from storage.acts import Act, Answer, Draft, Missed, Noted, Outcome, PersonaRow, Placed, Step
from storage.database import Broken, Database, StorageError, storage_error
from storage.entries import FIND_RECEIPTS, as_receipt
from storage.group_commit import Fault, GroupCommit
from storage.ledger import Commit, Head, Ledger, Names, digest
from storage.schema import entry, outbox, persona, receipt, room

__all__ = ["Commit", "Writer"]

log = structlog.get_logger()

Announce = Callable[[Sequence[Commit]], None]
_UNFIT = (ValueError, OverflowError)  # what drivers raise for a value that they cannot send


class Writer:
    """The only task of a process that appends entries. `announce` hears of commits before their senders."""

    def __init__(self, database: Database, announce: Announce) -> None:
        self._database = database
        self._announce = announce
        self._acts = GroupCommit()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.epoch = 0
        """The gate's epoch as last read by a commit."""

    def submit(self, act: Act) -> asyncio.Future[Outcome]:
        """Queue an act. The future gives its Outcome, or raises Missed, CidConflict, Stale or StorageError.

        Raises QueueFull at once when too much waits.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._acts.submit(act, lambda answer: _resolve(future, answer))
        self._idle.clear()
        self._wake.set()
        return future

    @property
    def waiting(self) -> int:
        """Acts queued and not yet taken into a transaction."""
        return self._acts.waiting

    @property
    def rooms(self) -> set[int]:
        """Those of the transaction that is under way: what it adds there is announced next."""
        return self._acts.rooms

    async def run(self) -> None:
        """Commit for ever. Cancelled only after `drain`. Raises Broken when the disk fails."""
        while True:
            await self._wake.wait()
            while (batch := self._acts.next()) is not None:
                await self._settle(batch)
            self._wake.clear()
            self._idle.set()

    async def drain(self) -> None:
        """Wait until everything queued is answered."""
        await self._idle.wait()

    async def _settle(self, acts: Sequence[Act]) -> None:
        """Everyone in the batch is answered, or is in the next one, whatever happens to it."""
        try:
            answers = await self._commit(acts)
        except (SQLAlchemyError, StorageError, OSError, TimeoutError, *_UNFIT) as error:
            fault, told = _fault_of(error), storage_error(error)
            log.error("commit failed", acts=len(acts), fault=type(error).__name__, kind=fault.value)
            self._acts.failed(fault, told)
            if isinstance(told, Broken):
                raise told from None
        except BaseException:
            self._acts.failed(Fault.STORE, StorageError("writer"))
            raise
        else:
            self._acts.committed(answers)

    async def _commit(self, acts: Sequence[Act]) -> list[Answer]:
        async with self._database.raw_writing() as connection:
            batch = await _Batch.begin(connection, acts, self._database.is_sqlite)
            answers = [await batch.admit(act) for act in acts]
            await batch.write()
        self.epoch = batch.ledger.epoch
        commits = batch.ledger.commits
        if any(commit.act.scrub for commit in commits):
            self._database.scrub_soon()
        if commits:
            self._tell(commits)
        return answers

    def _tell(self, commits: Sequence[Commit]) -> None:
        try:
            self._announce(commits)
        except Exception as error:
            # It is in SQL all the same: its senders are told so, and listeners learn it by the head poll.
            log.error("announcement failed", fault=type(error).__name__, exc_info=True)


@dataclass(slots=True)
class _Batch:
    """One transaction: the ledger as read under lock, guards run, rows gathered and written."""

    connection: AsyncConnection
    is_sqlite: bool
    ledger: Ledger
    entry_rows: list[dict[str, Any]] = field(default_factory=list)
    receipt_rows: list[dict[str, Any]] = field(default_factory=list)
    index_rows: list[dict[str, Any]] = field(default_factory=list)
    persona_rows: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    letter_rows: list[dict[str, Any]] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)

    @classmethod
    async def begin(
        cls, connection: AsyncConnection, acts: Sequence[Act], is_sqlite: bool
    ) -> _Batch:
        # Rooms are locked in id order, so that two processes never wait for each other in a circle.
        rooms = await connection.execute(
            _LOCK_ROOMS, {"ids": sorted({p.room_id for a in acts for p in a.parts})}
        )
        heads = {i: Head(slug, last_seq, says) for i, slug, last_seq, says in rooms}
        found = await connection.execute(FIND_RECEIPTS, {"dedups": [a.dedup for a in acts]})
        receipts = {bytes(row.dedup): as_receipt(row) for row in found}
        epoch = await gate.held_epoch(connection)
        ledger = Ledger(epoch, time.time_ns() // 1_000_000, heads, receipts)
        newcomers = [(a.room_id, a.persona) for a in acts if a.persona and len(a.persona.names) > 1]
        if newcomers:
            ledger.names = await _names(connection, newcomers)
        return cls(connection, is_sqlite, ledger)

    async def admit(self, act: Act) -> Answer:
        refusal = self.ledger.refusal(act)
        if refusal is not None:
            return refusal
        if act.steps and not await self._guarded(act):
            return Missed()
        outcome = self.ledger.place(act)
        self._gather(act, outcome)
        return outcome

    async def _guarded(self, act: Act) -> bool:
        savepoint = await self.connection.begin_nested()
        for step in act.steps:
            if not await self._holds(step, self.ledger.next_seq(step.room_id or act.room_id)):
                await savepoint.rollback()
                return False
        await savepoint.commit()
        return True

    async def _holds(self, step: Step, act_seq: int) -> bool:
        values = {**step.values, "act_seq": act_seq} if step.numbered else dict(step.values)
        result = await self.connection.execute(step.statement, values)
        count = len(result.all()) if result.returns_rows else result.rowcount
        return step.rows is None or count == step.rows

    def _gather(self, act: Act, outcome: Outcome) -> None:
        placed = outcome.placed
        for part, commit in zip(act.parts, self.ledger.commits[-len(act.parts) :], strict=True):
            self._gather_part(part.room_id, commit)
        self.receipt_rows.append(
            {
                "dedup": act.dedup,
                "fingerprint": act.fingerprint,
                "room_id": act.room_id,
                "seq": placed[0].seq if placed else None,
            }
        )
        if act.persona is not None:
            row = _persona_row(act.room_id, act.persona, outcome.name)
            self.persona_rows[act.persona.id] = row
        if act.noted is not None:
            self.noted.append(act.noted)
        self.letter_rows.extend({"id": each.id, "sealed": each.sealed} for each in act.letters)

    def _gather_part(self, room_id: int, commit: Commit) -> None:
        for draft, place in zip(commit.drafts, commit.placed, strict=True):
            self.entry_rows.append(_entry_row(room_id, commit.room, draft, place))
            if draft.terms is not None:  # an empty row too: what takes it out again must find it
                row = index.row(self.is_sqlite, room_id, place.seq, draft.terms)
                self.index_rows.append(row)

    async def write(self) -> None:
        """The gathered rows, a statement a table."""
        run = self.connection.execute
        if self.persona_rows:
            upsert = _UPSERT_PERSONA_SQLITE if self.is_sqlite else _UPSERT_PERSONA_POSTGRES
            await run(upsert, list(self.persona_rows.values()))
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
            for room_id, head in self.ledger.heads.items()
            if head.moved
        ]
        if moved:
            await run(_MOVE_HEADS, moved)
        for each in self.noted:
            await audit.append_lounge(
                self.connection, each.act, by=each.by, about=each.about, detail=each.detail
            )


async def _names(connection: AsyncConnection, newcomers: Sequence[tuple[int, PersonaRow]]) -> Names:
    """What these personas are called already, and which of the names they may get are taken."""
    values = {
        "ids": [row.id for _, row in newcomers],
        "rooms": list({room_id for room_id, _ in newcomers}),
        "names": list({name for _, row in newcomers for name in row.names}),
    }
    names = Names()
    for row in await connection.execute(_FIND_NAMES, values):
        if row.own:
            names.given[bytes(row.id)] = row.name
        else:
            names.taken.add((row.room_id, row.name))
    return names


def _persona_row(room_id: int, row: PersonaRow, name: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "face": row.face,
        "badge": row.badge,
        "sealed": row.sealed,
        "room_id": room_id,
        "name": name,
        "exact": row.exact,
        "was": row.was,
    }


def _entry_row(room_id: int, slug: str, draft: Draft, placed: Placed) -> dict[str, Any]:
    return {
        "room_id": room_id,
        "seq": placed.seq,
        "id": draft.id,
        "kind": draft.kind,
        "at": placed.at,
        "persona": draft.persona,
        "target": draft.target,
        "says": placed.says,
        "salt": draft.salt,
        "digest": digest(slug, placed, draft),
        "body": draft.body,
    }


def _resolve(future: asyncio.Future[Outcome], answer: Answer) -> None:
    if future.done():  # its sender has gone
        return
    if isinstance(answer, Outcome):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Fault.UNKNOWN
    return Fault.ROW if _is_about_a_row(error) else Fault.STORE


def _is_about_a_row(error: Exception) -> bool:
    """True when one act's own values are at fault (SQLSTATE classes 22 and 23), not the database."""
    if isinstance(error, (IntegrityError, DataError, *_UNFIT)):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else None
    state: str = getattr(cause, "sqlstate", None) or ""
    return state[:2] in ("22", "23") or isinstance(getattr(cause, "__cause__", None), _UNFIT)


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
_FIND_NAMES = union_all(
    select(persona.c.id, persona.c.room_id, persona.c.name, literal(1).label("own")).where(
        persona.c.id.in_(bindparam("ids", expanding=True)), persona.c.name.is_not(None)
    ),
    select(persona.c.id, persona.c.room_id, persona.c.name, literal(0).label("own")).where(
        persona.c.face == literal_column("'anonymous'"),  # as the index has it
        persona.c.room_id.in_(bindparam("rooms", expanding=True)),
        persona.c.name.in_(bindparam("names", expanding=True)),
    ),
)
_as_it_was = persona.c.badge == bindparam("was", type_=Text)
_ANEW = ("badge", "room_id", "name", "exact")
_sqlite_persona = sqlite.insert(persona)
_UPSERT_PERSONA_SQLITE = _sqlite_persona.on_conflict_do_update(
    index_elements=[persona.c.id],
    set_={column: _sqlite_persona.excluded[column] for column in _ANEW},
    where=_as_it_was,
)
_postgres_persona = postgresql.insert(persona)
_UPSERT_PERSONA_POSTGRES = _postgres_persona.on_conflict_do_update(
    index_elements=[persona.c.id],
    set_={column: _postgres_persona.excluded[column] for column in _ANEW},
    where=_as_it_was,
)
