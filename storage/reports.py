"""Reports: what a doctor wants a moderator to look at, known by the reporter's persona of that room."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, case, exists, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import appeal, entry, report, room

URGENT = frozenset({"patient_identifiable", "dangerous_advice"})


@dataclass(frozen=True, slots=True)
class Report:
    """A report; `at` in milliseconds, `outcome` None while it is open.

    `urgent`: by its kind, or because its entry is hidden until a moderator has looked.
    """

    id: str
    room: str
    room_id: int
    seq: int
    kind: str
    note: str | None
    at: int
    weight: int
    claim: bytes | None
    claimed_until: int | None
    outcome: str | None
    urgent: bool


@dataclass(frozen=True, slots=True)
class Filed:
    """An open report of one kind about an entry, as it counts."""

    persona: bytes
    weight: int
    note: str | None


# -- filing --------------------------------------------------------------------------------------


def filing(
    *,
    id: str,
    room_id: int,
    seq: int,
    kind: str,
    note: str | None,
    persona: bytes,
    weight: int,
    at: int,
) -> Step:
    """File a report, in the same transaction as its receipt."""
    statement = insert(report).values(
        id=id, room_id=room_id, seq=seq, kind=kind, note=note, persona=persona, weight=weight, at=at
    )
    return Step(statement)


def filing_of_this(
    *, id: str, room_id: int, kind: str, note: str | None, persona: bytes, at: int
) -> Step:
    """The same about the act's own first entry there."""
    values = {"id": id, "room_id": room_id, "kind": kind, "note": note, "persona": persona}
    statement = insert(report).values(**values, weight=1, at=at, seq=bindparam("act_seq"))
    return Step(statement, numbered=True)


def none_by(room_id: int, seq: int, kind: str, persona: bytes) -> Step:
    """Guard: this doctor has no open report of that kind about the entry."""
    mine = select(report.c.id).where(_open(room_id, seq, kind), report.c.persona == persona)
    return Step(mine, rows=0)


def stand_so(room_id: int, seq: int, kind: str, count: int, weight: int) -> Step:
    """Guard: so many reports of that kind about the entry are open, which weigh so much together."""
    counted = select(func.count()).select_from(report).where(_open(room_id, seq, kind))
    stands = and_(counted.scalar_subquery() == count, _weight(room_id, seq, kind) == weight)
    return Step(select(literal(1)).where(stands), rows=1)


def weigh_less(room_id: int, seq: int, kind: str, weight: int) -> Step:
    """Guard: those that are open weigh less than that together."""
    return Step(select(literal(1)).where(_weight(room_id, seq, kind) < weight), rows=1)


async def filed(connection: AsyncConnection, room_id: int, seq: int, kind: str) -> list[Filed]:
    """The open reports of that kind about an entry, the oldest first."""
    statement = (
        select(report.c.persona, report.c.weight, report.c.note)
        .where(_open(room_id, seq, kind))
        .order_by(report.c.at, report.c.id)
    )
    rows = await connection.execute(statement)
    return [Filed(bytes(row.persona), row.weight, row.note) for row in rows]


async def caution_of(connection: AsyncConnection, room_id: int, seq: int) -> int | None:
    """The seq of the last `mod.caution` about an entry; None when there was none."""
    query = select(entry.c.caution).where(entry.c.room_id == room_id, entry.c.seq == seq)
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def was_restored(connection: AsyncConnection, room_id: int, seq: int) -> bool:
    """Whether a moderator has shown the entry again: no crowd hides it after that."""
    its = and_(entry.c.room_id == room_id, entry.c.target == seq, entry.c.kind == "mod.restore")
    return (await connection.execute(select(entry.c.seq).where(its).limit(1))).first() is not None


# -- the queue -----------------------------------------------------------------------------------


async def open_reports(connection: AsyncConnection, limit: int, after: int = 0) -> list[Report]:
    """Those that are open: the urgent first, then the oldest; `after` so many."""
    statement = _REPORTS.where(report.c.outcome.is_(None))
    order = (_URGENT.desc(), report.c.at, report.c.id)
    rows = await connection.execute(statement.order_by(*order).limit(limit).offset(after))
    return [_report(row) for row in rows]


async def by_id(connection: AsyncConnection, report_id: str) -> Report | None:
    """The report of that id, open or closed."""
    found = (await connection.execute(_REPORTS.where(report.c.id == report_id))).one_or_none()
    return None if found is None else _report(found)


