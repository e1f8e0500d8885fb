"""Over what a moderator is appointed, and where she keeps out: nobody acts in a thread where they speak.

Roles: `moderator` for all; `moderator:<room id>` for a room and the consults put to it, of a country also for
what its doctors say anywhere; `moderator:language/<en|fr>` for what is written in that language, in any room.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from lounge import policy
from lounge.consults import Consults, is_consult, words_of
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.guard import language as small_words
from lounge.moderating.claims import Claims
from lounge.oncall.places import is_page
from lounge.personas import MOST_RETIRED, Personas, decode_badge
from lounge.rooms import Catalogue
from lounge.talks import Talks, is_talk
from storage import consults, entries, reports, voices
from storage.consults import OPENING_SEQ
from storage.database import Database
from storage.entries import Standing

EVERYWHERE = ""
"""As a room: where only who moderates all is appointed."""
NEAR = 30
"""In a room that is no thread: who speaks within so many entries of another does not act on it."""
_TELLING = 1000
"""By so many of its first characters the language of a text is told."""
_LANGUAGE = "moderator:language/"


@dataclass(frozen=True, slots=True)
class About:
    """What an act or a report is about, as far as scopes ask: besides its room, those a case was put to.

    `words`: its language is told by them, where it is asked for and `language` is None.
    """

    room: str
    rooms: frozenset[str] = frozenset()
    language: str | None = None
    country: str | None = None
    words: str = field(default="", repr=False)


def may(
    doctor: Doctor,
    room_id: str,
    language: str | None = None,
    country: str | None = None,
    rooms: Collection[str] = (),
) -> bool:
    """Whether she is appointed there: for the room, the text's language, its author's badge's country.

    `rooms`: others it counts as of, as a consult does where it was put.
    """
    what = About(room_id, frozenset(rooms), language, country)
    return doctor.verified and is_appointed(doctor.roles, what)


def is_appointed(roles: Collection[str], what: About) -> bool:
    """Whether one of these roles is a moderator's for it."""
    places = {what.room, *what.rooms}
    if any(role.startswith(_LANGUAGE) for role in roles):  # of nobody else it is asked
        places.add(f"language/{what.language or _language_of(what.words)}")
    if what.country is not None:
        places.add(f"country/{what.country.lower()}")
    wanted = {"moderator", *(f"moderator:{place}" for place in places)}
    return not wanted.isdisjoint(roles)


