"""The board of consults as it is served, and the same reckoned from the log in SQL, beside the server."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

PHASES = ("open", "revealed", "decided", "outcome")
_LOG = (
    "SELECT room.slug, entry.seq, entry.kind, entry.at, entry.body FROM entry "
    "JOIN room ON room.id = entry.room_id WHERE room.slug LIKE 'consult/%' ORDER BY room.slug, seq"
)
_BALLOTS = "SELECT subject, count(*) FROM ballot GROUP BY subject"
_PUT = "SELECT slug, opened FROM consult"


@dataclass(frozen=True, slots=True)
class Told:
    """A case as anybody may know it. `first_s`: seconds until all were told of a first opinion."""

    question: str
    urgency: str
    specialties: tuple[str, ...]
    phase: str
    opinions: int
    opened_ms: int
    first_s: float | None = None


async def on_board(http: httpx2.AsyncClient) -> tuple[dict[str, Told], dict[str, Any]]:
    """What is listed in any phase, by room, and the figures beside it."""
    found: dict[str, Told] = {}
    for phase in PHASES:
        answer = await http.get("/api/consults", params={"phase": phase})
        assert answer.status_code == 200, answer.text
        found |= {each["id"]: _listed(each) for each in answer.json()["consults"]}
    figures = await http.get("/api/consults/figures")
    assert figures.status_code == 200, figures.text
    return found, figures.json()


async def calculated(folder: Path, database: str | None) -> dict[str, Told]:
    """From the log and the ballots, in SQLite in `folder` or in that PostgreSQL.

    When a case was put is what its row says: the log has the moment of the commit.
    """
    ballots = dict(await rows(folder, database, _BALLOTS))
    put = dict(await rows(folder, database, _PUT))
    logs: defaultdict[str, list[tuple[str, int, dict[str, Any]]]] = defaultdict(list)
    for slug, _, kind, at, body in await rows(folder, database, _LOG):
        logs[slug].append((kind, at, json.loads(body) if body else {}))
    return {slug: _reckoned(log, ballots.get(slug, 0), put[slug]) for slug, log in logs.items()}


async def rows(folder: Path, database: str | None, query: str) -> Sequence[Any]:
    """What a query gives, read beside the server."""
    if database is None:
        with contextlib.closing(sqlite3.connect(folder / "lounge.db")) as lounge:
            return lounge.execute(query).fetchall()
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def _listed(each: dict[str, Any]) -> Told:
    opened = datetime.fromisoformat(each["opened"]).timestamp()
    return Told(
        each["question"],
        each["urgency"],
        tuple(each["specialties"]),
        each["phase"],
        each["opinions"],
        round(opened * 1000),
    )


def _reckoned(log: Sequence[tuple[str, int, dict[str, Any]]], ballots: int, opened_ms: int) -> Told:
    kind, opened, case = log[0]
    assert kind == "consult.open"
    kinds = [each for each, _, _ in log]
    ends = {
        "consult.reveal": "revealed",
        "consult.decided": "decided",
        "consult.outcome": "outcome",
    }
    phase = next((ends[each] for each in reversed(ends) if each in kinds), "open")
    told = [at for each, at, body in log if _opinions(each, body)]
    return Told(
        case["question"],
        case["urgency"],
        tuple(case["specialties"]),
        phase,
        ballots,
        opened_ms,
        (told[0] - opened) / 1000 if told else None,
    )


def _opinions(kind: str, body: dict[str, Any]) -> int:
    if kind == "consult.update":
        return int(body["state"]["opinions"])
    return int(body["opinions"]) if kind == "consult.reveal" else 0
