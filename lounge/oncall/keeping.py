"""Keeping a role: made by a registrar; its rota, policy, number and rule are its keeper's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import Doctor, new_id, plain_email
from lounge.errors import Code, Refusal
from lounge.guarding import admit_name
from lounge.keys import Keys
from lounge.oncall import policy as escalation
from lounge.oncall import rota as rotas
from lounge.oncall.policy import Policy
from lounge.oncall.roles import Night, Roles, body_of, renamed, rule_of
from lounge.oncall.rosters import Roster, Rosters, audited, is_registrar, read, tell
from lounge.oncall.rota import Rota
from lounge.titles import SPECIALTIES
from storage import identities, roles
from storage.database import Database
from storage.roles import RoleRow

OPERATOR = "operator"
LONGEST_TEXT, LONGEST_RULE = 100, 500

_PLAIN = re.compile(r"""[\w\s"'=!()\[\],.-]+""")
_LOOP = re.compile(r"\bfor\b")

T = TypeVar("T")


class NewRole(msgspec.Struct, frozen=True):
    """A role to be made. `keeper`: her e-mail address; `number` with its country's code, as +1 807 …"""

    service: str
    name: str
    specialty: str
    zone: str
    number: str
    keeper: str
    rule: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """What is changed of the role as it stood at `version`; what is left out stays.

    In `rota` members stand by `Rosters.member_id`. `keeper`: the e-mail address of who takes over, which of
    a keeper must be a member's: nothing tells who else is a doctor.
    """

    version: Annotated[int, Meta(ge=1, le=2**31 - 2)]
    rota: Rota | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    night: Night | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    number: str | UnsetType = UNSET
    rule: str | UnsetType | None = UNSET
    keeper: str | UnsetType = UNSET
    closed: bool = False


class Keeping:
    """Every method may raise StorageError."""

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

    async def add(self, new: NewRole, *, by: str) -> str:
        """Its id; nobody is on its rota yet. `by`: a registrar's id, or `OPERATOR`.

        Raises Refusal saying what is wrong with it.
        """
        number = _checked(new)
        rule = await asyncio.to_thread(check_rule, new.rule)
        async with self._identity.writing() as connection:
            keeper = await _doctor_at(connection, new.keeper)
            row = RoleRow(
                id=new_id(),
                service=new.service.strip(),
                name=new.name.strip(),
                specialty=new.specialty,
                zone=new.zone,
                number=number,
                keeper=keeper,
                rule=rule,
                body=body_of(Rota(), escalation.DEFAULT, Night()),
                version=1,
            )
            await roles.add(connection, row)
            await tell(connection, self._keys, "role_kept", keeper, row, at=self._clock())
            await audited(connection, "role_added", by, row, about=keeper)
        await self._known.changed(row.id)
        return row.id

    async def change(self, doctor: Doctor, role_id: str, kept: Kept) -> None:
        """By its keeper; a registrar may only close it or give it another keeper.

        Raises Refusal: `not_found`, `forbidden`, `frozen` when it was changed since `kept.version`, `invalid`
        for what cannot be.
        """
        if kept.rule is not UNSET:  # before anybody waits for this transaction
            await asyncio.to_thread(check_rule, kept.rule)
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            if not (is_registrar(doctor) and _is_of_office(kept)):
                roster.require_keeper(doctor.id)
            keeper = await _heir(connection, doctor, roster, kept)
            row = replace(await self._changed(connection, roster, kept), keeper=keeper)
            if not await roles.change(connection, row):
                raise Refusal(Code.FROZEN, "refusal.role_changed")
            if keeper is not None and keeper != roster.role.keeper:
                await tell(connection, self._keys, "role_kept", keeper, row, at=self._clock())
            act = "role_changed" if row.closed is None else "role_closed"
            await audited(connection, act, doctor.id, row, about=row.keeper)
        await self._known.changed(role_id)

    async def _changed(self, connection: AsyncConnection, roster: Roster, kept: Kept) -> RoleRow:
        was, row = roster.role, await roles.find(connection, roster.role.id)
        assert row is not None
        zone = check_zone(_or(kept.zone, was.zone))
        rota = was.rota
        if kept.rota is not UNSET:
            rota = rotas.checked(renamed(kept.rota, self._on_rota(roster)), zone)
        if kept.policy is not UNSET and kept.policy != escalation.DEFAULT:
            escalation.checked(kept.policy, [layer.name for layer in rota.layers])
        return replace(
            row,
            version=kept.version,
            zone=zone,
            number=check_number(_or(kept.number, was.number)),
            rule=_or(kept.rule, was.rule) or None,
            body=body_of(rota, _or(kept.policy, was.policy), _or(kept.night, was.night)),
            closed=self._clock() if kept.closed else None,
        )

    def _on_rota(self, roster: Roster) -> Callable[[str], str]:
        doctor_of = self._rosters.doctors_of(roster)

        @cache  # a rota names the same few again and again
        def on_rota(member: str) -> str:
            doctor_id = doctor_of(member)
            roster.require_member(doctor_id, "rota")
            return doctor_id

        return on_rota


