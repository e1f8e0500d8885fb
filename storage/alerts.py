"""Alerts that wait for their gateway, and those that may have to be called off. Times in ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import alert, reach


@dataclass(frozen=True, slots=True)
class Alert:
    """Something for one reach of a doctor. `tries`: how often it has been tried, this time included."""

    id: str
    doctor: str
    reach: str
    subject: bytes
    sealed: bytes
    tries: int = 0
    sent: int | None = None


async def add(connection: AsyncConnection, new: Sequence[Alert], now: int) -> None:
    """To be sent from now on."""
    if new:
        rows = [
            {
                "id": each.id,
                "doctor": each.doctor,
                "reach": each.reach,
                "subject": each.subject,
                "sealed": each.sealed,
                "at": now,
            }
            for each in new
        ]
        await connection.execute(insert(alert), rows)


async def waiting(connection: AsyncConnection, now: int) -> set[str]:
    """For which kinds of reach something is due and nobody's."""
    query = select(reach.c.kind).join(alert, alert.c.reach == reach.c.id).where(_due(now))
    return set((await connection.execute(query.distinct())).scalars())


async def take(
    connection: AsyncConnection, room: Mapping[str, int], now: int, until: int
) -> list[tuple[str, Alert]]:
    """At most so many of each kind of reach, the oldest first: nobody else's before `until`."""
    taken: list[tuple[str, Alert]] = []
    for kind, limit in sorted(room.items()):
        mine = select(alert.c.id).join(reach, alert.c.reach == reach.c.id)
        mine = mine.where(_due(now), reach.c.kind == kind).order_by(alert.c.at).limit(limit)
        free = mine.with_for_update(skip_locked=True, of=alert)  # SQLite leaves this out
        change = update(alert).where(alert.c.id.in_(free))
        change = change.values(leased=until, tries=alert.c.tries + 1)
        rows = await connection.execute(change.returning(*_COLUMNS))
        taken += [(kind, _alert(*row)) for row in rows]
    return taken


async def find(connection: AsyncConnection, id: str) -> Alert | None:
    """One that has been handed over to its gateway, or is just being."""
    meant = (alert.c.id == id) & (alert.c.tries > 0)
    row = (await connection.execute(select(*_COLUMNS).where(meant))).first()
    return None if row is None else _alert(*row)


async def about(connection: AsyncConnection, doctor_id: str, subject: bytes) -> list[Alert]:
    """All of hers about that, sent or not."""
    hers = (alert.c.doctor == doctor_id) & (alert.c.subject == subject)
    return [_alert(*row) for row in await connection.execute(select(*_COLUMNS).where(hers))]


async def mark_sent(connection: AsyncConnection, id: str, now: int) -> bool:
    """It has left. False: it was called off meanwhile."""
    meant = update(alert).where(alert.c.id == id)
    return (await connection.execute(meant.values(sent=now, leased=0))).rowcount == 1


async def put_off(connection: AsyncConnection, id: str, at: int) -> None:
    await connection.execute(update(alert).where(alert.c.id == id).values(at=at, leased=0))


async def drop(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(delete(alert).where(alert.c.id.in_(ids)))


async def drop_waiting(connection: AsyncConnection, reach_id: str) -> None:
    """Nothing more is sent there."""
    mine = (alert.c.reach == reach_id) & alert.c.sent.is_(None)
    await connection.execute(delete(alert).where(mine))


async def drop_old(connection: AsyncConnection, before: int) -> None:
    """Whatever was to be called off by then has been."""
    await connection.execute(delete(alert).where(alert.c.at < before))


def _due(now: int) -> ColumnElement[bool]:
    return alert.c.sent.is_(None) & (alert.c.at <= now) & (alert.c.leased <= now)


def _alert(
    id: str, doctor: str, reach_id: str, subject: bytes, sealed: bytes, tries: int, sent: int | None
) -> Alert:
    return Alert(id, doctor, reach_id, bytes(subject), bytes(sealed), tries, sent)


_COLUMNS = (
    *(alert.c.id, alert.c.doctor, alert.c.reach, alert.c.subject, alert.c.sealed),
    *(alert.c.tries, alert.c.sent),
)