class Scopes:
    """What every act and every read of a moderator asks first. May raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        personas: Personas,
        catalogue: Catalogue,
        talks: Talks,
        consults: Consults,
        claims: Claims,
    ) -> None:
        self._database = database
        self._personas = personas
        self._catalogue = catalogue
        self._talks = talks
        self._consults = consults
        self._claims = claims

    async def admit(self, doctor: Doctor, room_id: str, seq: int | None = None) -> None:
        """She may act there, on that entry or on the room: she is appointed, and not among who speaks.

        Of a talk or a page only on what was reported; not while another moderator has claimed a report about
        the entry. Raises Refusal.
        """
        await self.reach(doctor, room_id, seq)
        await self.apart(doctor, room_id, seq)
        if seq is not None:
            for room_number, at in await self.as_one(room_id, seq):
                await self._unclaimed(doctor, room_number, at)

    async def reach(self, doctor: Doctor, room_id: str, seq: int | None = None) -> None:
        """As `admit`, for reading: she may be among who speaks. Raises Refusal."""
        if not policy.may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        policy.require_open(doctor)
        await self._must_exist(room_id, seq)
        if not self.covers(doctor, await self.about(room_id, seq)):
            raise Refusal(Code.FORBIDDEN, "refusal.out_of_scope")

    async def apart(self, doctor: Doctor, room_id: str, seq: int | None = None) -> None:
        """She says nothing in that thread, nor near that entry of a room, nor in the case that it announces.

        Raises Refusal.
        """
        case = None if seq is None or is_thread(room_id) else await self._carded(room_id, seq)
        if case is not None:
            await self.apart(doctor, case)
        home = await self._talks.home_of(room_id)
        own = self._personas.ids_of(doctor.id, home, MOST_RETIRED)
        number = await entries.room_id(self._database, room_id)
        async with self._database.reading() as connection:
            first, last = 1, None
            if not is_thread(room_id):
                at = seq if seq is not None else await voices.head(connection, number)
                first, last = at - NEAR, at + NEAR
            spoke = await voices.speaks(connection, number, own, first, last)
        if spoke:
            raise Refusal(Code.FORBIDDEN, "refusal.speaks_here")

    async def acted_on(
        self, doctor: Doctor, room_id: str, found: Sequence[tuple[int, Standing]]
    ) -> list[tuple[int, Standing]]:
        """Of these entries of a room those she may act on: hers by scope, and claimed by nobody else."""
        place, number = await self.about(room_id), await entries.room_id(self._database, room_id)
        async with self._database.reading() as connection:
            filed = await reports.open_among(connection, number, [seq for seq, _ in found])
        taken = {each.seq for each in filed if self._claims.whose(doctor.id, each) == "other"}
        return [
            (seq, was)
            for seq, was in found
            if seq not in taken and self.covers(doctor, about(room_id, place.rooms, was))
        ]

    async def as_one(self, room_id: str, seq: int) -> list[tuple[int, int]]:
        """The entry by its room's number and seq; of a case or a card the case, then all its cards."""
        is_case = is_consult(room_id) and seq == OPENING_SEQ
        case = room_id if is_case else await self._carded(room_id, seq)
        number = await entries.room_id(self._database, room_id if case is None else case)
        if case is None:
            return [(number, seq)]
        async with self._database.reading() as connection:
            cards = await consults.cards(connection, case)
        return [(number, OPENING_SEQ), *((card.room_id, card.seq) for card in cards)]

    async def about(self, room_id: str, seq: int | None = None) -> About:
        """What is looked at of the room and of the entry in it."""
        consult = await self._consults.find(room_id)
        rooms = frozenset(f"specialty/{each}" for each in consult.specialties) if consult else ()
        was = None if seq is None else await self._standing(room_id, seq)
        return about(room_id, rooms, was)

    def covers(self, doctor: Doctor, what: About) -> bool:
        """Whether she is appointed for it."""
        return doctor.verified and is_appointed(doctor.roles, what)

    async def _unclaimed(self, doctor: Doctor, room_number: int, seq: int) -> None:
        async with self._database.reading() as connection:
            found = await reports.open_about(connection, room_number, seq)
        for each in found:
            self._claims.is_free_for(doctor.id, each)

    async def _carded(self, room_id: str, seq: int) -> str | None:
        """The consult that an entry announces."""
        async with self._database.reading() as connection:
            return await consults.carded(connection, room_id, seq)

    async def _must_exist(self, room_id: str, seq: int | None) -> None:
        if is_consult(room_id):
            await self._consults.must_find(room_id)
        elif is_talk(room_id) or is_page(room_id):
            async with self._database.reading() as connection:
                known = seq is not None and await reports.is_reported(connection, room_id, seq)
            if not known:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        else:
            found = self._catalogue.find(room_id)
            if found is None or found.kind == "me":
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")

    async def _standing(self, room_id: str, seq: int) -> Standing | None:
        number = await entries.room_id(self._database, room_id)
        async with self._database.reading() as connection:
            return await entries.standing(connection, number, seq)


def about(room_id: str, rooms: Collection[str], was: Standing | None) -> About:
    """The same of an entry that was read already."""
    if was is None:
        return About(room_id, frozenset(rooms))
    words = words_of(was.body) if was.kind == "consult.open" else was.text
    return about_words(room_id, rooms, words, was.shown.badge if was.shown else None)


def about_words(room_id: str, rooms: Collection[str], words: str, badge: str | None) -> About:
    """The same of its words, and its author's badge as kept."""
    shown = decode_badge(badge).country
    country = shown if isinstance(shown, str) else None
    return About(room_id, frozenset(rooms), country=country, words=words)


def is_thread(room_id: str) -> bool:
    """A consult, a talk or a page: whoever speaks in it at all is part of it."""
    return is_consult(room_id) or is_talk(room_id) or is_page(room_id)


def _language_of(words: str) -> str | None:
    return small_words.language_of(small_words.words_of(words[:_TELLING]))
