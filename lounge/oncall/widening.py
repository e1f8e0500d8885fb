"""One tap from a thread of two to a consult: its asker puts the question to all, and the thread says so."""

from __future__ import annotations

from lounge.doctors import Doctor
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.personas import MOST_RETIRED, Personas
from storage import pages
from storage.acts import Elsewhere, Step
from storage.database import Database
from storage.pages import Page


class Widening:
    """What the opening of such a consult does besides. Raises Refusal for what is declined, StorageError."""

    def __init__(self, database: Database, personas: Personas) -> None:
        self._database = database
        self._personas = personas

    async def find(self, doctor: Doctor, room_id: str) -> Page:
        """The page of her own in that room, which is in no consult yet. To others there is none."""
        async with self._database.reading() as connection:
            found = (await pages.by_slug(connection, [room_id])).get(room_id)
        own = self._personas.ids_of(doctor.id, room_id, MOST_RETIRED)
        if found is None or not {found.asker, found.acceptor}.intersection(own):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        if found.asker not in own:
            raise Refusal(Code.FORBIDDEN, "refusal.page_asker")
        if found.consult is not None:
            raise taken()
        return found


def widened(page: Page, consult: str) -> tuple[Step, Elsewhere]:
    """For the act that opens the consult: guard and change of the page, and what its room says."""
    said = draft("page.widened", {"consult": consult})
    return pages.widening(page.slug, consult), Elsewhere(page.room_id, (said,))


def taken() -> Refusal:
    """It is in a consult already."""
    return Refusal(Code.FROZEN, "refusal.page_widened")
