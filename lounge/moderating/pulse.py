"""How much goes on in each room: counted by the minute, for the board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lounge.clock import now_ms
from lounge.consults import is_consult
from lounge.news import News
from lounge.rooms import Catalogue
from storage import pulse
from storage.database import Database

HELD, WAIVED = "held", "waived"
"""A text was held by the guard or a rule; its author said that it is not a patient."""

MINUTE_MS = 60_000
KEPT_MINUTES = 120
_FORGET_EVERY = 30


class Pulse:
    """What this process adds to the minutes of rooms: nothing by message, doctor or persona.

    Rooms of two are in none of it.
    """

    def __init__(
        self,
        database: Database,
        news: News,
        catalogue: Catalogue,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._news = news
        self._catalogue = catalogue
        self._clock = clock
        self._noted: Counter[tuple[str, int, str]] = Counter()
        self._ended = minute_of(clock()) - 1
        self._forgotten = 0

    def note(self, room_id: str, what: str) -> None:
        """One more in that room, in this minute. No I/O: it is written within a second."""
        if self.counts(room_id):
            self._noted[room_id, minute_of(self._clock()), what] += 1

    def counts(self, room_id: str) -> bool:
        """Whether anything is counted there: in rooms of a list, and in consults."""
        found = self._catalogue.find(room_id)
        return is_consult(room_id) or (found is not None and found.kind != "me")

    async def write(self) -> None:
        """What was noted since; and once a minute, how far the rooms that moved have come.

        Raises StorageError; then it is written the next time.
        """
        await self._write_noted()
        now = minute_of(self._clock())
        if now - 1 > self._ended:
            await self._end(now - 1)
            self._ended = now - 1

    async def _write_noted(self) -> None:
        noted, self._noted = self._noted, Counter()
        if not noted:
            return
        try:
            async with self._database.writing() as connection:
                await pulse.add(connection, _added(noted))
        except BaseException:
            self._noted.update(noted)
            raise

    async def _end(self, minute: int) -> None:
        moved = self._news.take_moved()
        try:
            async with self._database.writing() as connection:
                await pulse.end_minute(connection, minute, [r for r in moved if self.counts(r)])
                if minute - self._forgotten >= _FORGET_EVERY:
                    await pulse.forget(connection, minute - KEPT_MINUTES)
                    self._forgotten = minute
        except BaseException:
            self._news.give_back(moved)
            raise


def minute_of(at: int) -> int:
    """The minute that this moment (ms) is in, counted since 1970."""
    return at // MINUTE_MS


def _added(noted: Counter[tuple[str, int, str]]) -> list[pulse.Noted]:
    places = dict.fromkeys((room, minute) for room, minute, _ in noted)
    return [
        pulse.Noted(
            room, minute, held=noted[room, minute, HELD], waived=noted[room, minute, WAIVED]
        )
        for room, minute in places
    ]
