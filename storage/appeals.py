"""Appeals: an author asks another moderator to look again at an act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import appeal, lounge_audit, room


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal against `act` (as a hand has it) about an entry; `outcome` None while it is open."""

    id: str
    act: str
    room: str
    room_id: int
    seq: int
    text: str
    at: int
    claim: bytes | None
    claimed_until: int | None
    outcome: str | None


def file(*, id: str, act: str, room_id: int, seq: int, text: str, at: int) -> Step:
    """Change: keep it."""
    values = {"id": id, "act": act, "room_id": room_id, "seq": seq, "text": text, "at": at}
    return Step(insert(appeal).values(**values))


def none_against(act: str) -> Step:
    """Guard: that act was not appealed."""
    return Step(select(appeal.c.id).where(appeal.c.act == act), rows=0)


async def against(connection: AsyncConnection, act: str) -> Appeal | None:
    """The appeal against an act, open or closed."""
    found = (await connection.execute(_APPEALS.where(appeal.c.act == act))).one_or_none()
    return None if found is None else Appeal(**found._mapping)


async def open_appeals(connection: AsyncConnection, limit: int, after: int = 0) -> list[Appeal]:
    """The oldest first, from the one after so many."""
    statement = _APPEALS.where(appeal.c.outcome.is_(None)).order_by(appeal.c.at, appeal.c.id)
    rows = await connection.execute(statement.limit(limit).offset(after))
    return [Appeal(**row._mapping) for row in rows]


async def by_id(connection: AsyncConnection, id: str, *, lock: bool = False) -> Appeal | None:
    """Open or closed; with `lock` nobody else's to change until the commit."""
    statement = _APPEALS.where(appeal.c.id == id)
    if lock:
        statement = statement.with_for_update(of=appeal)
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else Appeal(**found._mapping)


async def set_claim(
    connection: AsyncConnection, id: str, claim: bytes | None, until: int | None
) -> None:
    """It is that claim's until then, or nobody's."""
    values = {"claim": claim, "claimed_until": until}
    await connection.execute(update(appeal).where(appeal.c.id == id).values(values))


async def close(connection: AsyncConnection, id: str, outcome: str, at: int) -> bool:
    """False when it is not open."""
    closed: dict[str, Any] = {"outcome": outcome, "closed": at, "claim": None}
    statement = update(appeal).where(appeal.c.id == id, appeal.c.outcome.is_(None))
    result = await connection.execute(statement.values(**closed, claimed_until=None))
    return result.rowcount == 1


async def sanctioned_for(connection: AsyncConnection, slug: str, seq: int) -> list[str]:
    """What the audit says of sanctions for an entry: the details of each, as JSON."""
    statement = select(lounge_audit.c.detail).where(
        lounge_audit.c.about == f"{slug} {seq}", lounge_audit.c.act.like("sanction.%")
    )
    return list((await connection.execute(statement)).scalars())


_APPEALS = select(
    *(appeal.c.id, appeal.c.act, room.c.slug.label("room"), appeal.c.room_id, appeal.c.seq),
    *(appeal.c.text, appeal.c.at, appeal.c.claim, appeal.c.claimed_until, appeal.c.outcome),
).select_from(appeal.join(room, room.c.id == appeal.c.room_id))
