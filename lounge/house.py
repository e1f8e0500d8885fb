"""What every doctor may know of this lounge: who runs it, who its officers are, how often they opened."""

from __future__ import annotations

from dataclasses import dataclass

from lounge.settings import Settings
from storage import officers, unmaskings
from storage.database import Database

TEXTS = 1
"""Raised when the screens before the first room change in substance: then everybody accepts anew."""


@dataclass(frozen=True, slots=True)
class House:
    """`officers`: their names; `unmaskings`: of how many doctors they ever learned the name."""

    operator: str
    officers: tuple[str, ...]
    unmaskings: int


async def look(settings: Settings, identity: Database, lounge: Database) -> House:
    """As it is now. Raises StorageError."""
    async with identity.reading() as connection:
        names = await officers.names(connection)
    async with lounge.reading() as connection:
        count = await unmaskings.opened(connection)
    return House(settings.operator, tuple(names), count)
