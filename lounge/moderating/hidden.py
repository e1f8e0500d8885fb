"""What an entry says that is hidden: read by a moderator who is to decide about it, reported or not."""

from __future__ import annotations

from dataclasses import dataclass

from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderating import evidence
from lounge.moderating.restricted import Restricted
from lounge.moderating.scopes import Scopes
from storage import entries
from storage.database import Database


@dataclass(frozen=True, slots=True)
class HiddenWords:
    """Reads them. May raise StorageError."""

    database: Database
    scopes: Scopes
    restricted: Restricted

    async def read(self, doctor: Doctor, room: str, seq: int) -> str:
        """As it last stood. Raises Refusal where she is not appointed, or speaks, or nothing is hidden."""
        await self.scopes.reach(doctor, room, seq)
        await self.scopes.apart(doctor, room, seq)
        await self.restricted.read("hidden", f"{room} {seq}")
        number = await entries.room_id(self.database, room)
        async with self.database.reading() as connection:
            was = await entries.standing(connection, number, seq)
        if was is None or was.hidden is None or was.redacted is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        return evidence.words(was)
