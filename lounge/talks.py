"""Talks: two who met in a room go on alone, under the faces shown there. Who is one of the two.

A talk's room is `talk/<random>`. Its row names two personas of the room in which they met, never a doctor:
whether somebody is one of the two is computed anew each time. To all others there is no such room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog

from lounge import policy
from lounge.belongings import Shelf
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import By
from lounge.gathered import Gathered
from lounge.personas import MOST_RETIRED, Personas, by, decode_badge
from lounge.rooms import Room
from lounge.titles import Title
from storage import talks
from storage.database import Database, StorageError
from storage.talks import ASKED, CLOSED, DECLINED, OPEN, PREFIX, WITHDRAWN, Talk, Voice

log = structlog.get_logger()

_NOWHERE = "world"  # as much is computed for a talk that there is not


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two: the talk, as whom they speak in it, and to whom."""

    talk: Talk
    own: Voice
    other: Voice

    @property
    def room(self) -> Room:
        """The talk as a room, named after the other one."""
        name = shown(self.other).name
        return Room(self.talk.slug, Title(name, name), "talk", listed=False)

    @property
    def is_over(self) -> bool:
        return self.talk.state == CLOSED

    @property
    def was_asked(self) -> bool:
        """True for the one who was asked, not the one who asked."""
        return self.own.id == self.talk.asked.id


class Talks:
    """Who may be in which talk. What looks something up may raise StorageError."""

    def __init__(self, database: Database, personas: Personas) -> None:
        self._database = database
        self._personas = personas
        self._read = Gathered(self._by_slug)
        self._known: WeakKeyDictionary[Shelf, dict[str, Room]] = WeakKeyDictionary()

    # -- the one place where it is decided -------------------------------------------------------

    async def admit(self, doctor: Doctor, room_id: str) -> Place:
        """The doctor's place in a talk that was accepted; it may be over.

        Raises Refusal: to all but the two, in words and work, as for a talk that there is not.
        """
        place = await self.find(doctor, room_id)
        if place.talk.state == ASKED:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_waiting")
        if place.talk.state == DECLINED:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_declined")
        if place.talk.state == WITHDRAWN:
            raise Refusal(Code.FORBIDDEN, "refusal.talk_withdrawn")
        return place

    async def find(self, doctor: Doctor, room_id: str) -> Place:
        """As `admit`, but also while it is only asked for, and when it was not accepted."""
        policy.require_open(doctor)
        talk = await self._read.get(room_id)
        own = self.own(doctor.id, _NOWHERE if talk is None else talk.origin)
        place = None if talk is None else _place(talk, own)
        if place is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        return place

    async def home_of(self, room_id: str) -> str:
        """The room in which those who speak there are who they are: of a talk, where the two met."""
        talk = await self._read.get(room_id) if is_talk(room_id) else None
        return room_id if talk is None else talk.origin

    # -- all of one doctor -----------------------------------------------------------------------

    async def of(self, doctor: Doctor) -> list[Place]:
        """All talks that the doctor may read, in no order that tells of time."""
        async with self._database.reading() as connection:
            origins = await talks.origins(connection)
            own = {origin: self.own(doctor.id, origin) for origin in origins}
            ids = frozenset[bytes]().union(*own.values())
            found = await talks.of(connection, ids) if ids else []
        places = (_place(talk, own.get(talk.origin, frozenset())) for talk in found)
        return [each for each in places if each and each.talk.state in (OPEN, CLOSED)]

    async def learn(self, doctor: Doctor, shelf: Shelf) -> None:
        """Look up the talks among the doctor's own rooms, so that `room` knows them."""
        known = self._known.setdefault(shelf, {})
        new = [id for id in shelf.rooms if is_talk(id) and id not in known]
        places = await asyncio.gather(*(self._place_in(doctor, id) for id in new))
        for place in places:
            if place is not None:
                self.know(shelf, place)

    def know(self, shelf: Shelf, place: Place) -> None:
        """The doctor of this shelf has that place: her lists show it until it is over."""
        known = self._known.setdefault(shelf, {})
        known.pop(place.talk.slug, None)
        if not place.is_over:
            known[place.talk.slug] = place.room

    def room(self, shelf: Shelf, room_id: str) -> Room | None:
        """A talk that the doctor of this shelf is known to be in."""
        return self._known.get(shelf, {}).get(room_id)

    def own(self, doctor_id: str, origin: str) -> frozenset[bytes]:
        """Every id that the doctor has or had in a room, or may have yet: by any face, also retired."""
        return frozenset(self._personas.ids_of(doctor_id, origin, MOST_RETIRED))

    # -- privates --------------------------------------------------------------------------------

    async def _place_in(self, doctor: Doctor, room_id: str) -> Place | None:
        try:
            return await self.admit(doctor, room_id)
        except Refusal:  # the rooms are closed to her
            return None
        except StorageError as fault:  # she comes in all the same; the list of rooms has it
            log.warning("a talk was not looked up", fault=str(fault))
            return None

    async def _by_slug(self, slugs: Collection[str]) -> dict[str, Talk]:
        async with self._database.reading() as connection:
            return await talks.by_slug(connection, slugs)


def is_talk(room_id: str) -> bool:
    """Whether a room of that id would be a talk."""
    return room_id.startswith(PREFIX)


def shown(voice: Voice) -> By:
    """One of the two as the other sees them."""
    return by(voice.id, voice.face, decode_badge(voice.badge), voice.name)


def _place(talk: Talk, own: frozenset[bytes]) -> Place | None:
    if talk.asker.id in own:
        return Place(talk, talk.asker, talk.asked)
    return Place(talk, talk.asked, talk.asker) if talk.asked.id in own else None
