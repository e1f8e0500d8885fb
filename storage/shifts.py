"""What members of a role were told of their shifts: so that each is told when it changes, and once."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import role_member


async def told(connection: AsyncConnection, role_id: str) -> dict[str, str]:
    """The layer that each was told she has just now, by doctor's id."""
    query = select(role_member.c.doctor, role_member.c.told)
    query = query.where(role_member.c.role == role_id, role_member.c.told.is_not(None))
    return {row.doctor: row.told for row in await connection.execute(query)}


async def tell(
    connection: AsyncConnection, role_id: str, doctor_id: str, layer: str | None
) -> None:
    """She was told that she has it; or, with None, that she has none any more."""
    hers = (role_member.c.role == role_id) & (role_member.c.doctor == doctor_id)
    await connection.execute(update(role_member).where(hers).values(told=layer))
