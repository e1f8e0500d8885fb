"""Leaving: the account is closed at once, and who she was is erased soon after. Words stay.

What stays is under personas that lead nowhere, and what no leaving ends: sanctions, and the ban of a
licence whose doctor was suspended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import SystemRandom
from typing import Protocol

import structlog

from lounge.clock import now_ms
from lounge.doctors import Doctors, new_id
from lounge.errors import Code, Refusal
from lounge.oncall.members import take_off
from storage import applications, audit, authors, gate, leavings, oidc_links, roles, visits
from storage.database import Database

log = structlog.get_logger()

_ROUND = 20
_random = SystemRandom()


class Authors(Protocol):
    """Seals an author; None while nobody could open it."""

    def seal(self, doctor_id: str) -> bytes | None: ...


class Leaving:
    """Every method may raise StorageError. `personas` are the ids of a doctor in all these rooms."""

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        doctors: Doctors,
        seals: Authors,
        personas: Callable[[str, Sequence[str]], Sequence[bytes]],
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._doctors = doctors
        self._seals = seals
        self._personas = personas
        self._clock = clock
        self.forget: Callable[[str], Awaitable[None]] = _nothing
        """Drops what the lounge store still holds of hers besides her words and personas."""

    async def leave(self, doctor_id: str) -> None:
        """Close her account for good: everything of hers ends now, and is erased within minutes.

        Raises Refusal `forbidden` for an officer, whose key others still need.
        """
        now = self._clock()
        async with self._identity.writing() as connection:
            her = await applications.by_id(connection, doctor_id, hold=True)
            if her is None:
                return
            if "officer" in her.roles:
                raise Refusal(Code.FORBIDDEN, "leaving.officer")
            if her.state == "suspended":
                subjects = await oidc_links.subjects(connection, doctor_id)
                for each in filter(None, (her.licence_mark, *subjects)):
                    await applications.ban(connection, each, her.reason or "left", now)
            await applications.set_state(connection, doctor_id, "suspended", "left", now=now)
            await visits.end_all(connection, doctor_id, now)
            await leavings.close(connection, doctor_id, now)
            await audit.append(connection, "left", by=doctor_id, about=doctor_id)
            await gate.raise_epoch(connection)
        await self._doctors.move_gate()

    async def erase_due(self) -> None:
        """Erase who has left and is not on hold. Any number of processes may do it, again and again."""
        async with self._identity.reading() as connection:
            gone = await leavings.to_erase(connection, _ROUND)
        for doctor_id in gone:
            await self.forget(doctor_id)
            await self._open_boxes_to_nobody(doctor_id)
            async with self._identity.writing() as connection:
                on = await roles.roles_of(connection, doctor_id)
                if await leavings.erase(connection, doctor_id):
                    await take_off(connection, on, doctor_id)
                    await audit.append(connection, "erased", by="house", about=doctor_id)
            self._identity.scrub_soon()

    async def _open_boxes_to_nobody(self, doctor_id: str) -> None:
        """Put boxes with nobody in them where hers were: an empty place would join her personas.

        Each in a transaction of its own and in no order, for the same reason.
        """
        async with self._lounge.reading() as connection:
            rooms = await authors.rooms(connection)
            sealed = await authors.sealed(connection, self._personas(doctor_id, rooms))
        _random.shuffle(sealed)
        for persona in sealed:
            async with self._lounge.writing() as connection:
                await authors.replace(connection, persona, self._seals.seal(new_id()))
        self._lounge.scrub_soon()


async def _nothing(_: str) -> None:
    """Until there is somebody who holds something."""
