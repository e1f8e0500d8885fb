"""Telling doctors of consults when their browser is closed: notices in `me`, and letters that say nothing.

Who is told is found in memory, from a persona. A letter by e-mail says that something is new, never what: an
e-mail goes through houses that know who she is.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from random import SystemRandom

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.belongings import Belongings
from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.house_acts import HouseActs
from lounge.keys import Keys
from lounge.mail import mail_of, post
from lounge.notices import letter
from lounge.personas import Personas, wire_id
from lounge.told import ON_DUTY, Kind, Spent, Told, checked, of_hers
from storage import applications, due, duties, entries
from storage.acts import Letter, Step
from storage.consults import Consult
from storage.database import Database
from storage.due import Due

DUE = "told"
LATEST_MS = 30_000
"""A letter leaves up to so much later than what it is about: the moment would tell whose case it is."""
MOST_ASKED = 500
"""So many of those who wish to be asked are told of one case, at random: it is enough for a crowd."""
_random = SystemRandom()

_TO_AUTHOR = ("consult_opinion", "consult_question", "consult_closed", "consult_outcome")


def later(kind: Kind, room: str, target: int | None = None) -> Step:
    """For an act after which it is to be told: soon, and by one process, whichever that is.

    Who is told follows from `kind` and the consult `room`: its author; with `consult_asked` those who wish
    to be asked; with `replied` whoever said what the say at `target` answers.
    """
    subject = f"{kind} {room} {target or ''}".rstrip()
    return due.add(f"{DUE} {subject}", DUE, subject, now_ms())


def later_of_this(kind: Kind, room: str, room_id: int | None = None) -> Step:
    """The same of the act's own first entry: in the act's room, or in that of number `room_id`."""
    stem = f"{kind} {room} "
    return due.add_of_this(f"{DUE} {stem}", DUE, stem, now_ms(), room_id)


class Telling:
    """Makes letters for `me`, and turns some of them into e-mail as they arrive. May raise StorageError."""

    def __init__(
        self,
        *,
        identity: Database,
        database: Database,
        keys: Keys,
        belongings: Belongings,
        personas: Personas,
        consults: Consults,
        house_acts: HouseActs,
        doctor_ids: Callable[[], Awaitable[list[str]]],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._database = database
        self._keys = keys
        self._belongings = belongings
        self._personas = personas
        self._consults = consults
        self._house_acts = house_acts
        self._doctor_ids = doctor_ids
        self._clock = clock

    # -- letters that go into an act -------------------------------------------------------------

    async def tell(
        self, kind: Kind, doctor_id: str, room: str, target: int | None = None
    ) -> tuple[Letter, ...]:
        """One doctor, of what is new in `room`, at `target` if it is there."""
        return (self._letter(kind, doctor_id, room, target),)

    async def tell_owners(
        self, kind: Kind, personas: Collection[bytes], room: str, target: int | None = None
    ) -> tuple[Letter, ...]:
        """Whoever is behind these personas of the room, each once; who has left is not told."""
        if not personas:
            return ()
        wanted = {*personas, secrets.token_bytes(16)}  # nobody's: so all are tried, as by `owner`
        found = await self._personas.owners(wanted, room, await self._doctor_ids())
        return tuple(self._letter(kind, each, room, target) for each in sorted({*found.values()}))

    # -- what she wishes --------------------------------------------------------------------------

    async def wishes(self, doctor_id: str) -> Told:
        """What she wishes to be told."""
        return (await self._belongings.kept(doctor_id)).told

    async def wish(self, doctor_id: str, told: Told) -> None:
        """From now on, in every process. Raises Refusal for hours that cannot be."""
        checked(told)
        async with self._identity.writing() as connection:
            things = await self._belongings.held(connection, doctor_id)
            if things is not None:
                things = msgspec.structs.replace(things, told=told)
                await self._belongings.put(connection, doctor_id, things)

    # -- what was put off until after the act ----------------------------------------------------

    async def do_due(self, what: Due) -> None:
        """Tell whoever is to be told, in the act that ends the row."""
        kind, room, *at = what.subject.split(" ")
        consult = await self._consults.find(room)
        if consult is None:
            return
        target = int(at[0]) if at else None
        told = await self._who(kind, consult, target)
        letters = [self._letter(kind, doctor_id, room, target) for doctor_id in told]
        await self._house_acts.do(consult.room_id, steps=(due.done(what.id),), letters=letters)

    async def _who(self, kind: str, consult: Consult, target: int | None) -> list[str]:
        if kind == "consult_asked":
            return await self._asked(consult)
        if kind == "replied":
            return await self._answered(consult, target or 0)
        author = await self._owner(consult.author, consult.slug) if kind in _TO_AUTHOR else None
        return [author] if author else []

    async def _asked(self, consult: Consult) -> list[str]:
        """Those who wish to be told of such a case, but for its author."""
        told = await self._belongings.told_of(consult.specialties)
        author = await self._owner(consult.author, consult.slug)
        ids = [id for id, wish in told.items() if wish.wants_asking(consult.urgency)]
        others = [id for id in ids if id != author]
        return _random.sample(others, min(len(others), MOST_ASKED))

    async def _answered(self, consult: Consult, seq: int) -> list[str]:
        """Whoever said what was answered: neither of her own answers, nor of whom she ignores."""
        async with self._database.reading() as connection:
            reply = await entries.standing(connection, consult.room_id, seq)
            target = reply.target if reply else None
            was = await entries.standing(connection, consult.room_id, target) if target else None
        if reply is None or reply.persona is None or was is None or was.persona is None:
            return []
        owner = await self._owner(was.persona, consult.slug)
        if owner is None or reply.persona in self._personas.all_ids_of(owner, [consult.slug]):
            return []
        ignored = (await self._belongings.of(owner)).ignored(consult.slug)
        return [] if wire_id(reply.persona) in ignored else [owner]

    async def _owner(self, persona: bytes, room: str) -> str | None:
        return await self._personas.owner(persona, room, await self._doctor_ids())

    def _letter(self, kind: str, doctor_id: str, room: str, target: int | None) -> Letter:
        notice: dict[str, object] = {"notice": kind, "about": room}
        if target is not None:
            notice["target"] = target
        return letter(self._keys, doctor_id, notice, at=self._clock())

    # -- as letters arrive in `me` ---------------------------------------------------------------

    async def arriving(
        self,
        connection: AsyncConnection,
        doctor_id: str,
        notices: Sequence[Mapping[str, object]],
    ) -> list[bool]:
        """Which of these notices reach her; for those that she wishes to have by e-mail, one is posted.

        Of what is urgent one is posted while she is on duty, in quiet hours too and however many there were.
        In the transaction of the identity store that brings them: a letter that is carried twice is
        posted once.
        """
        kinds = [of_hers(notice) for notice in notices]
        now = self._clock()
        urgent = await self._is_urgent(connection, doctor_id, notices, now)
        asked = urgent or any(kinds)
        things = await self._belongings.held(connection, doctor_id) if asked else None
        if things is None:
            return [True] * len(notices)
        day = things.told.day(now)
        reach, spent = _reaching(things.told, things.spent.on(day), kinds)
        wanted = any(on and kind in things.told.mail for kind, on in zip(kinds, reach, strict=True))
        if urgent and spent.urgent <= now:  # which tells of the others, too
            sent = await self._post(connection, doctor_id, Told(), now)
            spent = msgspec.structs.replace(spent, urgent=sent)
        elif wanted and spent.next <= now and spent.mails < things.told.most:
            sent = await self._post(connection, doctor_id, things.told, now)
            spent = msgspec.structs.replace(spent, mails=spent.mails + 1, next=sent)
        if spent != things.spent:
            spending = msgspec.structs.replace(things, spent=spent)
            await self._belongings.put(connection, doctor_id, spending)
        return reach

    async def _is_urgent(
        self,
        connection: AsyncConnection,
        doctor_id: str,
        notices: Sequence[Mapping[str, object]],
        now: int,
    ) -> bool:
        if not any(each.get("notice") in ON_DUTY for each in notices):
            return False
        return await duties.until(connection, doctor_id, now) is not None

    async def _post(self, connection: AsyncConnection, doctor_id: str, told: Told, now: int) -> int:
        """When it will leave. One that still waits tells of what comes meanwhile, too."""
        at = now + _random.randrange(LATEST_MS)
        at = told.quiet.over(at) if told.quiet else at
        who = await applications.by_id(connection, doctor_id)
        if who is not None and who.state == applications.VERIFIED:
            news = mail_of("news", who.language, who.email)
            news = msgspec.structs.replace(news, quiet=told.quiet)
            await post(connection, self._keys.identity, news, at)
        return at


def _reaching(told: Told, spent: Spent, kinds: Sequence[str | None]) -> tuple[list[bool], Spent]:
    """She is asked as often a day as she wishes, and everything else reaches her."""
    reach = []
    for kind in kinds:
        asks = kind == "consult_asked"
        on = not asks or (told.asked is not None and spent.asked < told.asked_most)
        if asks and on:
            spent = msgspec.structs.replace(spent, asked=spent.asked + 1)
        reach.append(on)
    return reach, spent
