"""Members of a role: asked by its keeper by their e-mail address, on it by their own word."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import Doctor, plain_email
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.oncall.roles import Roles, body_of, regrouped, renamed, role_of
from lounge.oncall.rosters import Roster, Rosters, audited, read, tell
from storage import identities, roles
from storage.database import Database
from storage.roles import RoleRow

MOST_MEMBERS = 200


class Members:
    """Every method may raise StorageError, and Refusal `not_found` for a role that is not open."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        known: Roles,
        rosters: Rosters,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._keys = keys
        self._known = known
        self._rosters = rosters
        self._clock = clock

    async def ask(self, keeper: Doctor, role_id: str, email: str) -> None:
        """Ask whoever has that address to be on it. A keeper who asks herself is on it at once.

        Nothing tells whether there is such a doctor: whom she asked the keeper sees once they agree.
        """
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            roster.require_keeper(keeper.id)
            if sum(each.since is not None for each in roster.members) >= MOST_MEMBERS:
                raise Refusal(Code.INVALID, "refusal.role_full", most=MOST_MEMBERS)
            found = await identities.by_email(connection, plain_email(email))
            # More who were only asked are not noted: a refusal would tell that the last one is a doctor here.
            has_room = len(roster.members) < 2 * MOST_MEMBERS
            is_new = found is not None and found[0].verified and not roster.known(found[0].id)
            if found is not None and is_new and has_room:
                await self._ask(connection, roster, keeper.id, found[0].id)
        await self._known.changed(role_id)

    async def answer(self, doctor: Doctor, role_id: str, *, agrees: bool) -> None:
        """Of one who was asked; a member who says no is one no longer, and on no shift."""
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            her = roster.known(doctor.id)
            if her is None:
                raise Refusal(Code.NOT_FOUND, "refusal.not_asked")
            was_asked = her.since is None
            if agrees and not was_asked:
                return
            if agrees:
                await roles.put_member(connection, role_id, doctor.id, self._clock())
            else:
                await _part(connection, roster, doctor.id)
            kind = "role_agreed" if agrees else "role_declined"
            if agrees or not was_asked:  # else the keeper would learn whose the address is
                await self._tell_keeper(connection, roster, kind, her.name)
            await audited(connection, kind, doctor.id, roster.role, about=doctor.id)
        await self._known.changed(role_id)

    async def drop(self, keeper: Doctor, role_id: str, member: str) -> None:
        """One is on it no longer, and on no shift. Raises Refusal for nobody of that role."""
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            roster.require_keeper(keeper.id)
            gone = self._rosters.doctor_of(roster, member)
            await _part(connection, roster, gone)
            if gone != keeper.id:
                at = self._clock()
                await tell(connection, self._keys, "role_dropped", gone, roster.role, at=at)
            await audited(connection, "role_dropped", keeper.id, roster.role, about=gone)
        await self._known.changed(role_id)

    async def _ask(
        self, connection: AsyncConnection, roster: Roster, keeper: str, doctor_id: str
    ) -> None:
        now, herself = self._clock(), keeper == doctor_id
        await roles.put_member(connection, roster.role.id, doctor_id, now if herself else None)
        if not herself:
            await tell(connection, self._keys, "role_asked", doctor_id, roster.role, at=now)
        await audited(connection, "role_asked", keeper, roster.role, about=doctor_id)

    async def _tell_keeper(
        self, connection: AsyncConnection, roster: Roster, kind: str, name: str
    ) -> None:
        keeper, at = roster.role.keeper, self._clock()
        if keeper is not None:
            await tell(connection, self._keys, kind, keeper, roster.role, at=at, name=name)


async def take_off(connection: AsyncConnection, role_ids: Iterable[str], doctor_id: str) -> None:
    """Off these rotas, in the transaction that erases her."""
    for role_id in role_ids:
        row = await roles.find(connection, role_id, hold=True)
        if row is not None:
            await _take_off(connection, row, doctor_id)


async def rotas_of(connection: AsyncConnection, doctor_id: str, other: str) -> list[object]:
    """What she is on, for herself: everybody else on it is `other`."""
    rows = [await roles.find(connection, id) for id in await roles.roles_of(connection, doctor_id)]
    return [
        {
            "role": row.id,
            "service": row.service,
            "rota": msgspec.to_builtins(
                renamed(role_of(row).rota, lambda each: each if each == doctor_id else other)
            ),
        }
        for row in rows
        if row is not None
    ]


async def _part(connection: AsyncConnection, roster: Roster, doctor_id: str) -> None:
    row = await roles.find(connection, roster.role.id)
    await roles.drop_member(connection, roster.role.id, doctor_id)
    await roles.forget_changes(connection, roster.role.id, doctor_id)
    if row is not None:
        await _take_off(connection, row, doctor_id)


async def _take_off(connection: AsyncConnection, row: RoleRow, doctor_id: str) -> None:
    """Her turns stay, as nobody's: so that everybody else's are where they were."""
    role = role_of(row)
    rota = regrouped(role.rota, lambda team: tuple(each for each in team if each != doctor_id))
    if rota != role.rota:
        body = body_of(rota, role.policy, role.night)
        await roles.change(connection, replace(row, body=body))
