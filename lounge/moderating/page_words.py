"""What the alerted were told of a page that is purged: their own logs keep none of its words."""

from __future__ import annotations

from lounge.keys import Keys
from lounge.notices import forget_words
from lounge.personas import Personas
from storage import officers, pages
from storage.database import Database


class PageWords:
    """Finds the alerted in memory. May raise StorageError."""

    def __init__(
        self, *, database: Database, identity: Database, keys: Keys, personas: Personas
    ) -> None:
        self._database = database
        self._identity = identity
        self._keys = keys
        self._personas = personas

    async def forget(self, room_id: str) -> None:
        """May be repeated."""
        async with self._database.reading() as connection:
            found = await pages.alerted_to(connection, [room_id])
        told = {each.persona for each in found.get(room_id, ())}
        async with self._identity.reading() as connection:
            everybody = await officers.everybody(connection)
        for doctor_id in (await self._personas.owners(told, room_id, everybody)).values():
            async with self._identity.writing() as connection:
                await forget_words(connection, self._keys, doctor_id, room_id)
