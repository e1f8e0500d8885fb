"""Roles that are paged: whose they are, who may page them, and who has one at a time.

Who is on a rota lies in the identity store alone. What is told here by doctor's id stays in the process: a
page's room knows personas, and clients know members by `Keeping.member_id`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import structlog

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.oncall import policy as escalation
from lounge.oncall import rota as rotas
from lounge.oncall.policy import Policy
from lounge.oncall.rota import Layer, Rota, Shift
from lounge.rooms import Catalogue
from lounge.rules import Rule
from lounge.told import Clock, Quiet
from storage import roles
from storage.database import Database, StorageError
from storage.roles import Change, Member, RoleRow

log = structlog.get_logger()

DAY_MS = 24 * 3600 * 1000
AHEAD_MS = 28 * DAY_MS
"""So far ahead a rota is shown, and whoever is next on is looked for."""
_NEAR_MS = 2 * DAY_MS
_LOOKED_AGAIN_MS = 3_600_000


class Night(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Hours in which what is routine waits, by the role's wall clock; none where both are the same."""

    start: Clock = "22:00"
    end: Clock = "07:00"


class Body(msgspec.Struct, frozen=True):
    """What `role.body` holds beside the rota's layers."""

    policy: Policy = escalation.DEFAULT
    night: Night = Night()


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a named service. `keeper` is a doctor's id, None once she has left; `rule` says who may
    page it, None: every verified doctor.
    """

    id: str
    service: str
    name: str
    specialty: str
    zone: str
    number: str
    keeper: str | None
    rule: str | None
    rota: Rota
    policy: Policy
    night: Night
    version: int

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of its layers, in their order."""
        return tuple(layer.name for layer in self.rota.layers)

    def morning(self, at: int) -> int:
        """`at` itself, or the end of the night that it is within; both in ms."""
        if self.night.start == self.night.end:
            return at
        return Quiet(self.night.start, self.night.end, self.zone).over(at)


@dataclass(frozen=True, slots=True)
class Duty:
    """Who has a role at a moment: `on` by layer (only layers with somebody), doctors' ids.

    `members`: all who agreed to be on it and may be alerted. `until`: when somebody next comes or goes, None
    where nothing changes within 28 days. `next`: when somebody is on again, if nobody is now.
    """

    role: Role
    on: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...]
    until: int | None
    next: int | None

    @property
    def is_covered(self) -> bool:
        return bool(self.on)

    def of(self, layers: Collection[str]) -> dict[str, str]:
        """Whom a step to these layers alerts: doctor's id to her layer, `everyone` for who is on none."""
        found: dict[str, str] = {}
        for layer in layers:
            everyone = layer == escalation.EVERYONE
            for name in self.on if everyone else (layer,):
                found = dict.fromkeys(self.on.get(name, ()), name) | found
            found = dict.fromkeys(self.members if everyone else (), layer) | found
        return found


Asked = tuple[Role, tuple[Change, ...], tuple[str, ...]]
"""A role, what was arranged beside its rota, and those who may be on."""


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """A duty, what it was reckoned from, and the time in which it stands."""

    asked: Asked
    since: int
    until: int
    duty: Duty


