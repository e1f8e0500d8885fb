"""The board of consults: which cases wait, who looks at them, and how long cases wait for a first opinion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lounge.clock import now_ms
from lounge.events import By
from lounge.first_opinions import DAY_MS, DAYS, Timed
from lounge.personas import MOST_RETIRED, Personas, by, decode_badge
from storage import consults
from storage.consults import PHASES, Consult, Listed
from storage.database import Database

MOST_LISTED = 200
MOST_LOOKED_THROUGH = 1000
"""Whose a case is, is computed for each anew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; at most `limit` of it."""

    phase: str | None = None
    urgency: str | None = None
    specialty: str | None = None
    mine: bool = False
    limit: int = MOST_LISTED


@dataclass(frozen=True, slots=True)
class Line:
    """A case as one doctor sees it; `looking`: how many look at it just now."""

    consult: Consult
    by: By
    looking: int
    mine: bool


class Board:
    """Reads the board. May raise StorageError."""

    def __init__(
        self, database: Database, personas: Personas, clock: Callable[[], int] = now_ms
    ) -> None:
        """`clock` gives ms since 1970."""
        self._database = database
        self._personas = personas
        self.now = clock

    async def lines(self, doctor_id: str, wanted: Wanted) -> list[Line]:
        """Who still waits for a first opinion comes first."""
        async with self._database.reading() as connection:
            found = await consults.listed(
                connection,
                now=self.now(),
                limit=MOST_LOOKED_THROUGH if wanted.mine else wanted.limit,
                phases=(wanted.phase,) if wanted.phase else PHASES,
                urgency=wanted.urgency,
                specialty=wanted.specialty,
            )
        lines = await asyncio.to_thread(self._lines, doctor_id, found)
        return [each for each in lines if each.mine or not wanted.mine][: wanted.limit]

    async def timed(self) -> list[Timed]:
        """The cases of the last days, for the figures."""
        async with self._database.reading() as connection:
            return await consults.timed(connection, self.now() - DAYS * DAY_MS)

    def _lines(self, doctor_id: str, found: Sequence[Listed]) -> list[Line]:
        return [self._line(doctor_id, each) for each in found]

    def _line(self, doctor_id: str, each: Listed) -> Line:
        consult = each.consult
        own = self._personas.ids_of(doctor_id, consult.slug, MOST_RETIRED)
        author = by(consult.author, each.face, decode_badge(each.badge), each.name)
        return Line(consult, author, each.looking, consult.author in own)
