"""That doctors were alerted in the last day: about when, and how urgently. To which page is not kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import interruption

KEPT_MS = 24 * 3_600_000


async def note(
    connection: AsyncConnection, doctor_id: str, id: bytes, at: int, urgency: str
) -> None:
    """One more at `at` (ms)."""
    row = {"doctor": doctor_id, "id": id, "at": at, "urgency": urgency}
    await connection.execute(insert(interruption).values(**row))


async def forget(connection: AsyncConnection, now: int) -> None:
    """Those of more than a day ago."""
    await connection.execute(delete(interruption).where(interruption.c.at <= now - KEPT_MS))


async def since(
    connection: AsyncConnection, doctor_ids: Collection[str], at: int
) -> Mapping[str, Sequence[int]]:
    """When each of them was, after `at`, the first first; without those who were not."""
    query = select(interruption.c.doctor, interruption.c.at)
    query = query.where(interruption.c.doctor.in_(list(doctor_ids)), interruption.c.at > at)
    found: dict[str, list[int]] = defaultdict(list)
    for doctor_id, when in await connection.execute(query.order_by(interruption.c.at)):
        found[doctor_id].append(when)
    return found
