"""Everything that is found beside a persona: by column, by place in a file, by place in a stream of frames.

No table is named here: whatever table is added later is searched too.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import asyncpg

from lounge.personas import ID_BYTES

Value = bytes | str | int
Beside = dict[bytes, list[Value]]
Clues = dict[str, Beside]
"""By the clue's name: what stands beside each persona that it tells something of."""

Rows = list[Mapping[str, Any]]
SPOKEN_TOGETHER_MS = 5 * 60_000
_WHERE = {"room_id", "seq", "target"}  # where something is says nothing of who it is


async def of_database(url: str, folder: Path, personas: Collection[bytes]) -> Clues:
    """What the tables say, by SQL: every value of every column, and the order in which rows come."""
    return _beside(await tables_of(url, folder), frozenset(personas))


async def tables_of(url: str, folder: Path) -> dict[str, Rows]:
    """Every row of every table, in the order in which it is kept."""
    if not url.startswith("sqlite"):
        return await _of_postgres(url)
    with closing(sqlite3.connect(f"file:{folder / 'lounge.db'}?mode=ro", uri=True)) as lounge:
        return _of_sqlite(lounge)


def of_files(folder: Path, personas: Collection[bytes]) -> Clues:
    """Where in the file, and where in its write-ahead log, each persona stands first and last."""
    clues: Clues = {}
    for name in ("lounge.db", "lounge.db-wal"):
        path = folder / name
        if path.exists() and path.stat().st_size:
            found = list(_offsets(path, personas))
            clues[f"{name}: first place"] = {id: [places[0]] for id, places in found}
            clues[f"{name}: last place"] = {id: [places[-1]] for id, places in found}
    return clues


def of_frames(frames: Iterable[Mapping[str, Any]]) -> Clues:
    """What one member was sent: names, ids, times, and in which order."""
    clues: defaultdict[str, defaultdict[bytes, list[Value]]] = defaultdict(_lists)
    for place, frame in enumerate(frames):
        by = frame.get("by")
        if not isinstance(by, dict) or "id" not in by:
            continue
        persona = persona_of(by["id"])
        clues["frames: place"][persona].append(place)
        clues["frames: event id"][persona].append(frame["id"])
        if by["as"] == "anonymous":
            clues["frames: name"][persona].append(by["name"])
            clues["frames: words of the name"][persona] += by["name"].split()
    return {name: dict(beside) for name, beside in clues.items()}


def persona_of(wire_id: str) -> bytes:
    """As the database has it."""
    return base64.urlsafe_b64decode(wire_id + "==")


def _of_sqlite(lounge: sqlite3.Connection) -> dict[str, Rows]:
    lounge.row_factory = sqlite3.Row
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
    tables: dict[str, Rows] = {}
    for name, made in lounge.execute(query).fetchall():
        what = "*" if "WITHOUT ROWID" in made else "rowid AS _rowid, *"
        tables[name] = [dict(row) for row in lounge.execute(f'SELECT {what} FROM "{name}"')]
    return tables


async def _of_postgres(url: str) -> dict[str, Rows]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname='public'")
        what = "xmin::text::bigint AS _xmin, *"
        return {
            name: [dict(row) for row in await connection.fetch(f'SELECT {what} FROM "{name}"')]
            for (name,) in names
        }
    finally:
        await connection.close()


def _beside(tables: Mapping[str, Rows], personas: frozenset[bytes]) -> Clues:
    clues: defaultdict[str, defaultdict[bytes, list[Value]]] = defaultdict(_lists)
    said = {
        (row["room_id"], row["seq"]): bytes(row["persona"])
        for row in tables["entry"]
        if row["persona"] is not None
    }
    for table, rows in tables.items():
        for place, row in enumerate(rows):
            for persona in _personas_of(row, said, personas):
                clues[f"{table}: order of rows"][persona].append(place)
                for column, value in _columns(table, row):
                    if column not in _WHERE and value is not None and value != persona:
                        clues[f"{table}.{column}"][persona].append(_plain(value))
    for persona in personas:
        clues["persona.id"][persona].append(persona)
    for persona, times in list(clues["entry.at"].items()):
        about = (int(at) // SPOKEN_TOGETHER_MS for at in times)
        clues["entry.at: spoken together"][persona] = [n for at in about for n in (at, at + 1)]
    return {name: dict(beside) for name, beside in clues.items()}


def _columns(table: str, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each; and of a ballot, which names nobody in any column, whatever is inside of its JSON."""
    for column, value in row.items():
        yield column, value
        if table == "ballot" and isinstance(value, bytes) and value[:1] == b"{":
            with suppress(ValueError):
                for name, part in json.loads(value).items():
                    if isinstance(part, str | int):
                        yield f"{column}.{name}", part


def _personas_of(
    row: Mapping[str, Any], said: Mapping[tuple[int, int], bytes], personas: frozenset[bytes]
) -> Iterator[bytes]:
    """Those whom a row names, and whoever said what it is about."""
    named = {v for v in row.values() if isinstance(v, bytes) and v in personas}
    yield from named
    for column in ("seq", "target"):
        author = said.get((row.get("room_id") or 0, row.get(column) or 0))
        if author in personas and author not in named:
            named.add(author)
            yield author


def _offsets(path: Path, personas: Collection[bytes]) -> Iterator[tuple[bytes, list[int]]]:
    """In one pass: a search a persona takes minutes where there are thousands."""
    data, sought = path.read_bytes(), frozenset(personas)
    first: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    assert all(len(persona) == ID_BYTES for persona in sought)
    for at in range(len(data) - ID_BYTES + 1):
        here = data[at : at + ID_BYTES]
        if here in sought:
            first.setdefault(here, at)
            last[here] = at
    for persona in sorted(first):
        yield persona, [first[persona], last[persona]]


def _plain(value: Any) -> Value:
    if isinstance(value, (bytes, str)):
        return value
    return int(value) if isinstance(value, (int, bool)) else str(value)


def _lists() -> defaultdict[bytes, list[Value]]:
    return defaultdict(list)
