"""Ballots of consults: outside the log, without persona or time, under a keyed hash of doctor and case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.consults import DECIDED, OPEN, OUTCOME, Consult
from storage.schema import ballot, consult, due, entry

REVEAL, MERGE = "consult.reveal", "consult.merge"
COUNT, CLOSE = "consult.count", "consult.close"
"""What is due of a case: to tell how many opinions are in, and to end the blind phase."""


@dataclass(frozen=True, slots=True)
class Box:
    """The ballots of a case as they were when so many had come or gone, or were pooled anew."""

    cast: int
    bodies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pooling:
    """The entry that shows what a case's ballots say, the last one: revealed, or merged since."""

    seq: int
    body: dict[str, Any]


# -- reading -------------------------------------------------------------------------------------


async def cast(connection: AsyncConnection, slug: str) -> int:
    """How often a ballot of a case came or went."""
    count = await connection.execute(select(consult.c.casts).where(consult.c.slug == slug))
    return count.scalar() or 0


async def box(connection: AsyncConnection, slug: str) -> Box:
    """All ballots of a case. They are what `cast` counts, or newer: a guard on it then misses."""
    count = await cast(connection, slug)
    bodies = await connection.execute(select(ballot.c.body).where(ballot.c.subject == slug))
    return Box(count, tuple(sorted(bytes(body) for body in bodies.scalars())))


async def own(connection: AsyncConnection, key: bytes) -> bytes | None:
    """The ballot under that key."""
    return (await connection.execute(select(ballot.c.body).where(ballot.c.key == key))).scalar()


async def pooling(connection: AsyncConnection, case: Consult) -> Pooling | None:
    """What is shown of its ballots now; None before the reveal."""
    found = (
        select(entry.c.seq, entry.c.body)
        .where(_shows(case.room_id), entry.c.seq >= (case.revealed or 0))
        .order_by(entry.c.seq.desc())
        .limit(1)
    )
    row = (await connection.execute(found)).one_or_none()
    return None if row is None or row.body is None else Pooling(row.seq, json.loads(row.body))


async def decided(connection: AsyncConnection, limit: int) -> list[Pooling]:
    """What was shown last of each case that is decided, the newest cases first."""
    last = (
        select(func.max(entry.c.seq))
        .where(_shows(consult.c.room_id), entry.c.seq >= consult.c.revealed)
        .correlate(consult)
        .scalar_subquery()
    )
    found = (
        select(entry.c.seq, entry.c.body)
        .select_from(consult.join(entry, (entry.c.room_id == consult.c.room_id)))
        .where(consult.c.state.in_((DECIDED, OUTCOME)), entry.c.seq == last)
        .order_by(consult.c.opened.desc())
        .limit(limit)
    )
    rows = await connection.execute(found)
    return [Pooling(row.seq, json.loads(row.body)) for row in rows if row.body is not None]


# -- the guarded steps ---------------------------------------------------------------------------


def turning(slug: str, now: int, was: int | None = None) -> Step:
    """Guard and change: the case is open now (ms), and one ballot more came or went; with `was`, since that
    many.
    """
    in_time = consult.c.closes.is_(None) | (consult.c.closes > now)
    here = (consult.c.slug == slug) & (consult.c.state == OPEN) & in_time
    if was is not None:
        here &= consult.c.casts == was
    return Step(update(consult).where(here).values(casts=consult.c.casts + 1), rows=1)


def putting(key: bytes, slug: str, body: bytes) -> Step:
    """Guard and change: the ballot is in, and none was under that key."""
    return Step(_PUT, {"key": key, "subject": slug, "body": body}, rows=1)


def taking_back(key: bytes) -> Step:
    """Guard and change: the ballot under that key was in, and is no longer."""
    return Step(delete(ballot).where(ballot.c.key == key), rows=1)


def closing_when_enough(slug: str, now: int) -> Step:
    """Change: once as many ballots are in as its author wished, the blind phase is to end now (ms)."""
    those = select(func.count()).where(ballot.c.subject == slug).scalar_subquery()
    wished = select(consult.c.enough).where(consult.c.slug == slug).scalar_subquery()
    here = (due.c.subject == slug) & (due.c.kind == CLOSE) & (due.c.at > now)
    return Step(update(due).where(here, those >= wished).values(at=now))


def unturned(slug: str, box: Box) -> Step:
    """Guard: no ballot has come or gone since the box was read."""
    here = (consult.c.slug == slug) & (consult.c.casts == box.cast)
    return Step(select(consult.c.slug).where(here), rows=1)


def settled(slug: str) -> Step:
    """Change: there is nothing left to count or to close."""
    return Step(delete(due).where(due.c.subject == slug, due.c.kind.in_((COUNT, CLOSE))))


def remaking(slug: str, box: Box) -> Step:
    """Guard and change: they are pooled anew, and were not since the box was read."""
    here = (consult.c.slug == slug) & (consult.c.casts == box.cast)
    return Step(update(consult).where(here).values(casts=consult.c.casts + 1), rows=1)


def _shows(room_number: Any) -> Any:
    shown = (entry.c.room_id == room_number) & entry.c.hidden.is_(None)
    return shown & entry.c.kind.in_((REVEAL, MERGE))


_PUT = text(
    "INSERT INTO ballot (key, subject, body) VALUES (:key, :subject, :body)"
    " ON CONFLICT DO NOTHING"  # the same in both databases
)
