"""Consults: who may be in one, how it stands, and what tells of a change wherever it is announced.

A consult is a room of its own, `consult/<random>`, open to every verified doctor and in no list of rooms. Its
first entry is the case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import structlog
from msgspec import UNSET

from lounge import policy
from lounge.belongings import Shelf
from lounge.doctors import Doctor
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.events import ConsultState
from lounge.gathered import Gathered
from lounge.rooms import Room
from lounge.titles import Title
from storage import consults
from storage.acts import Draft, Elsewhere
from storage.consults import OPENING_SEQ, PREFIX, Consult
from storage.database import Database, StorageError

log = structlog.get_logger()

TITLE_CODE_POINTS = 80
UNTITLED = Title("Consult", "Avis demandé")
WORDS = ("question", "decision", "presentation", "findings", "tried")
"""The parts of a case that hold its author's own words."""
MOST_KNOWN = 5_000


class Consults:
    """Looks consults up. What does may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = Gathered(self._by_slug)
        self._known: dict[str, Room] = {}

    async def admit(self, doctor: Doctor, room_id: str) -> Room:
        """The consult as a room: for every doctor to whom rooms are open. Raises Refusal."""
        policy.require_open(doctor)
        found = await self.find(room_id)
        if found is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        return self.note(found)

    async def find(self, slug: str) -> Consult | None:
        """How it is now; None when there is none."""
        return await self._read.get(slug) if is_consult(slug) else None

    async def must_find(self, slug: str) -> Consult:
        """The same. Raises Refusal `invalid` for a room that is no consult."""
        found = await self.find(slug)
        if found is None:
            raise Refusal(Code.INVALID, "refusal.consult_only", field="room")
        return found

    async def standing(self, slug: str) -> ConsultState | None:
        """Its state as events tell it."""
        found = await self.find(slug)
        return None if found is None else state(found)

    async def updates(self, consult: Consult, now: ConsultState) -> tuple[Elsewhere, ...]:
        """For an act by which it comes to stand so: what tells of it at each of its cards.

        The act is of the consult's own room, where `update(now)` tells of it.
        """
        async with self._database.reading() as connection:
            cards = await consults.cards(connection, consult.slug)
        return tuple(Elsewhere(card.room_id, (update(now, card.seq),)) for card in cards)

    # -- among a doctor's own rooms --------------------------------------------------------------

    async def learn(self, shelf: Shelf) -> None:
        """Look up the consults among the doctor's own rooms, so that `room` knows them."""
        wanted = [id for id in shelf.rooms if is_consult(id)]
        if not wanted:
            return
        try:
            for found in (await self._by_slug(wanted)).values():
                self.note(found)
        except StorageError as fault:  # she comes in all the same; the next time her list has them
            log.warning("consults were not looked up", fault=str(fault))

    def room(self, room_id: str) -> Room | None:
        """A consult that was looked up before, under its title of then."""
        return self._known.get(room_id)

    # -- privates --------------------------------------------------------------------------------

    def note(self, found: Consult) -> Room:
        room = Room(found.slug, title(found.question), "consult", listed=False)
        self._known.pop(found.slug, None)
        self._known[found.slug] = room
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return room

    async def _by_slug(self, slugs: Collection[str]) -> Mapping[str, Consult]:
        async with self._database.reading() as connection:
            return await consults.by_slug(connection, slugs)


def is_consult(room_id: str) -> bool:
    """Whether a room of that id would be a consult."""
    return room_id.startswith(PREFIX)


def state(
    consult: Consult,
    *,
    phase: str | None = None,
    opinions: int | None = None,
    withdrawn: int | None = None,
) -> ConsultState:
    """How it stands, or will once these have changed."""
    gone = consult.withdrawn if withdrawn is None else withdrawn
    return ConsultState(
        phase=phase or consult.state,  # type: ignore[arg-type]
        opinions=consult.told if opinions is None else opinions,
        withdrawn=gone or UNSET,
    )


def update(now: ConsultState, target: int = OPENING_SEQ) -> Draft:
    """The entry by which a card, or the case itself in its own room, is told to stand so."""
    return draft("consult.update", {"state": msgspec.to_builtins(now)}, target=target)


def words_of(case: Mapping[str, object]) -> str:
    """The words by which a case is found, as one text."""
    return "\n".join(str(case[name]) for name in WORDS if name in case)


def title(question: str | None) -> Title:
    """What a consult's room is called, in both languages alike; of a hidden case, what it is."""
    if question is None:
        return UNTITLED
    words = " ".join(question.split())
    short = words if len(words) <= TITLE_CODE_POINTS else f"{words[: TITLE_CODE_POINTS - 1]}…"
    return Title(short, short)
