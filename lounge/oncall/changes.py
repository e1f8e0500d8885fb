"""Where a rota does not hold: overrides by the keeper, swaps by agreement, vacation, "I am on call until"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import Doctor, new_id
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.oncall import rota as rotas
from lounge.oncall.roles import DAY_MS, Roles
from lounge.oncall.rosters import Roster, audited, read, tell
from lounge.oncall.standing import clash
from storage import roles
from storage.database import Database
from storage.roles import (
    AGREED,
    ASKED,
    DECLINED,
    OVERRIDE,
    SWAP,
    UNTIL,
    VACATION,
    WITHDRAWN,
    Change,
)

__all__ = ["ASKED", "Change", "ChangeKind", "Changes", "Wish"]

LONGEST_MS = {OVERRIDE: 92 * DAY_MS, SWAP: 92 * DAY_MS, UNTIL: 7 * DAY_MS, VACATION: 366 * DAY_MS}
AHEAD_MS = 2 * 366 * DAY_MS
MOST_OPEN = 500
"""So many changes a role, asked for or agreed, that are not yet over."""
MOST_OF_ONE = 50
"""So many of them a member may ask for herself, so that she leaves the keeper room."""

ChangeKind = Literal["override", "swap", "vacation", "until"]


@dataclass(frozen=True, slots=True)
class Wish:
    """A change as it is asked for, doctors by their ids; `layer` None: the first, or all for vacation."""

    kind: ChangeKind
    starts: int
    ends: int
    layer: str | None = None
    doctor: str | None = None
    instead_of: str | None = None


class Changes:
    """Every method may raise StorageError, and Refusal `not_found` for a role that is not open."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        known: Roles,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._keys = keys
        self._known = known
        self._clock = clock

    async def make(self, by: Doctor, role_id: str, wish: Wish) -> Change:
        """A swap waits for the other one's word; everything else holds at once.

        Raises Refusal: `forbidden` for what is not hers to do, `invalid` for times that cannot be or who is
        not a member, `frozen` with which override is there already.
        """
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            change = _made(by.id, roster, wish, self._clock())
            await self._fits(connection, roster, change)
            await roles.add_change(connection, change)
            if change.state == ASKED:
                await self._told(connection, roster, change, by.id, "swap_asked")
            about = change.doctor or change.instead_of
            await audited(connection, f"{change.kind}_made", by.id, roster.role, about=about)
        await self._known.changed(role_id)
        return change

    async def answer(self, by: Doctor, role_id: str, change_id: str, *, agrees: bool) -> None:
        """Of the other one of a swap. Raises Refusal `not_found` when nothing waits for her word."""
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            change = await _standing(connection, roster, change_id, (ASKED,))
            if by.id not in _two(change) or by.id == change.by:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_change")
            if agrees:
                await self._fits(connection, roster, change)
            state = AGREED if agrees else DECLINED
            await roles.turn_change(connection, change.id, was=ASKED, state=state)
            await self._told(connection, roster, change, by.id, f"swap_{state}")
            await audited(connection, f"swap_{state}", by.id, roster.role, about=change.by)
        await self._known.changed(role_id)

    async def withdraw(self, by: Doctor, role_id: str, change_id: str) -> None:
        """By whoever made it, or the keeper; what has begun ends now.

        Raises Refusal `not_found` when it does not stand, `forbidden` when it is not hers.
        """
        now = self._clock()
        async with self._identity.writing() as connection:
            roster = await read(connection, role_id, hold=True)
            change = await _standing(connection, roster, change_id, (ASKED, AGREED))
            if by.id != change.by and not roster.is_keeper(by.id):
                raise Refusal(Code.FORBIDDEN, "refusal.not_yours")
            if change.state == AGREED and change.starts < now:
                await roles.end_change(connection, change.id, now)
            else:
                await roles.turn_change(connection, change.id, was=change.state, state=WITHDRAWN)
            if change.kind == SWAP:
                await self._told(connection, roster, change, by.id, "swap_withdrawn")
            about = change.doctor or change.instead_of
            await audited(connection, f"{change.kind}_ended", by.id, roster.role, about=about)
        await self._known.changed(role_id)

    async def _fits(self, connection: AsyncConnection, roster: Roster, change: Change) -> None:
        now = self._clock()
        if change.ends <= now:
            raise Refusal(Code.INVALID, "refusal.change_past", field="ends")
        others = await roles.changes(connection, [change.role], now, states=(ASKED, AGREED))
        if len(others) >= MOST_OPEN:
            raise Refusal(Code.INVALID, "refusal.too_many_changes", most=MOST_OPEN)
        hers = sum(each.by == change.by for each in others)
        if hers >= MOST_OF_ONE and change.by != roster.role.keeper:
            raise Refusal(Code.INVALID, "refusal.too_many_changes", most=MOST_OF_ONE)
        agreed = [each for each in others if each.state == AGREED and each.id != change.id]
        there = clash(agreed, change)
        if there is not None:
            raise _taken(there, roster.role.zone)
        if change.kind == SWAP and not await asyncio.to_thread(_is_on, roster, agreed, change):
            raise Refusal(Code.INVALID, "refusal.swap_not_on", field="starts")

    async def _told(
        self, connection: AsyncConnection, roster: Roster, change: Change, by: str, kind: str
    ) -> None:
        """The others of a swap, by whose word."""
        speaker = roster.known(by)
        said: dict[str, object] = {"starts": change.starts, "until": change.ends}
        if speaker is not None:
            said["name"] = speaker.name
        for each in _two(change) - {by}:
            at = self._clock()
            await tell(connection, self._keys, kind, each, roster.role, at=at, **said)


