"""Who would have a receipt of an entry: one row a side, in which nobody reads who or of what."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import consent


async def given(connection: AsyncConnection, ids: Collection[bytes]) -> frozenset[bytes]:
    """Those of these consents that there are."""
    found = select(consent.c.id).where(consent.c.id.in_(list(ids)))
    return frozenset(bytes(id) for id in (await connection.execute(found)).scalars())


def give(id: bytes) -> Step:
    """Change: there is this consent; one that was given before stays."""
    return Step(_GIVE, {"id": id})


_GIVE = text("INSERT INTO consent (id) VALUES (:id) ON CONFLICT DO NOTHING").bindparams(
    bindparam("id", type_=consent.c.id.type)
)
