"""The sealed authors in personas' rows, for whoever has to open or to erase one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import persona, room

_BATCH = 5_000  # ids in one statement; both databases allow about 32,000 values


async def rooms(connection: AsyncConnection) -> list[str]:
    """Every room that anything was ever said in."""
    return list((await connection.execute(select(room.c.slug).order_by(room.c.slug))).scalars())


async def sealed(connection: AsyncConnection, personas: Sequence[bytes]) -> list[bytes]:
    """Those of these personas whose author is sealed."""
    found: list[bytes] = []
    rest = iter(personas)
    while batch := list(islice(rest, _BATCH)):
        query = select(persona.c.id).where(persona.c.id.in_(batch), persona.c.sealed.is_not(None))
        found += (await connection.execute(query)).scalars()
    return found


async def replace(connection: AsyncConnection, id: bytes, box: bytes | None) -> None:
    await connection.execute(update(persona).where(persona.c.id == id).values(sealed=box))
