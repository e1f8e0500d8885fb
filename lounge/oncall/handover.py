"""Telling of shifts: who comes on and who goes off, by `me`; to a role's keeper what is not covered ahead.

What is told follows from who has a role now and what each was told last, never from a timer that fired: so a
swap at noon, a rota that was changed and a server that was away for a day are all told, and each once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.due import Doing
from lounge.keys import Keys
from lounge.mail import mail_of, post
from lounge.notices import note
from lounge.oncall import rota as rotas
from lounge.oncall.roles import AHEAD_MS, DAY_MS, Role, fit, role_of
from lounge.oncall.rosters import tell
from lounge.oncall.rota import Shift
from lounge.oncall.shortfalls import LASTING_MS, Shortfall, shortfalls
from storage import applications, due, roles, shifts
from storage.database import Database
from storage.due import Due
from storage.roles import Change

SHIFT, GAPS = "shift", "rota.gaps"
LOOKED_AGAIN_MS = 3_600_000
"""So often who is on is compared with what they were told, though no shift begins or ends."""
SETTLED_MS = 10 * 60_000
"""So long after its last change a rota is looked at for gaps: nobody is told of one while she mends it."""

Working = Callable[[Collection[str]], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class _Role:
    """A role, those who may be alerted for it, and where its rota does not hold."""

    role: Role
    members: tuple[str, ...]
    changes: Sequence[Change]
    is_open: bool

    def shifts(self, since: int, until: int) -> list[Shift]:
        """Of its members alone, cut at [since, until); none of a role that is closed."""
        if not self.is_open:
            return []
        beside = self.role.rota, self.role.zone, self.changes
        found = rotas.shifts(*beside, since, until, whole=False)
        return [replace(each, doctors=self._of(each)) for each in found if self._of(each)]

    def _of(self, shift: Shift) -> tuple[str, ...]:
        return tuple(each for each in shift.doctors if each in self.members)


class Handover:
    """Does what is due of the kinds `SHIFT` and `GAPS`, whose subject is a role. May raise StorageError."""

    def __init__(
        self,
        *,
        identity: Database,
        database: Database,
        keys: Keys,
        working: Working,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`working` says whom of these doctors anything reaches; `clock` gives ms since 1970."""
        self._identity = identity
        self._database = database
        self._keys = keys
        self._key = keys.identity.subkey("gap of a rota")
        self._working = working
        self._clock = clock

    def join(self, handle: dict[str, Doing]) -> None:
        """Do it whenever it is due, among what is done already."""
        handle |= {SHIFT: self.shift, GAPS: self.gaps}

    async def begin(self) -> None:
        """Every open role is looked after from now on, if it is not already."""
        async with self._identity.reading() as connection:
            known = [row.id for row in await roles.open_ones(connection)]
        async with self._database.reading() as connection:
            waiting = await due.of_kinds(connection, (SHIFT, GAPS))
        for role_id in known:
            if {f"{SHIFT} {role_id}", f"{GAPS} {role_id}"} - waiting:
                await self.changed(role_id)

    async def changed(self, role_id: str) -> None:
        """It, its members or its shifts have changed: whoever that puts on or off is told within a second."""
        now = self._clock()
        async with self._database.writing() as connection:
            for kind, at in ((SHIFT, now), (GAPS, now + SETTLED_MS)):
                await due.plan(connection, f"{kind} {role_id}", kind, role_id, at)

    async def shift(self, what: Due) -> None:
        """Tell whoever has come on or gone off, and look again at the next change."""
        now = self._clock()
        async with self._identity.reading() as connection:
            known = await _read(connection, what.subject, now)
        silent = await self._silent(known, now)
        async with self._identity.writing() as connection:
            known = await _read(connection, what.subject, now, hold=True)
            if known is not None:
                await self._hand_over(connection, known, now, silent)
        again = None if known is None or not known.is_open else _next(known, now)
        await self._done(what, again)

    async def gaps(self, what: Due) -> None:
        """Tell the keeper what is not covered in the next seven days, or doubly so; of each once."""
        now = self._clock()
        async with self._identity.reading() as connection:
            known = await _read(connection, what.subject, now - LASTING_MS)
        if known is None or not known.is_open:
            await self._done(what, None)
            return
        if known.role.keeper is not None:
            reached = set(await self._working(known.members))
            found = shortfalls(known.role, known.members, known.changes, reached, now)
            async with self._identity.writing() as connection:
                for each in found:
                    await self._tell_keeper(connection, known.role, each, now)
        await self._done(what, now + DAY_MS)

    # -- privates --------------------------------------------------------------------------------

    async def _done(self, what: Due, again: int | None) -> None:
        async with self._database.writing() as connection:
            if again is None:
                await due.drop(connection, what)
            else:
                await due.put_off(connection, what, again)

    async def _silent(self, known: _Role | None, now: int) -> set[str]:
        """Those on whom nothing reaches."""
        on = set() if known is None else {*_on(known, now)}
        return on - set(await self._working(on)) if on else set()

    async def _hand_over(
        self, connection: AsyncConnection, known: _Role, now: int, silent: Collection[str]
    ) -> None:
        on, told = _on(known, now), await shifts.told(connection, known.role.id)
        for doctor_id, shift in sorted(on.items()):
            if told.get(doctor_id) != shift.layer:
                await self._came(connection, known, doctor_id, shift, now)
                if doctor_id in silent and doctor_id not in told:
                    await self._warn(connection, known.role, doctor_id, now)
        for doctor_id, layer in sorted(told.items()):
            if doctor_id not in on:
                await self._went(connection, known, doctor_id, layer, now)

    async def _came(
        self, connection: AsyncConnection, known: _Role, doctor_id: str, shift: Shift, now: int
    ) -> None:
        said: dict[str, object] = {"layer": shift.layer}
        role, ends = known.role, _ends(known, doctor_id, shift.layer, now)
        is_soon = ends < now + AHEAD_MS
        kind = "shift_started" if is_soon else "shift_started_open"
        if is_soon:
            said["until"] = ends
        await tell(connection, self._keys, kind, doctor_id, role, at=now, **said)
        await shifts.tell(connection, role.id, doctor_id, shift.layer)

    async def _went(
        self, connection: AsyncConnection, known: _Role, doctor_id: str, layer: str, now: int
    ) -> None:
        """Whose it is now she reads by name: those of one role know each other."""
        role, said = known.role, {"layer": layer}
        kind = "shift_unrelieved" if known.is_open else "shift_closed"
        here = [each for each in known.shifts(now, now + 1) if each.layer == layer]
        if here:
            members = await roles.members(connection, [role.id])
            names = [each.name for each in members if each.doctor in here[0].doctors]
            kind, said["name"] = "shift_ended", ", ".join(names)
        await tell(connection, self._keys, kind, doctor_id, role, at=now, **said)
        await shifts.tell(connection, role.id, doctor_id, None)

    async def _warn(
        self, connection: AsyncConnection, role: Role, doctor_id: str, now: int
    ) -> None:
        """By e-mail as well: in `me` she reads it only once she is there anyway."""
        await tell(connection, self._keys, "reach_none", doctor_id, role, at=now)
        who = await applications.by_id(connection, doctor_id)
        if who is not None:
            letter = mail_of("unreached", who.language, who.email)
            await post(connection, self._keys.identity, letter, now)

    async def _tell_keeper(
        self, connection: AsyncConnection, role: Role, what: Shortfall, now: int
    ) -> None:
        assert role.keeper is not None
        about = f"{role.keeper} {role.id} {what.known_as}"
        once = hmac.digest(self._key, about.encode(), hashlib.sha256)[:16]
        said = {"layer": what.layer, "starts": what.starts, "until": what.ends}
        notice = {"notice": what.kind, "role": role.id, "service": role.service, **said}
        await note(connection, self._keys, role.keeper, notice, at=now, once=once)