def _made(by: str, roster: Roster, wish: Wish, now: int) -> Change:
    """The wish as it would be kept."""
    starts = max(wish.starts, now)
    if not starts < wish.ends <= min(starts + LONGEST_MS[wish.kind], now + AHEAD_MS):
        raise Refusal(Code.INVALID, "refusal.change_times", field="ends")
    doctor, instead_of = _whose(by, roster, wish)
    return Change(
        id=new_id(),
        role=roster.role.id,
        layer=_layer(roster, wish),
        kind=wish.kind,
        starts=starts,
        ends=wish.ends,
        doctor=doctor,
        instead_of=instead_of,
        state=ASKED if wish.kind == SWAP else AGREED,
        made=now,
        by=by,
    )


def _whose(by: str, roster: Roster, wish: Wish) -> tuple[str | None, str | None]:
    """Who is on, and instead of whom: whoever may not say so is refused."""
    if wish.kind == OVERRIDE:
        roster.require_keeper(by)
        for each in filter(None, (wish.doctor, wish.instead_of)):
            roster.require_member(each)
        if wish.doctor is None or wish.doctor == wish.instead_of:
            raise Refusal(Code.INVALID, "refusal.change_who", field="doctor")
        return wish.doctor, wish.instead_of
    if not roster.is_member(by):
        raise Refusal(Code.FORBIDDEN, "refusal.not_member")
    if wish.kind == UNTIL:
        return by, None
    if wish.kind == VACATION:
        return None, by
    doctor, instead_of = wish.doctor or by, wish.instead_of or by
    if doctor == instead_of or by not in (doctor, instead_of):
        raise Refusal(Code.INVALID, "refusal.change_who", field="doctor")
    for each in (doctor, instead_of):
        roster.require_member(each)
    return doctor, instead_of


def _layer(roster: Roster, wish: Wish) -> str | None:
    if wish.kind == VACATION:
        return None
    layers = roster.role.layers
    layer = wish.layer or next(iter(layers), None)
    if layer not in layers:
        raise Refusal(Code.INVALID, "refusal.no_such_layer", field="layer")
    return layer


def _is_on(roster: Roster, agreed: Collection[Change], change: Change) -> bool:
    """Whoever hands on a time has some of it."""
    role = roster.role
    found = rotas.shifts(role.rota, role.zone, list(agreed), change.starts, change.ends)
    return any(each.layer == change.layer and change.instead_of in each.doctors for each in found)


async def _standing(
    connection: AsyncConnection, roster: Roster, change_id: str, states: Collection[str]
) -> Change:
    change = await roles.find_change(connection, change_id)
    if change is None or change.role != roster.role.id or change.state not in states:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_change")
    return change


def _two(change: Change) -> set[str]:
    return {each for each in (change.doctor, change.instead_of) if each is not None}


def _taken(there: Change, zone: str) -> Refusal:
    """Says which one is there, by the role's own clock."""
    starts, ends = (
        datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
        for at in (there.starts, there.ends)
    )
    layer = there.layer or ""
    return Refusal(Code.FROZEN, "refusal.override_there", layer=layer, starts=starts, ends=ends)
