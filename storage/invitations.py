"""The e-mails of the house's own list of doctors."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import invitation


async def add(connection: AsyncConnection, email: str, at: int) -> None:
    """May be repeated."""
    if not await has(connection, email):
        await connection.execute(insert(invitation).values(email=email, at=at))


async def has(connection: AsyncConnection, email: str) -> bool:
    query = select(invitation.c.email).where(invitation.c.email == email)
    return (await connection.execute(query)).first() is not None


async def missing_from(connection: AsyncConnection, emails: Collection[str]) -> list[str]:
    """Those of the list that are not among `emails`."""
    kept = set(emails)
    listed = (await connection.execute(select(invitation.c.email))).scalars()
    return sorted(email for email in listed if email not in kept)


async def remove(connection: AsyncConnection, email: str) -> None:
    await connection.execute(delete(invitation).where(invitation.c.email == email))
