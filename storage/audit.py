"""The two audits: what was done with power, one row after the other, each bound to the one before.

A row's hash is SHA-256 over the hash before it and the row. Whoever changes a row must change all that
follow, and the last hash is written down elsewhere (an anchor) while the chain is still true.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import identity_audit
from storage.schema import lounge_audit

_CHAINS: dict[str, Table] = {"identity": identity_audit, "lounge": lounge_audit}
_LOCKS = {"identity": 0xA0D17, "lounge": 0xA0D18}  # any numbers that nothing else locks
_START = bytes(32)
CHANGED, MISSING, CUT_OFF = "changed", "missing", "cut off"
REWRITTEN = "changed: the chain was written anew"
"""By itself it fits; it is not what was noted."""
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain stood once: what is kept elsewhere, to compare with later."""

    store: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Breach:
    """The first row that is not as it was written, and what is wrong there."""

    seq: int
    what: str


async def append(
    connection: AsyncConnection,
    act: str,
    *,
    by: str,
    about: str | None = None,
    detail: Mapping[str, str] = {},
) -> None:
    """In the identity store, in the transaction of the act: no row, no act. `by` and `about` are
    doctors' ids or a role; never a name, mail or number.

    It makes writers queue until the commit: call it last, only `gate.raise_epoch` comes after.
    """
    await _append(connection, "identity", act, by, about, detail)


async def append_lounge(
    connection: AsyncConnection,
    act: str,
    *,
    by: str,
    about: str | None = None,
    detail: Mapping[str, str] = {},
) -> None:
    """As `append`, in the lounge store: `by` is a role, `about` a room and seq, never a doctor."""
    await _append(connection, "lounge", act, by, about, detail)


async def head(connection: AsyncConnection, store: str) -> Link:
    """The last row's place and hash; seq 0 while the audit is empty."""
    table = _CHAINS[store]
    query = select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return Link(store, 0, _START) if row is None else Link(store, row.seq, bytes(row.hash))


async def verify(
    connection: AsyncConnection, store: str, anchors: Iterable[Link] = ()
) -> Breach | None:
    """The first breach of a chain, also against where it is known to have stood; None: it holds."""
    known: dict[int, set[bytes]] = defaultdict(set)
    for link in anchors:
        if link.store == store and link.seq:
            known[link.seq].add(link.hash)
    before, seq = _START, 0
    async for row in _rows(connection, _CHAINS[store]):
        seq += 1
        if row.seq != seq:
            return Breach(seq, MISSING)
        before = _hash(before, _content(row._asdict()))
        if bytes(row.hash) != before:
            return Breach(seq, CHANGED)
        if known.get(seq, {before}) != {before}:
            return Breach(seq, REWRITTEN)
    return Breach(seq + 1, CUT_OFF) if max(known, default=0) > seq else None


async def _append(
    connection: AsyncConnection,
    store: str,
    act: str,
    by: str,
    about: str | None,
    detail: Mapping[str, str],
) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's writers take turns anyway
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCKS[store])))
    last = await head(connection, store)
    row = {
        "seq": last.seq + 1,
        "at": time.time_ns() // 1_000_000,
        "act": act,
        "by": by,
        "about": about,
        "detail": _canonical(dict(detail)),
    }
    await connection.execute(
        insert(_CHAINS[store]).values(**row, hash=_hash(last.hash, _content(row)))
    )


async def _rows(connection: AsyncConnection, table: Table) -> AsyncIterator[Row[*tuple[Any, ...]]]:
    after: int | None = None
    while True:
        query = select(table).order_by(table.c.seq).limit(_PAGE)
        rows = (
            await connection.execute(query if after is None else query.where(table.c.seq > after))
        ).all()
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].seq


def _content(row: Mapping[str, Any]) -> bytes:
    return _canonical({name: row[name] for name in _COVERED}).encode()


def _hash(before: bytes, content: bytes) -> bytes:
    return hashlib.sha256(before + content).digest()


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


_COVERED = ("seq", "at", "act", "by", "about", "detail")
