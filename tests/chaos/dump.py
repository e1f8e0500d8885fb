"""What is in SQL, as lines for the checker. It asks in its own words and knows nothing of the product.

`python -m tests.chaos.dump sqlite:////folder/lounge.db OUT.jsonl`, or a `postgresql://` address.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

_ROOMS = "SELECT slug, last_seq, oldest FROM room ORDER BY slug"
_ENTRIES = (
    "SELECT r.slug, e.seq, e.id, e.kind, e.body, e.target, e.at "
    "FROM entry e LEFT JOIN room r ON r.id = e.room_id ORDER BY r.slug, e.seq"
)
_RECEIPTS = "SELECT count(*) FROM receipt"


def dump(url: str, out: Path) -> int:
    """Write rooms, entries and the number of receipts to `out`; returns how many entries there are.

    `url` is an SQLAlchemy address of the lounge store. SQLite is opened for reading only, beside a
    server that may still run on it; PostgreSQL is read in one snapshot.
    """
    tables = _of_sqlite(url) if url.startswith("sqlite") else asyncio.run(_of_postgres(url))
    lines = [*_rooms(tables[0]), *_entries(tables[1]), {"table": "receipt", "n": tables[2][0][0]}]
    with out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return len(tables[1])


def _of_sqlite(url: str) -> list[list[Any]]:
    path = url.partition(":///")[2].partition("?")[0]
    address = f"file:{quote(path)}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as store:
        store.execute("BEGIN")
        return [store.execute(query).fetchall() for query in (_ROOMS, _ENTRIES, _RECEIPTS)]


async def _of_postgres(url: str) -> list[list[Any]]:
    store = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        async with store.transaction(isolation="repeatable_read", readonly=True):
            return [await store.fetch(query) for query in (_ROOMS, _ENTRIES, _RECEIPTS)]
    finally:
        await store.close()


def _rooms(rows: Iterable[Any]) -> Iterator[dict[str, object]]:
    for room, last_seq, oldest in rows:
        yield {"table": "room", "room": room, "last_seq": last_seq, "oldest": oldest}


def _entries(rows: Iterable[Any]) -> Iterator[dict[str, object]]:
    for room, seq, id_, kind, body, target, at in rows:
        text = None if body is None else json.loads(body).get("text")
        yield {
            "table": "entry",
            "room": room,
            "seq": seq,
            "id": id_,
            "kind": kind,
            "hash": None if text is None else hashlib.sha256(text.encode()).hexdigest()[:16],
            "target": target,
            "at": at,
        }


if __name__ == "__main__":
    print(dump(sys.argv[1], Path(sys.argv[2])), "entries")
