"""Who declined the pages of a role, by layer and reason, never by persona. Times in ms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.pages import PAGE
from storage.schema import alerted, page


@dataclass(frozen=True, slots=True)
class Declined:
    """That one of those alerted declined, in which layer, and why, as a code."""

    at: int
    layer: str | None
    reason: str | None


async def of_role(
    connection: AsyncConnection, role: str, since: int, until: int
) -> Mapping[str, Sequence[Declined]]:
    """By page, the first first, of those opened in [since, until) that anybody declined."""
    query = select(page.c.slug, alerted.c.declined, alerted.c.layer, alerted.c.reason)
    query = query.select_from(page.join(alerted, alerted.c.page == page.c.slug)).where(
        page.c.kind == PAGE,
        page.c.role == role,
        page.c.opened >= since,
        page.c.opened < until,
        alerted.c.declined.is_not(None),
    )
    found: dict[str, list[Declined]] = defaultdict(list)
    for slug, *declined in await connection.execute(query.order_by(alerted.c.declined)):
        found[slug].append(Declined(*declined))
    return found
