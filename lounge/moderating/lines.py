"""A room as the board of moderators has it, and how much it wants their eyes: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.events import Mode, Present
from lounge.titles import Title
from storage import board

MOST_AGE_MINUTES = 240
_FREE = Mode()


@dataclass(frozen=True, slots=True)
class Open:
    """Open reports of a room; the `oldest` in ms. `urgent`: of a patient, of dangerous advice, or about what
    a crowd hid.
    """

    open: int = 0
    urgent: int = 0
    oldest: int | None = None


_NONE = Open()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A room on the board.

    `past`: says by the minute, the newest last, () for none; `now`: of the minute that runs. `waiting`: open
    cases that ask it and have no opinion yet; `held` and `waived`: texts in the last hour; `holds`: texts
    that a rule keeps until a moderator has looked; `hidden_pending`: entries hidden by a crowd alone. `asked`
    and `country` say whose a case is: the rooms that it was put to, the country of its author's badge.
    """

    room: str
    title: Title
    kind: str
    past: tuple[int, ...] = ()
    now: int = 0
    present: Present
    waiting: int = 0
    reports: Open = _NONE
    held: int = 0
    waived: int = 0
    holds: int = 0
    hidden_pending: int = 0
    mode: Mode = _FREE
    needs: int = 0
    asked: tuple[str, ...] = ()
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted in the store, each by room."""

    reports: Mapping[str, board.Reports]
    hidden: Mapping[str, board.Hidden]
    waiting: Mapping[str, int]
    holds: Mapping[str, int]

    def rooms(self) -> set[str]:
        """Those where a moderator has something to do."""
        return {*self.reports, *self.holds}

    def open_reports(self, room: str) -> Open:
        found, hidden = self.reports.get(room), self.hidden.get(room)
        if found is None:
            return _NONE
        return Open(found.open, found.grave + (hidden.reports if hidden else 0), found.oldest)

    def hidden_pending(self, room: str) -> int:
        hidden = self.hidden.get(room)
        return hidden.entries if hidden else 0


async def read_counts(connection: AsyncConnection) -> Counts:
    """Now, in one snapshot."""
    return Counts(
        reports=await board.reports(connection),
        hidden=await board.hidden(connection),
        waiting=await board.waiting_cases(connection),
        holds=await board.held_texts(connection),
    )


def needs(
    now: int,
    *,
    reports: Open = _NONE,
    hidden_pending: int = 0,
    holds: int = 0,
    waiting: int = 0,
    held: int = 0,
    waived: int = 0,
    lately: int = 0,
) -> int:
    """How much a room wants eyes, at this moment (ms), with so many says `lately`.

    A patient or a danger before anything else, then what nobody but a crowd or a rule has decided, then other
    reports, the more the older the oldest is; cases without an opinion; last, how much was held there and how
    fast it goes.
    """
    score = 20 * min(waiting, 20) + 5 * min(held, 20) + 2 * min(waived, 20) + min(50, lately // 5)
    if reports.oldest is None:
        return score + 300 * min(holds, 20)
    age = min(MOST_AGE_MINUTES, max(0, now - reports.oldest) // 60_000)
    return (
        score
        + 1_000 * min(reports.urgent, 20)
        + 500 * min(hidden_pending, 20)
        + 300 * min(holds, 20)
        + 200 * min(reports.open - reports.urgent, 20)
        + 2 * age
    )