async def _read(
    connection: AsyncConnection, role_id: str, since: int, *, hold: bool = False
) -> _Role | None:
    row = await roles.find(connection, role_id, hold=hold)
    if row is None:
        return None
    members = fit(await roles.members(connection, [role_id]))
    changes = await roles.changes(connection, [role_id], since)
    return _Role(role_of(row), members, changes, row.closed is None)


def _on(known: _Role, now: int) -> dict[str, Shift]:
    """Who has it, each by the first layer in which she has it."""
    here = known.shifts(now, now + 1)
    order = known.role.layers
    found: dict[str, Shift] = {}
    for shift in sorted(here, key=lambda each: order.index(each.layer)):
        found = dict.fromkeys(shift.doctors, shift) | found
    return found


def _ends(known: _Role, doctor_id: str, layer: str, now: int) -> int:
    """When somebody else has it: her own shifts that follow are one with it."""
    ends = now
    for each in known.shifts(now, now + AHEAD_MS):
        if (each.layer, each.starts) == (layer, ends) and doctor_id in each.doctors:
            ends = each.ends
    return ends


def _next(known: _Role, now: int) -> int:
    ahead = now + LOOKED_AGAIN_MS
    found = known.shifts(now, ahead)
    sides = (side for each in found for side in (each.starts, each.ends))
    return min([ahead, *(side for side in sides if side > now)])