def check_zone(zone: str) -> str:
    """The same. Raises Refusal `invalid` for one that nobody knows."""
    try:
        return ZoneInfo(zone).key
    except (ValueError, OSError, LookupError):
        raise Refusal(Code.INVALID, "refusal.told_zone", field="zone") from None


def check_number(number: str) -> str:
    """As it is written internationally. Raises Refusal `invalid` for what cannot be called."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        raise Refusal(Code.INVALID, "refusal.telephone", field="number") from None
    if not phonenumbers.is_valid_number(parsed):
        raise Refusal(Code.INVALID, "refusal.telephone", field="number")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def check_rule(rule: str | None) -> str | None:
    """The same, empty ones as None. Slow the first time. Raises Refusal `invalid` for what cannot be read.

    Rules of rooms, which are the operator's, may be more: a keeper's are comparisons of codes, or she
    could make one that is evaluated for ever (patterns, ranges, loops in loops).
    """
    if not rule:
        return None
    try:
        if len(rule) > LONGEST_RULE or not _PLAIN.fullmatch(rule) or _LOOP.search(rule):
            raise ValueError
        return rule_of(rule).text
    except ValueError:
        raise Refusal(Code.INVALID, "refusal.role_rule", field="rule") from None


def _checked(new: NewRole) -> str:
    """The number as it is kept."""
    for field, value in (("service", new.service), ("name", new.name)):
        if not 1 <= len(value.strip()) <= LONGEST_TEXT or not value.isprintable():
            raise Refusal(Code.INVALID, "refusal.role_text", field=field, most=LONGEST_TEXT)
        admit_name(value, field)
    if new.specialty not in SPECIALTIES:
        raise Refusal(Code.INVALID, "doctor.specialty", value=new.specialty)
    check_zone(new.zone)
    return check_number(new.number)


async def _doctor_at(connection: AsyncConnection, email: str) -> str:
    found = await identities.by_email(connection, plain_email(email))
    if found is None or not found[0].verified:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_keeper")
    return found[0].id


async def _heir(
    connection: AsyncConnection, doctor: Doctor, roster: Roster, kept: Kept
) -> str | None:
    """Who keeps it from now on. A keeper who asks for anybody but a member is told the same of everybody."""
    if kept.keeper is UNSET:
        return roster.role.keeper
    found = await _doctor_at(connection, kept.keeper)
    if not (is_registrar(doctor) or roster.is_member(found)):
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_keeper")
    return found


def _is_of_office(kept: Kept) -> bool:
    """Nothing but its keeper, or its end."""
    return kept == Kept(kept.version, keeper=kept.keeper, closed=kept.closed)


def _or(value: T | UnsetType, known: T) -> T:
    return known if isinstance(value, UnsetType) else value
