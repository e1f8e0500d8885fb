"""The search index: the tokenizer's terms by entry, in FTS5 on SQLite and a tsvector on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Select, and_, bindparam, column, select, table, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Text

from storage.acts import Step
from storage.consults import PREFIX
from storage.schema import entry, room

SEQ_BITS = 40


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that matches. `at` in milliseconds."""

    room: str
    room_id: int
    seq: int
    at: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of hits ended: newest first, by (at, room, seq)."""

    at: int
    room_id: int
    seq: int


def adding(is_sqlite: bool) -> Executable:
    """Add one entry's terms: `room_id`, `seq`, `docid`, `terms`, as `row` gives them."""
    return _ADD_SQLITE if is_sqlite else _ADD_POSTGRES


def row(is_sqlite: bool, room_id: int, seq: int, terms: Sequence[str]) -> dict[str, Any]:
    """The values of `adding` for one entry."""
    if is_sqlite:
        return {"docid": _docid(room_id, seq), "terms": " ".join(terms)}
    return {"room_id": room_id, "seq": seq, "terms": sorted(set(terms))}


def removal(is_sqlite: bool, room_id: int, seq: int, terms: Sequence[str]) -> Step:
    """Take an entry out. SQLite's contentless table must be told the terms that are there now."""
    if is_sqlite:
        return Step(_DROP_SQLITE, row(True, room_id, seq, terms))
    return Step(_DROP_POSTGRES, {"room_id": room_id, "seq": seq})


def addition(is_sqlite: bool, room_id: int, seq: int, terms: Sequence[str]) -> Step:
    """Put an entry's terms in."""
    return Step(adding(is_sqlite), row(is_sqlite, room_id, seq, terms))


async def find(
    connection: AsyncConnection,
    words: Sequence[tuple[str, ...]],
    room_ids: Sequence[int],
    limit: int,
    after: Position | None = None,
    *,
    consults: bool = False,
) -> list[Hit]:
    """Entries of these rooms that hold at least one alternative of every word, newest first.

    With `consults`, of all consults too: they grow to be more than a statement takes numbers.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    matching = _matching_sqlite(words) if is_sqlite else _matching_postgres(words)
    among: ColumnElement[bool] = entry.c.room_id.in_(room_ids)
    if consults:
        among = among | room.c.slug.like(f"{PREFIX}%")
    statement = (
        select(room.c.slug, entry.c.room_id, entry.c.seq, entry.c.at)
        .select_from(entry.join(room, room.c.id == entry.c.room_id))
        .where(matching, among, entry.c.redacted.is_(None), entry.c.hidden.is_(None))
        .order_by(entry.c.at.desc(), entry.c.room_id.desc(), entry.c.seq.desc())
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(_older_than(after))
    rows = await connection.execute(statement)
    return [Hit(slug, room_id, seq, at) for slug, room_id, seq, at in rows]


def _docid(room_id: int, seq: int) -> int:
    return room_id << SEQ_BITS | seq


def _older_than(position: Position) -> ColumnElement[bool]:
    same_time = entry.c.at == position.at
    same_room = and_(same_time, entry.c.room_id == position.room_id)
    return (
        (entry.c.at < position.at)
        | and_(same_time, entry.c.room_id < position.room_id)
        | and_(same_room, entry.c.seq < position.seq)
    )


def _matching_sqlite(words: Sequence[tuple[str, ...]]) -> ColumnElement[bool]:
    query = " AND ".join("(" + " OR ".join(f'"{term}"' for term in word) + ")" for word in words)
    docs: Select[Any] = (
        select(column("rowid"))
        .select_from(table("entry_terms"))
        .where(text("entry_terms MATCH :fts").bindparams(fts=query))
    )
    docid = entry.c.room_id.op("<<")(SEQ_BITS).op("|")(entry.c.seq)
    return docid.in_(docs)


def _matching_postgres(words: Sequence[tuple[str, ...]]) -> ColumnElement[bool]:
    query = " & ".join("(" + " | ".join(f"'{term}'" for term in word) + ")" for word in words)
    terms = table("entry_terms", column("room_id"), column("seq"), column("terms", TSVECTOR))
    return (
        select(terms.c.seq)
        .where(
            terms.c.room_id == entry.c.room_id,
            terms.c.seq == entry.c.seq,
            text("entry_terms.terms @@ CAST(:tsq AS tsquery)").bindparams(tsq=query),
        )
        .exists()
    )


_ADD_SQLITE = text("INSERT INTO entry_terms(rowid, terms) VALUES (:docid, :terms)")
_DROP_SQLITE = text(
    "INSERT INTO entry_terms(entry_terms, rowid, terms) VALUES ('delete', :docid, :terms)"
)
_ADD_POSTGRES = text(
    "INSERT INTO entry_terms(room_id, seq, terms) VALUES (:room_id, :seq, array_to_tsvector(:terms))"
).bindparams(bindparam("terms", type_=ARRAY(Text)))
_DROP_POSTGRES = text("DELETE FROM entry_terms WHERE room_id = :room_id AND seq = :seq")
