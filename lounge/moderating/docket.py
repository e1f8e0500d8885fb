"""What lies before one moderator: of many entries those that are hers to look at, as they stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lounge.consults import Consults, words_of
from lounge.doctors import Doctor
from lounge.moderating.scopes import About, Scopes, about_words
from lounge.personas import Personas
from lounge.talks import Talks
from lounge.transcript import Transcript
from storage import subjects
from storage.database import Database
from storage.subjects import Place, Subject


@dataclass(frozen=True, slots=True)
class Docket:
    """Looks entries up by place. May raise StorageError."""

    database: Database
    personas: Personas
    talks: Talks
    consults: Consults
    scopes: Scopes
    transcript: Transcript

    async def hers(
        self, doctor: Doctor, places: Mapping[Place, str]
    ) -> dict[Place, Subject | None]:
        """Of these entries, with their rooms: those she is appointed for and did not write herself."""
        async with self.database.reading() as connection:
            found = await subjects.at(connection, set(places))
        rooms = {room: await self.scopes.about(room) for room in set(places.values())}
        return {
            place: found.get(place)
            for place, room in places.items()
            if await self.is_hers(doctor, rooms[room], found.get(place))
        }

    async def is_hers(self, doctor: Doctor, room: About, subject: Subject | None) -> bool:
        """She is appointed for an entry of that room, and did not write it."""
        if subject is None:
            return self.scopes.covers(doctor, room)
        what = about_words(room.room, room.rooms, _words(subject), subject.badge)
        return self.scopes.covers(doctor, what) and not await self.wrote(doctor, subject)

    async def wrote(self, doctor: Doctor, subject: Subject) -> bool:
        """It is her own."""
        if subject.persona is None:
            return False
        home = str(subject.body.get("consult", await self.talks.home_of(subject.room)))
        return bytes(subject.persona) in self.personas.all_ids_of(doctor.id, [home])

    async def events(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Entries by room and seq as they stand (JSON); without those that are gone."""
        events: dict[tuple[str, int], bytes] = {}
        for room in sorted({room for room, _ in places}):
            seqs = sorted({seq for other, seq in places if other == room})
            for item in (await self.transcript.at(room, seqs)).items:
                events[room, item.seq] = item.payload
        return events


def _words(subject: Subject) -> str:
    if subject.kind == "consult.open":
        return words_of(subject.body)
    return str(subject.body.get("text") or subject.body.get("question") or "")
