"""One's own shifts for a calendar program, read with a password made for that alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lounge.clock import now_ms
from lounge.doctors import digest_of, new_secret
from lounge.keys import Keys
from lounge.notices import account_act
from lounge.oncall import rota as rotas
from lounge.oncall.roles import DAY_MS, Role, Roles
from lounge.oncall.rota import Shift
from storage import roles
from storage.database import Database
from storage.roles import Change

BACK_MS, AHEAD_MS = 28 * DAY_MS, 92 * DAY_MS


@dataclass(frozen=True, slots=True)
class OwnShift:
    """One of hers: whole, and of which role."""

    role: Role
    shift: Shift


class Feeds:
    """Every method may raise StorageError."""

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

    async def make(self, doctor_id: str) -> str:
        """A password to read her feed with, shown this once; the one before it is good no more."""
        secret = new_secret()
        async with self._identity.writing() as connection:
            now = self._clock()
            await roles.put_feed(connection, doctor_id, digest_of(secret), now)
            await account_act(connection, self._keys, doctor_id, "feed_made", now=now)
        return secret

    async def whose(self, secret: str) -> tuple[str, str] | None:
        """The doctor whose feed it opens, if it does: her id, and her language."""
        async with self._identity.reading() as connection:
            return await roles.whose_feed(connection, digest_of(secret))

    async def shifts(self, doctor_id: str) -> Sequence[OwnShift]:
        """Hers, from four weeks ago to three months ahead, by their start."""
        now = self._clock()
        async with self._identity.reading() as connection:
            hers = await roles.roles_of(connection, doctor_id, agreed=True)
            changes = await roles.changes(connection, hers, now - BACK_MS)
        hers_of = [role for role in await self._known.all() if role.id in hers]
        return await asyncio.to_thread(_own, doctor_id, hers_of, changes, now)  # four months, slow


def _own(
    doctor_id: str, hers: Sequence[Role], changes: Sequence[Change], now: int
) -> list[OwnShift]:
    found = [
        OwnShift(role, shift)
        for role in hers
        for shift in rotas.shifts(
            role.rota,
            role.zone,
            [each for each in changes if each.role == role.id],
            now - BACK_MS,
            now + AHEAD_MS,
        )
        if doctor_id in shift.doctors
    ]
    return sorted(found, key=lambda own: (own.shift.starts, own.role.id))
