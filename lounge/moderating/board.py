"""The board of moderators: every room in a line, read once a second by one reader a process.

It asks for counts alone, and only while somebody looks at it: what is said in rooms goes past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge import policy
from lounge.clock import now_ms
from lounge.consults import is_consult, title
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import Mode, Present
from lounge.moderating import scopes
from lounge.moderating.hour import Hour
from lounge.moderating.lines import Counts, Line, needs, read_counts
from lounge.moderating.pulse import minute_of
from lounge.news import News
from lounge.oncall.places import is_page
from lounge.personas import decode_badge
from lounge.rooms import Catalogue
from lounge.talks import is_talk
from lounge.titles import Title
from lounge.words import say
from storage import board, entries
from storage.database import Database

OLD_SECONDS = 0.9
LATE_MS = 2_000
"""A minute is over for the board once its count had time to be written."""
LANGUAGE = "language/"
Lines = Mapping[str, Line]


class Watcher(Protocol):
    """A moderator's connection that shows the board."""

    def watch(self, board: Board) -> None:
        """It was read again."""
        ...


class Board:
    """Reads the board and tells those who watch it. May raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        news: News,
        mode: Callable[[str], Mode],
        is_hinted: Callable[[], bool],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`mode` of a room; `is_hinted`: whether other processes' commits are heard of just now."""
        self._database = database
        self._catalogue = catalogue
        self._news = news
        self._mode = mode
        self._is_hinted = is_hinted
        self._clock = clock
        self._hour = Hour()
        self._lines: Lines = {}
        self._of_roles: dict[frozenset[str], Lines] = {}
        self._read_at = float("-inf")
        self._turn = asyncio.Lock()
        self.watchers: set[Watcher] = set()
        self.reads = 0
        """How often it was read since this process began."""

    async def lines(self, doctor: Doctor) -> Lines:
        """What she moderates, as it was less than a second ago. Raises Refusal."""
        if not policy.may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        async with self._turn:
            if monotonic() - self._read_at > OLD_SECONDS:
                await self._read()
        return self.of(doctor)

    def of(self, doctor: Doctor) -> Lines:
        """The same as it was last read: the same object until it is read again."""
        roles = frozenset(doctor.roles)
        if roles not in self._of_roles:
            seen = {room: line for room, line in self._lines.items() if _sees(doctor, line)}
            self._of_roles[roles] = seen
        return self._of_roles[roles]

    async def round(self) -> None:
        """Once a second: nothing while nobody watches."""
        if not self.watchers:
            return
        async with self._turn:
            await self._read()
        for watcher in list(self.watchers):
            watcher.watch(self)

    async def _read(self) -> None:
        now = self._clock()
        listed = [room.id for room in self._catalogue.rooms()]
        async with self._database.reading() as connection:
            if not self._is_hinted():  # then what others committed is nowhere but in the store
                await self._look_up(connection, listed)
            counts = await read_counts(connection)
            rooms = {*listed, *counts.rooms(), *filter(self._is_counted, self._news.moved_lately())}
            await self._hour.read(connection, minute_of(now - LATE_MS), rooms)
            rooms.update(self._hour.rooms())
            cases = await board.cases(connection, [each for each in rooms if is_consult(each)])
        places = ((room, self._place(room, cases)) for room in rooms)
        lines = [self._line(room, place, counts, now) for room, place in places if place]
        self._lines = {line.room: self._same(line) for line in sorted(lines, key=_most_first)}
        self._of_roles.clear()
        self._read_at = monotonic()
        self.reads += 1

    async def _look_up(self, connection: AsyncConnection, rooms: Collection[str]) -> None:
        for head in await entries.heads(connection, rooms):
            self._news.note(head.slug, head.seq, head.says)

    def _is_counted(self, room: str) -> bool:
        return is_consult(room) or self._catalogue.find(room) is not None

    def _place(self, room: str, cases: Mapping[str, board.Case]) -> _Place | None:
        if room in cases:
            case = cases[room]
            asked = tuple(f"specialty/{each}" for each in case.specialties)
            return _Place(title(case.question), "consult", asked, _country(case.badge))
        if is_talk(room):
            return _Place(_TALK, "talk")
        if is_page(room):
            return _Place(_PAGE, "page")
        found = self._catalogue.find(room)
        return None if found is None else _Place(found.title, found.kind)

    def _line(self, room: str, place: _Place, counts: Counts, now: int) -> Line:
        is_of_two = place.kind in ("talk", "page")  # a count would be one's coming and going
        past = self._hour.past(room)
        running = 0 if is_of_two else self._hour.running(room, self._news.standing(room).says)
        wants: dict[str, Any] = {
            "reports": counts.open_reports(room),
            "hidden_pending": counts.hidden_pending(room),
            "holds": counts.holds.get(room, 0),
            "waiting": counts.waiting.get(room, 0),
            "held": self._hour.held(room),
            "waived": self._hour.waived(room),
        }
        return Line(
            room=room,
            title=place.title,
            kind=place.kind,
            past=past,
            now=running,
            present=_TWO if is_of_two else self._news.present(room),
            mode=self._mode(room),
            needs=needs(now, lately=running + sum(past[-4:]), **wants),
            asked=place.asked,
            country=place.country,
            **wants,
        )

    def _same(self, line: Line) -> Line:
        """The object of before where nothing changed: then it is not told again."""
        was = self._lines.get(line.room)
        return was if was == line else line


@dataclass(frozen=True, slots=True)
class _Place:
    title: Title
    kind: str
    asked: tuple[str, ...] = ()
    country: str | None = None


def _sees(doctor: Doctor, line: Line) -> bool:
    """Counts are no texts: who moderates a language, which may be spoken anywhere, sees every room."""
    own = [f"{LANGUAGE}{each}" for each in ("en", "fr")]
    return scopes.may(doctor, line.room, country=line.country, rooms=(*line.asked, *own))


def _country(badge: str | None) -> str | None:
    country = decode_badge(badge).country
    return country if isinstance(country, str) else None


def _most_first(line: Line) -> tuple[int, str]:
    return -line.needs, line.room


def _words(key: str) -> Title:
    return Title(say(key, "en"), say(key, "fr"))


_TWO = Present(min=1, max=2)
_TALK, _PAGE = _words("board.talk"), _words("board.page")