async def is_reported(connection: AsyncConnection, slug: str, seq: int) -> bool:
    """Whether somebody reported that entry and nobody has dismissed it, or its author appeals."""
    statement = (
        select(report.c.id)
        .select_from(report.join(room, room.c.id == report.c.room_id))
        .where(room.c.slug == slug, report.c.seq == seq, _not_dismissed)
        .limit(1)
    )
    return (await connection.execute(statement)).first() is not None


async def counts(
    connection: AsyncConnection, places: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """How many open reports there are about each of these entries, by room's number and seq."""
    if not places:
        return {}
    statement = (
        select(report.c.room_id, report.c.seq, func.count())
        .where(
            report.c.outcome.is_(None),
            or_(*(_about(room_id, seq) for room_id, seq in sorted(places))),
        )
        .group_by(report.c.room_id, report.c.seq)
    )
    return {(row[0], row[1]): row[2] for row in await connection.execute(statement)}


# -- whose turn it is ----------------------------------------------------------------------------


async def open_about(
    connection: AsyncConnection, room_id: int, seq: int, *, lock: bool = False
) -> list[Report]:
    """All open reports about one entry; with `lock` nobody else's to change until the commit."""
    statement = _REPORTS.where(_about(room_id, seq), report.c.outcome.is_(None))
    statement = statement.order_by(report.c.id)
    if lock:
        statement = statement.with_for_update(of=report)
    return [_report(row) for row in await connection.execute(statement)]


async def open_among(
    connection: AsyncConnection, room_id: int, seqs: Collection[int]
) -> list[Report]:
    """All open reports about these entries of one room."""
    those = and_(report.c.room_id == room_id, report.c.seq.in_(seqs), report.c.outcome.is_(None))
    return [_report(row) for row in await connection.execute(_REPORTS.where(those))]


async def set_claim(
    connection: AsyncConnection, report_id: str, claim: bytes | None, until: int | None
) -> None:
    """It is that claim's until then, or nobody's."""
    values = {"claim": claim, "claimed_until": until}
    await connection.execute(update(report).where(report.c.id == report_id).values(values))


async def close(
    connection: AsyncConnection, room_id: int, seq: int, kind: str, outcome: str, at: int
) -> tuple[list[str], list[bytes]]:
    """Close all open reports of that kind about the entry: their ids, and as whom they were reported."""
    statement = (
        update(report)
        .where(_open(room_id, seq, kind))
        .values(outcome=outcome, closed=at, claim=None, claimed_until=None)
        .returning(report.c.id, report.c.persona)
    )
    rows = (await connection.execute(statement)).all()
    return [row.id for row in rows], [bytes(row.persona) for row in rows]


def _report(row: Any) -> Report:
    found = dict(row._mapping)
    return Report(**{**found, "urgent": bool(found["urgent"])})


def _weight(room_id: int, seq: int, kind: str) -> Any:
    summed = select(func.coalesce(func.sum(report.c.weight), 0)).where(_open(room_id, seq, kind))
    return summed.scalar_subquery()


def _about(room_id: int, seq: int) -> Any:
    return and_(report.c.room_id == room_id, report.c.seq == seq)


def _open(room_id: int, seq: int, kind: str) -> Any:
    return and_(_about(room_id, seq), report.c.kind == kind, report.c.outcome.is_(None))


_URGENT = case(
    (report.c.kind.in_(sorted(URGENT)), 1),
    (and_(report.c.kind == "advertising", entry.c.hidden.is_not(None)), 1),
    else_=0,
)
_REPORTS = select(
    *(report.c.id, room.c.slug.label("room"), report.c.room_id, report.c.seq, report.c.kind),
    *(report.c.note, report.c.at, report.c.weight, report.c.claim, report.c.claimed_until),
    *(report.c.outcome, _URGENT.label("urgent")),
).select_from(
    report.join(room, room.c.id == report.c.room_id).outerjoin(
        entry, and_(entry.c.room_id == report.c.room_id, entry.c.seq == report.c.seq)
    )
)
_not_dismissed = or_(
    report.c.outcome.is_(None),
    report.c.outcome == "upheld",
    exists().where(
        appeal.c.room_id == report.c.room_id,
        appeal.c.seq == report.c.seq,
        appeal.c.outcome.is_(None),
    ),
)
