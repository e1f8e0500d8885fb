"""Roles as one doctor sees them: whether each is covered, reached and calm; to its own, who is on when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.oncall import rota as rotas
from lounge.oncall.roles import AHEAD_MS, DAY_MS, Duty, Role, Roles, fit
from lounge.oncall.rosters import Roster, Rosters, Standing
from lounge.oncall.rota import Gap, Overlap, Shift
from lounge.told import Quiet
from storage import roles
from storage.database import Database
from storage.roles import AGREED, ASKED, Change

_BACK_MS = 60 * DAY_MS
"""Whatever reaches into what is shown from further back is not looked for."""

LoadWord = Literal["calm", "busy", "unknown"]


class Loaded(Protocol):
    """How much a doctor was alerted to."""

    @property
    def is_busy(self) -> bool: ...
    def by(self, night: Quiet) -> Loaded:
        """The same where these hours are the night."""
        ...


Working = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Those of these doctors whom something reaches."""
Loads = Callable[[Collection[str]], Awaitable[Mapping[str, Loaded]]]


@dataclass(frozen=True, slots=True)
class Line:
    """A role as any doctor sees it; `load` of those who have it now, `reachable`: of whom any is."""

    duty: Duty
    standing: Standing | None
    may_page: bool
    load: LoadWord
    reachable: bool

    @property
    def role(self) -> Role:
        return self.duty.role


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a role's own see beside its line: four weeks ahead. `working`: those whom something reaches."""

    line: Line
    roster: Roster
    working: frozenset[str]
    shifts: Sequence[Shift]
    gaps: Sequence[Gap]
    overlaps: Sequence[Overlap]
    changes: Sequence[Change]


class Listing:
    """Every method may raise StorageError."""

    def __init__(
        self,
        identity: Database,
        known: Roles,
        rosters: Rosters,
        *,
        working: Working,
        loads: Loads,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._known = known
        self._rosters = rosters
        self._working = working
        self._loads = loads
        self._clock = clock

    async def lines(self, doctor: Doctor) -> list[Line]:
        """All roles that are open, by service and name."""
        return await self._lines(doctor, await self._rosters.all())

    async def line(self, doctor: Doctor, role_id: str) -> Line:
        """Raises Refusal `not_found`."""
        return (await self._lines(doctor, [await self._rosters.of(role_id)]))[0]

    async def sheet(self, doctor: Doctor, role_id: str) -> Sheet | None:
        """None for whoever is neither its keeper nor on it. Raises Refusal `not_found`."""
        roster, now = await self._rosters.of(role_id), self._clock()
        if roster.standing(doctor.id) not in ("keeper", "member"):
            return None
        role, until = roster.role, now + AHEAD_MS
        async with self._identity.reading() as connection:
            known = await roles.changes(connection, [role_id], now - _BACK_MS, states=_SHOWN)
        agreed = [each for each in known if each.state == AGREED]
        reached = frozenset(await self._working(fit(roster.members)))
        on = role.rota, role.zone, agreed, now, until
        return Sheet(
            line=(await self._lines(doctor, [roster]))[0],
            roster=roster,
            working=reached,
            shifts=await asyncio.to_thread(rotas.shifts, *on),  # slow, of a long rota
            gaps=await asyncio.to_thread(rotas.gaps, *on, reached),
            overlaps=await asyncio.to_thread(rotas.overlaps, *on),
            changes=[each for each in known if each.ends > now],
        )

    async def _lines(self, doctor: Doctor, rosters: Sequence[Roster]) -> list[Line]:
        now = self._clock()
        async with self._identity.reading() as connection:
            changes = await roles.changes(connection, [each.role.id for each in rosters], now)
        duties = await self._known.reckon(
            [
                (
                    each.role,
                    tuple(change for change in changes if change.role == each.role.id),
                    fit(each.members),
                )
                for each in rosters
            ],
            now,
        )
        on = {doctor for duty in duties for doctor in _first(duty)}
        working, loads = await self._working(on), await self._loads(on)
        return [
            Line(
                duty,
                roster.standing(doctor.id),
                self._known.may_page(doctor, duty.role),
                _load(duty, loads),
                any(each in working for each in _first(duty)),
            )
            for roster, duty in zip(rosters, duties, strict=True)
        ]


_SHOWN = (AGREED, ASKED)


def _first(duty: Duty) -> tuple[str, ...]:
    """Those whom a page reaches first: of the first layer that anybody has."""
    return next((duty.on[layer] for layer in duty.role.layers if layer in duty.on), ())


def _load(duty: Duty, loads: Mapping[str, Loaded]) -> LoadWord:
    night = Quiet(duty.role.night.start, duty.role.night.end, duty.role.zone)
    known = [loads[each].by(night) for each in _first(duty) if each in loads]
    if not known:
        return "unknown"
    return "busy" if all(each.is_busy for each in known) else "calm"
