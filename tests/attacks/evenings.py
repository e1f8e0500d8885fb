"""A week of talk through the real rules and the real writer, and all of it that an attacker may get hold of.

Who speaks next, where and when comes from one seeded process that knows nothing of the doctors: what links
two personas of one of them was put there by the product.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from nacl.public import PrivateKey
from sqlalchemy import select, update

from channels.hint import Hint
from lounge import demo, opening
from lounge.attendance import Attendance
from lounge.doctors import Doctor, Visit
from lounge.doctors import _doctor as doctor_of
from lounge.door import Guest
from lounge.moderating.asked import Asked
from lounge.officers import Officer
from lounge.opening import Lounge, count_crowd, open_lounge
from lounge.personas import Face
from lounge.settings import from_environment
from storage import identities
from storage.acts import Act
from storage.identity_schema import doctor as doctors_table
from storage.schema import entry
from tests.attacks.approaches import approached, retired, together
from tests.attacks.consulting import cast, consulted, keys_in
from tests.attacks.moderating import moderated
from tests.attacks.paging import paged
from tests.templates import laid
from web import commands, wire
from web.dialects import JSON

ROOMS = (
    "world",
    *(f"specialty/{slug}" for slug in ("cardiology", "neurology", "emergency-medicine")),
    *(f"country/{code}" for code in ("ca", "us", "gb")),
    "bench/1",
)
WEEK_MS = 7 * 24 * 3_600_000
START_MS = 1_900_000_000_000
TOGETHER = 250  # posts to a transaction, as they come together on a busy evening
SESSION_MS = 30 * 60_000
FACES: tuple[Face, ...] = ("anonymous", "anonymous", "anonymous", "screen", "named")

ACTING: ContextVar[str] = ContextVar("acting", default="")
"""Whose act it is just now: for deliberately leaky builds only."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a week, from which seed. With `sessions`, doctors come for half an hour to several rooms."""

    doctors: int = 200
    posts: int = 5_000
    seed: int = 1
    sessions: bool = False
    rooms: tuple[str, ...] = ROOMS
    pages: int = 6
    """To each of some roles; and so many questions to whoever is available."""
    reports: int = 40
    """Entries that four doctors report, at most a sixth of all: 0 where no moderator judges anything."""


@dataclass(frozen=True, slots=True)
class Known:
    """A doctor as anybody might know her who has a list of members, in the order in which they joined."""

    id: str
    email: str
    name: str
    badge: str


@dataclass(slots=True)
class Evidence:
    """What an attacker is given. `owner`, of a persona's id, is the truth that only the judge knows."""

    plan: Plan
    folder: Path
    url: str
    known: list[Known]
    owner: dict[bytes, int]
    frames: list[dict[str, Any]]
    ballots: list[dict[str, Any]] = field(default_factory=list)
    """Rows of ballots, each with the room in which it was cast; `owner` knows their keys, too."""
    alerted: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    """Personas that a page was put to: its room, and whose each is."""


