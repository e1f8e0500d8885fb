"""Who may be in the room of a page: whoever asked, always; whoever accepted, once she has. Nobody else.

The row of a page names personas of its own room, never a doctor: whether somebody is one of the two is
computed anew each time. To all others, also those who were alerted, there is no such room.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from lounge import policy
from lounge.belongings import Shelf
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.personas import Personas
from lounge.rooms import Room
from lounge.titles import Title
from storage import pages
from storage.database import Database, StorageError
from storage.pages import ASK, LIVE, PREFIX, Page

log = structlog.get_logger()

TITLE = Title("Page", "Appel de garde")
TITLE_OF_ASK = Title("Quick question", "Question rapide")
MOST_KNOWN = 5_000


@dataclass(frozen=True, slots=True)
class PagePlace:
    """One of the two: the page, and as whom they speak in its room."""

    page: Page
    own: bytes

    @property
    def room(self) -> Room:
        return room_of(self.page)

    @property
    def is_asker(self) -> bool:
        return self.own == self.page.asker

    @property
    def is_over(self) -> bool:
        """It can be read, and nothing is added."""
        return self.page.state not in LIVE


class Places:
    """Looks pages up. What does may raise StorageError."""

    def __init__(self, database: Database, personas: Personas) -> None:
        self._database = database
        self._personas = personas
        self._read = Gathered(self._by_slug)
        self._known: dict[tuple[str, str], Room] = {}

    async def admit(self, doctor: Doctor, room_id: str) -> PagePlace:
        """The doctor's place in a page. Raises Refusal: to all but the two as for a page that is not."""
        policy.require_open(doctor)
        page, own = await self.find(room_id), self.own(doctor.id, room_id)
        if page is None or own not in (page.asker, page.acceptor):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        return PagePlace(page, own)

    async def find(self, room_id: str) -> Page | None:
        """How it is now, whoever asks; None when there is none."""
        return await self._read.get(room_id)

    def own(self, doctor_id: str, room_id: str) -> bytes:
        """As whom the doctor is known in the room of a page: once and for all, under a made-up name."""
        return self._personas.id_of(doctor_id, room_id)

    # -- among a doctor's own rooms --------------------------------------------------------------

    async def learn(self, doctor: Doctor, shelf: Shelf) -> None:
        """Look up the pages among the doctor's own rooms, so that `room` knows them."""
        wanted = [id for id in shelf.rooms if is_page(id)]
        if not wanted:
            return
        try:
            found = await self._by_slug(wanted)
        except StorageError as fault:  # she comes in all the same; the next time her list has them
            log.warning("pages were not looked up", fault=str(fault))
            return
        for page in found.values():
            own = self.own(doctor.id, page.slug)
            if own in (page.asker, page.acceptor):
                self.know(doctor.id, PagePlace(page, own))

    def know(self, doctor_id: str, place: PagePlace) -> None:
        """The doctor has that place: her lists show it until it is over."""
        key = doctor_id, place.page.slug
        self._known.pop(key, None)
        if not place.is_over:
            self._known[key] = place.room
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def room(self, doctor_id: str, room_id: str) -> Room | None:
        """A page that the doctor is known to be one of the two of."""
        return self._known.get((doctor_id, room_id))

    # -- privates --------------------------------------------------------------------------------

    async def _by_slug(self, slugs: Collection[str]) -> dict[str, Page]:
        async with self._database.reading() as connection:
            return await pages.by_slug(connection, slugs)


def is_page(room_id: str) -> bool:
    """Whether a room of that id would be of a page."""
    return room_id.startswith(PREFIX)


def room_of(page: Page) -> Room:
    """A page as a room; what it is about stands in its first entry."""
    return room_titled(page.slug, page.kind)


def room_titled(slug: str, kind: str) -> Room:
    """The same of one that is about to be opened."""
    return Room(slug, TITLE_OF_ASK if kind == ASK else TITLE, "page", listed=False)
