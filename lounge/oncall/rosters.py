"""A role with everybody who is on it, or asked; how they are known to each other, told and audited.

Names of members are for members and the keeper. To clients a member is a keyed hash of role and doctor: she
is another one in another role, and her own id stays in the house.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import note
from lounge.oncall.roles import Role, Roles, role_of
from storage import audit, roles
from storage.database import Database
from storage.roles import Member, RoleRow

Standing = Literal["keeper", "member", "asked"]


@dataclass(frozen=True, slots=True)
class Roster:
    """A role and all its members, those asked included."""

    role: Role
    members: tuple[Member, ...]

    def is_keeper(self, doctor_id: str) -> bool:
        return self.role.keeper == doctor_id

    def is_member(self, doctor_id: str) -> bool:
        """She agreed to be on it."""
        known = self.known(doctor_id)
        return known is not None and known.since is not None

    def known(self, doctor_id: str) -> Member | None:
        """A member, or one who was asked."""
        return next((each for each in self.members if each.doctor == doctor_id), None)

    def standing(self, doctor_id: str) -> Standing | None:
        """None for somebody else. A keeper may be a member as well."""
        if self.is_keeper(doctor_id):
            return "keeper"
        known = self.known(doctor_id)
        if known is None:
            return None
        return "asked" if known.since is None else "member"

    def require_keeper(self, doctor_id: str) -> None:
        """Raises Refusal `forbidden`."""
        if not self.is_keeper(doctor_id):
            raise Refusal(Code.FORBIDDEN, "refusal.not_keeper")

    def require_member(self, doctor_id: str, field: str = "doctor") -> None:
        """Raises Refusal `invalid`: only who agreed to be on it is put on."""
        if not self.is_member(doctor_id):
            raise Refusal(Code.INVALID, "refusal.rota_member", field=field)


class Rosters:
    """Looks them up. What waits may raise StorageError."""

    def __init__(self, identity: Database, keys: Keys, known: Roles) -> None:
        self._identity = identity
        self._known = known
        self._key = keys.identity.subkey("member of a role")

    async def of(self, role_id: str) -> Roster:
        """Raises Refusal `not_found` for a role that is not open."""
        async with self._identity.reading() as connection:
            return await read(connection, role_id)

    async def all(self) -> list[Roster]:
        """Of all roles that are open."""
        open_ones = await self._known.all()
        async with self._identity.reading() as connection:
            members = await roles.members(connection, [each.id for each in open_ones])
        return [
            Roster(each, tuple(one for one in members if one.role == each.id)) for each in open_ones
        ]

    def member_id(self, role_id: str, doctor_id: str) -> str:
        """How clients know a doctor among those of one role."""
        told = hmac.digest(self._key, f"{role_id} {doctor_id}".encode(), hashlib.sha256)
        return urlsafe_b64encode(told[:12]).decode()

    def doctor_of(self, roster: Roster, member: str) -> str:
        """Raises Refusal `not_found` for nobody of that role."""
        return self.doctors_of(roster)(member)

    def doctors_of(self, roster: Roster) -> Callable[[str], str]:
        """The same of many: who is who is reckoned once."""
        known = {self.member_id(each.role, each.doctor): each.doctor for each in roster.members}

        def doctor_of(member: str) -> str:
            if member not in known:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_member")
            return known[member]

        return doctor_of


async def read(connection: AsyncConnection, role_id: str, *, hold: bool = False) -> Roster:
    """`hold`: nobody else changes it until the commit. Raises Refusal `not_found` if it is not open."""
    row = await roles.find(connection, role_id, hold=hold)
    if row is None or row.closed is not None:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_role")
    return Roster(role_of(row), tuple(await roles.members(connection, [role_id])))


async def tell(
    connection: AsyncConnection,
    keys: Keys,
    kind: str,
    doctor_id: str,
    role: Role | RoleRow,
    *,
    at: int,
    **said: object,
) -> None:
    """A notice of that role, in the transaction of what it tells of; `at` in ms."""
    notice = {"notice": kind, "role": role.id, "service": role.service, **said}
    await note(connection, keys, doctor_id, notice, at=at)


async def audited(
    connection: AsyncConnection,
    act: str,
    by: str,
    role: Role | RoleRow,
    *,
    about: str | None = None,
) -> None:
    """Call it last. `by` and `about` are doctors' ids, or who runs the house."""
    await audit.append(connection, act, by=by, about=about, detail={"role": role.id})


def is_registrar(doctor: Doctor) -> bool:
    return doctor.verified and "registrar" in doctor.roles