@dataclass(slots=True)
class Week:
    """An open house, its doctors at their commands, and what was said so far."""

    lounge: Lounge
    folder: Path
    random: Random
    clock: Clock
    known: list[Known]
    speakers: list[Speaker]
    authors: Authors = field(default_factory=dict)
    openers: Authors = field(default_factory=dict)
    """Who opened a case or a poll."""
    keys: dict[bytes, str] = field(default_factory=dict)
    """Whose act it was that brought such a key."""
    frames: list[dict[str, Any]] = field(default_factory=list)
    alerted: dict[bytes, tuple[str, int]] = field(default_factory=dict)

    async def talk(self, plan: Plan) -> Evidence:
        """Everything the plan says happens in its rooms; what is left of it while the house is still open."""
        for each in self.speakers:
            await each.sits(plan.rooms)
        await self._say(plan)
        await approached(self, plan)
        if not plan.sessions:  # whoever keeps hours is looked at by times alone
            plan = await consulted(self, plan)
        await self._meddle(plan)
        if not plan.sessions:
            plan = await paged(self, plan)
        return await self.evidence(plan)

    async def evidence(self, plan: Plan) -> Evidence:
        """The lounge's files as a thief of the disk finds them; keys and the other store are elsewhere."""
        for name in ("lounge.db", "lounge.db-wal"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, self.folder.parent / name)
        frames = [each for each in self.frames if each["room"] in plan.rooms]
        ballots = [row for row in await cast(self.lounge.database) if row["room"] in plan.rooms]
        owner = await self._owners(plan) | self._voters(ballots)
        url = self.lounge.settings.database_url
        put = {id: whose for id, whose in self.alerted.items() if whose[0] in plan.rooms}
        return Evidence(plan, self.folder.parent, url, self.known, owner, frames, ballots, put)

    async def _say(self, plan: Plan) -> None:
        schedule = sorted(_schedule(plan, self.random))
        middle = len(schedule) // 2 // TOGETHER * TOGETHER
        for start in range(0, len(schedule), TOGETHER):
            if start == middle:
                await retired(self.speakers, plan, self.random)
            batch = schedule[start : start + TOGETHER]
            self.clock.now = START_MS + batch[0][0]
            said = [self.speakers[who].says(room, self.random) for _, who, room in batch]
            for (_, who, room), seq in zip(batch, await asyncio.gather(*said), strict=True):
                self.authors[room, seq] = who

    async def _meddle(self, plan: Plan) -> None:
        """Reactions, reports, corrections, and whom a moderator mutes."""
        random, places = self.random, [each for each in self.authors if each[0] in plan.rooms]
        reacted = []
        for room, seq in random.sample(places, len(places) // 10):
            emoji, cid = random.choice("👍👀🙏"), _word(random) * 3
            react = wire.React(ref=0, room=room, seq=seq, cid=cid, emoji=emoji, on=True)
            reacted.append(random.choice(self.speakers).does(react))  # nobody thanks herself
        await together(reacted)
        chosen = random.sample(places, min(60, len(places) // 4))
        for n, (room, seq) in enumerate(chosen):
            author, cid = self.speakers[self.authors[room, seq]], _word(random) * 3
            if n % 3 == 0:
                report = wire.Report(ref=0, room=room, seq=seq, cid=cid, kind="other")
                reporter = random.choice(self.speakers)
                await reporter.sits([room])  # of a case she may know nothing yet
                await reporter.does(report)
            elif n % 3 == 1:
                await author.does(wire.Edit(ref=0, room=room, seq=seq, cid=cid, text=_word(random)))
            else:
                await self._mute(author, room, seq)
        if plan.reports:
            await moderated(self, plan)

    def cid(self) -> str:
        """A client id that nobody has used."""
        return _word(self.random) * 3

    async def _mute(self, author: Speaker, room: str, seq: int, minutes: int = 1) -> None:
        ACTING.set(author.doctor_id)
        roles = frozenset({"doctor", "moderator"})
        visit = Visit(replace(author.doctor, id="moderator", roles=roles), "session", None)
        moderator = Guest(visit, self.lounge.writer.epoch, lambda _: None)
        mute = Asked(
            room=room,
            act="mute",
            cid=_word(self.random) * 3,
            seq=seq,
            reason="other",
            minutes=minutes,
        )
        await self.lounge.moderating.sanctioning.mute(moderator, mute)
        self.clock.now += 2 * 60_000  # and it is over

    async def _owners(self, plan: Plan) -> dict[bytes, int]:
        numbers = {await self.lounge.conversation.number(room): room for room in plan.rooms}
        said = select(entry.c.room_id, entry.c.seq, entry.c.persona)
        said = said.where(entry.c.kind.in_(("say", "consult.open", "poll.open", "page.open")))
        async with self.lounge.database.reading() as connection:
            rows = (await connection.execute(said.where(entry.c.room_id.in_(numbers)))).all()
        who = self.authors | self.openers
        return {bytes(persona): who[numbers[id], seq] for id, seq, persona in rows}

    def _voters(self, ballots: Sequence[dict[str, Any]]) -> dict[bytes, int]:
        numbers = {speaker.doctor_id: n for n, speaker in enumerate(self.speakers)}
        return {row["key"]: numbers[self.keys[row["key"]]] for row in ballots}


@asynccontextmanager
async def opened(
    doctors: int, seed: int, folder: Path, redis_url: str, **changes: Any
) -> AsyncIterator[Week]:
    """A house with so many doctors, ten to a badge, and two officers; fixed by the seed."""
    random = Random(seed)
    settings = replace(
        from_environment({"LOUNGE_DATA": str(folder / "house"), "LOUNGE_NEWCOMER_HOURS": "0"}),
        redis_url=redis_url,
        bench=True,
        **changes,
    )
    await laid(settings)
    with _fixed(random) as clock:
        async with open_lounge(settings, {}, lambda: None) as lounge:
            ids = await _populated(lounge, doctors)
            known = await _named(lounge, ids, random)
            await _officers(lounge, ids)
            speakers = [await _speaker(lounge, id) for id in ids]
            week = Week(lounge, folder / "house", random, clock, known, speakers)
            _record(lounge, week.frames)
            _note_keys(lounge, week.keys)
            yield week


@asynccontextmanager
async def spent(
    plan: Plan, folder: Path, redis_url: str, **changes: Any
) -> AsyncIterator[Evidence]:
    """A week in a house of its own."""
    async with opened(plan.doctors, plan.seed, folder, redis_url, **changes) as week:
        yield await week.talk(plan)


# -- who there is --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speaker:
    """A doctor at her commands, without a socket."""

    doctor: Doctor
    asker: commands.Asker

    @property
    def doctor_id(self) -> str:
        return self.doctor.id

    async def sits(self, rooms: Sequence[str]) -> None:
        """In these rooms, so that she may speak there."""
        ACTING.set(self.doctor.id)
        await asyncio.gather(*(self.asker.attendance.sit(room) for room in rooms))

    async def does(self, command: wire.Command) -> Any:
        ACTING.set(self.doctor.id)
        return await commands.answer(self.asker, command)

    async def says(
        self, room: str, random: Random, reply_to: int | None = None, face: Face | None = None
    ) -> int:
        text, cid = f"{_word(random)} {_word(random)}", _word(random) * 3
        face = face or random.choice(FACES)
        if face == "screen" and not self.doctor.screen_name:
            face = "anonymous"
        say = wire.Say(ref=0, room=room, cid=cid, text=text, face=face, reply_to=reply_to)
        said = await self.does(say)
        assert isinstance(said, wire.Said)
        return said.seq


async def _populated(lounge: Lounge, doctors: int) -> list[str]:
    """Their ids, in the order in which they joined."""
    tokens = await demo.populate(lounge.identity_database, doctors, now=START_MS)
    lounge.personas.crowd = await count_crowd(lounge.doctors, lounge.rooms, lounge.settings)
    visits = await asyncio.gather(*(lounge.doctors.by_token(token) for token in tokens))
    return [visit.doctor.id for visit in visits if visit]


async def _named(lounge: Lounge, ids: Sequence[str], random: Random) -> list[Known]:
    """A name of her own for each, and for half of them a screen name."""
    async with lounge.identity_database.writing() as connection:
        for n, id in enumerate(ids):
            names = {"name": f"Nom {n} {_word(random)}"}
            if n % 2:
                names["screen_name"] = f"{_word(random)} {_word(random)}".title()
            found = update(doctors_table).where(doctors_table.c.id == id)
            await connection.execute(found.values(**names))
        rows = {row.id: row for row in await connection.execute(select(doctors_table))}
    return [
        Known(id, row.email, row.name, f"{row.grade} {row.specialty} {row.country}")
        for id, row in ((id, rows[id]) for id in ids)
    ]


async def _officers(lounge: Lounge, ids: Sequence[str]) -> None:
    """So that every author is sealed."""
    two = [Officer(id, bytes(PrivateKey.generate().public_key)) for id in ids[:2]]
    await lounge.enrolment.enrol(*two)
    await lounge.seals.refresh()
    await lounge.door.watch()
    lounge.writer.epoch = await lounge.doctors.move_gate()


async def _speaker(lounge: Lounge, id: str) -> Speaker:
    async with lounge.identity_database.reading() as connection:
        record = await identities.by_id(connection, id)
    assert record
    visit = Visit(doctor_of(record), None, None)
    guest = Guest(visit, lounge.door.epoch, lambda _: None)
    shelf = await lounge.belongings.of(id)
    attendance = Attendance(lounge, guest, shelf, _Nobody())
    return Speaker(visit.doctor, commands.Asker(lounge, attendance, JSON, "en"))


class _Nobody:
    """Nothing is sent to it: it never follows a room."""

    dialect = "json"

    def lost(self) -> None: ...

    def is_ready(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        raise AssertionError("nobody listens here")


# -- what they do --------------------------------------------------------------------------------

Authors = dict[tuple[str, int], int]
"""Who said what, by room and seq: a number of a speaker."""


def _schedule(plan: Plan, random: Random) -> Iterator[tuple[int, int, str]]:
    """When, who and where."""
    if not plan.sessions:
        for _ in range(plan.posts):
            who, room = random.randrange(plan.doctors), random.choice(plan.rooms)
            yield random.randrange(WEEK_MS), who, room
        return
    for _ in range(plan.posts // 5):
        begins, who = random.randrange(WEEK_MS), random.randrange(plan.doctors)
        for room in random.choices(random.sample(plan.rooms, 2), k=5):
            yield begins + random.randrange(SESSION_MS), who, room


def _record(lounge: Lounge, frames: list[dict[str, Any]]) -> None:
    """What a member of every room is sent of each entry, in the order in which it comes."""

    def published(hint: Hint) -> None:
        frames.extend(json.loads(item.payload) for item in hint.items)

    lounge.bus.publish = published  # type: ignore[method-assign]


def _note_keys(lounge: Lounge, keys: dict[bytes, str]) -> None:
    """The judge must know whose a ballot is, and nothing that is kept says so."""
    submit = lounge.writer.submit

    def noted(act: Act) -> Any:
        for key in keys_in(act):
            keys.setdefault(key, ACTING.get())
        return submit(act)

    lounge.writer.submit = noted  # type: ignore[method-assign]


# -- what is fixed -------------------------------------------------------------------------------


@dataclass(slots=True)
class Clock:
    now: int = START_MS


@contextmanager
def _fixed(random: Random) -> Iterator[Clock]:
    """The time is the schedule's and what is random comes from the seed, so that a run can be repeated."""
    clock = Clock()

    def digest(size: int) -> bytes:
        return random.randbytes(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: clock.now * 1_000_000)
        patch.setattr(secrets, "token_bytes", lambda size=32: digest(size))
        patch.setattr(secrets, "token_hex", lambda size=32: digest(size).hex())
        patch.setattr(secrets, "token_urlsafe", lambda size=32: _urlsafe(secrets.token_bytes(size)))
        # Nothing is followed here: of the loops only the writer has anything to do, and letters wait.
        patch.setattr(opening, "_loops", lambda lounge: [("writer", lounge.writer.run, 0.0)])
        yield clock


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _word(random: Random) -> str:
    return "".join(random.choices("bcdfgklmnprstvz", k=7))