class Roles:
    """Looks roles up. Every method that waits may raise StorageError."""

    def __init__(
        self, identity: Database, catalogue: Catalogue, *, clock: Callable[[], int] = now_ms
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._catalogue = catalogue
        self._clock = clock
        self._reckoned: dict[str, _Reckoned] = {}
        self.followers: list[Callable[[str], Awaitable[None]]] = []
        """Told the id of every role that was changed, or whose members or shifts were."""

    async def find(self, role_id: str) -> Role | None:
        """None for a role that there is not, or that is closed."""
        async with self._identity.reading() as connection:
            row = await roles.find(connection, role_id)
        if row is None or row.closed is not None:
            return None
        return (await _read([row]))[0]

    async def all(self) -> list[Role]:
        """Those that are open, by service and name."""
        async with self._identity.reading() as connection:
            rows = await roles.open_ones(connection)
        return await _read(rows)

    async def duty(self, role_id: str, at: int | None = None) -> Duty:
        """Who has it at `at`, or now. Raises Refusal `not_found`."""
        async with self._identity.reading() as connection:
            row = await roles.find(connection, role_id)
        if row is None or row.closed is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_role")
        return (await self._duties([row], self._clock() if at is None else at))[0]

    async def duties(self, at: int | None = None) -> list[Duty]:
        """As `duty`, of all that are open."""
        async with self._identity.reading() as connection:
            rows = await roles.open_ones(connection)
        return await self._duties(rows, self._clock() if at is None else at)

    def may_page(self, doctor: Doctor, role: Role) -> bool:
        """By the role's rule over verified attributes."""
        if not (doctor.verified and doctor.accepted):
            return False
        group = self._catalogue.group_of(doctor.specialty) if doctor.specialty else None
        return role.rule is None or rule_of(role.rule).admits(doctor.attributes(group))

    async def reckon(self, asked: Sequence[Asked], at: int) -> list[Duty]:
        """As `reckoned`, of each. That is slow, and done off the loop; what it found stands until somebody
        comes or goes.
        """
        known = [self._kept(each, at) for each in asked]
        if None in known:
            return await asyncio.to_thread(self._reckon, asked, at)
        return [each for each in known if each is not None]

    async def changed(self, role_id: str) -> None:
        """Tell the followers. What they could not do now they do daily: a change stands all the same."""
        for follow in self.followers:
            try:
                await follow(role_id)
            except StorageError as fault:
                log.warning("a change of a role was not followed", fault=str(fault))

    async def _duties(self, rows: Sequence[RoleRow], at: int) -> list[Duty]:
        ids = [row.id for row in rows]
        async with self._identity.reading() as connection:
            changes = await roles.changes(connection, ids, at)
            members = await roles.members(connection, ids)
        asked = [
            (
                role,
                tuple(each for each in changes if each.role == role.id),
                fit(each for each in members if each.role == role.id),
            )
            for role in await _read(rows)
        ]
        return await self.reckon(asked, at)

    def _reckon(self, asked: Sequence[Asked], at: int) -> list[Duty]:
        return [self._kept(each, at) or self._keep(each, at) for each in asked]

    def _keep(self, asked: Asked, at: int) -> Duty:
        duty = reckoned(*asked, at)
        until = at + _LOOKED_AGAIN_MS if duty.until is None else duty.until
        self._reckoned[duty.role.id] = _Reckoned(asked, at, until, duty)
        return duty

    def _kept(self, asked: Asked, at: int) -> Duty | None:
        kept = self._reckoned.get(asked[0].id)
        if kept is None or kept.asked != asked or not kept.since <= at < kept.until:
            return None
        return kept.duty


@lru_cache(maxsize=256)
def rule_of(text: str) -> Rule:
    """Compiled once. Raises ValueError."""
    return Rule(text)


def role_of(row: RoleRow) -> Role:
    """A row as a role."""
    body = msgspec.json.decode(row.body, type=Body)
    return Role(
        row.id,
        row.service,
        row.name,
        row.specialty,
        row.zone,
        row.number,
        row.keeper,
        row.rule,
        msgspec.json.decode(row.body, type=Rota),
        body.policy,
        body.night,
        row.version,
    )


def body_of(rota: Rota, policy: Policy, night: Night) -> str:
    """What `role_of` reads again."""
    held = msgspec.to_builtins(rota) | msgspec.to_builtins(Body(policy, night))
    return msgspec.json.encode(held).decode()


def regrouped(rota: Rota, team: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Rota:
    """The same rota, each of its teams changed so."""
    return Rota(tuple(_layer(each, team) for each in rota.layers))


def renamed(rota: Rota, name: Callable[[str], str]) -> Rota:
    """The same rota, everybody on it named so."""
    return regrouped(rota, lambda team: tuple(map(name, team)))


def fit(members: Iterable[Member]) -> tuple[str, ...]:
    """The ids of those who agreed and may be alerted."""
    return tuple(each.doctor for each in members if each.since is not None and each.fit)


def reckoned(role: Role, changes: Sequence[Change], members: tuple[str, ...], at: int) -> Duty:
    """Who has the role, of `members` alone: whoever is not one any more, or is suspended, is a gap."""
    near = _manned(role, changes, members, at, _NEAR_MS)
    on = _on(near, at)
    until = _next_change(near, at, _NEAR_MS)
    if until is None:
        until = _next_change(_manned(role, changes, members, at, AHEAD_MS), at, AHEAD_MS)
    return Duty(role, on, members, until, None if on else until)


def _layer(layer: Layer, team: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Layer:
    rules = (
        msgspec.structs.replace(rule, doctors=tuple(map(team, rule.doctors)))
        for rule in layer.rules
    )
    return Layer(layer.name, tuple(rules))


def _manned(
    role: Role, changes: Sequence[Change], members: tuple[str, ...], at: int, ahead: int
) -> list[Shift]:
    found = []
    for shift in rotas.shifts(role.rota, role.zone, changes, at, at + ahead, whole=False):
        doctors = tuple(id for id in shift.doctors if id in members)
        if doctors:
            found.append(Shift(shift.layer, shift.starts, shift.ends, doctors, shift.why))
    return found


def _on(shifts: Sequence[Shift], at: int) -> dict[str, tuple[str, ...]]:
    return {each.layer: each.doctors for each in shifts if each.starts <= at < each.ends}


def _next_change(shifts: Sequence[Shift], at: int, ahead: int) -> int | None:
    """When a layer comes to others, or to nobody: who has the next shift as well goes on."""
    now = _on(shifts, at)
    sides = {side for each in shifts for side in (each.starts, each.ends)}
    moments = sorted(side for side in sides if at < side < at + ahead)
    return next((moment for moment in moments if _on(shifts, moment) != now), None)


async def _read(rows: Sequence[RoleRow]) -> list[Role]:
    """Rules are compiled off the loop the first time: their grammar alone takes half a second."""
    for row in rows:
        if row.rule is not None:
            await asyncio.to_thread(rule_of, row.rule)
    return [role_of(row) for row in rows]
