"""What the board of moderators counts: reports, cases that wait, texts that are held."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import consults
from storage.consults import OPEN
from storage.schema import card, consult, entry, persona, report, room, waiting

GRAVE = ("patient_identifiable", "dangerous_advice")
"""Kinds of reports that do not wait."""
MOST_HIDDEN = 1_000


@dataclass(frozen=True, slots=True)
class Reports:
    """Open reports of a room: how many, how many of a grave kind, the oldest in ms."""

    open: int = 0
    grave: int = 0
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """Of a room: entries that a crowd hid and no moderator has decided about; the open reports about them,
    and those of these that are of no grave kind."""

    entries: int = 0
    reports: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """A consult: its question, None once it is hidden; to which specialties it was put; its author's badge
    as JSON.
    """

    question: str | None
    specialties: tuple[str, ...]
    badge: str | None


async def reports(connection: AsyncConnection) -> dict[str, Reports]:
    """By room."""
    rows = await connection.execute(_REPORTS)
    return {row.slug: Reports(row.open, row.grave, row.oldest) for row in rows}


async def hidden(connection: AsyncConnection) -> dict[str, Hidden]:
    """By room."""
    entries: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for row in await connection.execute(_HIDDEN):
        if row.body is not None and json.loads(row.body).get("pending"):
            entries[row.slug] += 1
            others[row.slug] += row.reports - row.grave
    return {slug: Hidden(entries[slug], others[slug]) for slug in entries}


async def waiting_cases(connection: AsyncConnection) -> dict[str, int]:
    """By room: open cases announced there that have no opinion yet."""
    return {row.slug: row.n for row in await connection.execute(_CASES)}


async def held_texts(connection: AsyncConnection) -> dict[str, int]:
    """By room: texts that wait for a moderator."""
    return {row.slug: row.n for row in await connection.execute(_HOLDS)}


async def cases(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, Case]:
    """Those of these consults that there are."""
    if not slugs:
        return {}
    found = await consults.by_slug(connection, slugs)
    rows = await connection.execute(_BADGES.where(consult.c.slug.in_(list(slugs))))
    badges = {row.slug: row.badge for row in rows}
    return {
        slug: Case(each.question, each.specialties, badges.get(slug))
        for slug, each in found.items()
    }


_grave = case((report.c.kind.in_(GRAVE), 1), else_=0)
_IS_OPEN = report.c.outcome.is_(None)
_REPORTS = (
    select(
        room.c.slug,
        func.count().label("open"),
        func.sum(_grave).label("grave"),
        func.min(report.c.at).label("oldest"),
    )
    .select_from(report.join(room, room.c.id == report.c.room_id))
    .where(_IS_OPEN)
    .group_by(room.c.slug)
)
_hide = entry.alias("hide")
_HIDDEN = (
    select(
        room.c.slug,
        _hide.c.body,
        func.count().label("reports"),
        func.sum(_grave).label("grave"),
    )
    .select_from(
        report.join(room, room.c.id == report.c.room_id)
        .join(entry, and_(entry.c.room_id == report.c.room_id, entry.c.seq == report.c.seq))
        .join(_hide, and_(_hide.c.room_id == entry.c.room_id, _hide.c.seq == entry.c.hidden))
    )
    .where(_IS_OPEN)
    .group_by(room.c.slug, _hide.c.seq, _hide.c.body)
    .limit(MOST_HIDDEN)
)
_CASES = (
    select(room.c.slug, func.count().label("n"))
    .select_from(
        consult.join(card, card.c.consult == consult.c.slug).join(room, room.c.id == card.c.room_id)
    )
    .where(consult.c.state == OPEN, consult.c.first.is_(None), consult.c.told == 0)
    .group_by(room.c.slug)
)
_HOLDS = (
    select(room.c.slug, func.count().label("n"))
    .select_from(waiting.join(room, room.c.id == waiting.c.room_id))
    .group_by(room.c.slug)
)
_BADGES = select(consult.c.slug, persona.c.badge).select_from(
    consult.outerjoin(persona, persona.c.id == consult.c.author)
)
