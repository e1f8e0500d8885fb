"""Which moderators are told of urgent reports: those on duty who are appointed there, or all who are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lounge import policy
from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderating.scopes import About, is_appointed
from storage import audit, duties
from storage.database import Database

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is anything besides a doctor, by id with the roles; and which of them are on duty."""

    roles: dict[str, frozenset[str]]
    on_duty: frozenset[str]

    def told(self, what: About, *, but: frozenset[str]) -> list[str]:
        """Whom to tell of something urgent there, without those of `but`.

        Whether all are told must not depend on `but`: else who is told learns who wrote or reported it. So
        with fewer than two on duty all are; and where two wrote and reported it, for somebody has to know.
        """
        hers = [id for id, roles in self.roles.items() if is_appointed(roles, what)]
        on_duty = [id for id in hers if id in self.on_duty]
        others = [id for id in hers if id not in but]
        return [id for id in others if len(on_duty) > 1 and id in on_duty] or others


class Duty:
    """Being told of urgent reports as they come. May raise StorageError."""

    def __init__(
        self, identity: Database, lounge: Database, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._clock = clock

    async def begin(self, doctor: Doctor, minutes: int) -> int:
        """She is on duty for so long from now; until when, in ms. Raises Refusal."""
        _require_moderator(doctor)
        await self._note("duty.begun", {"minutes": str(minutes)})
        until = self._clock() + minutes * MINUTE_MS
        async with self._identity.writing() as connection:
            await duties.begin(connection, doctor.id, until)
        return until

    async def end(self, doctor: Doctor) -> None:
        """She is no longer. Raises Refusal."""
        _require_moderator(doctor)
        await self._note("duty.ended", {})
        async with self._identity.writing() as connection:
            await duties.end(connection, doctor.id)

    async def until(self, doctor: Doctor) -> int | None:
        """Until when she is on duty, in ms; None when she is not. Raises Refusal."""
        _require_moderator(doctor)
        async with self._identity.reading() as connection:
            return await duties.until(connection, doctor.id, self._clock())

    async def forget(self) -> None:
        """Drop what is over."""
        async with self._identity.writing() as connection:
            await duties.forget(connection, self._clock())

    async def staff(self) -> Staff:
        """Everybody whom a report may concern in that capacity."""
        async with self._identity.reading() as connection:
            roles = dict(await duties.staff(connection))
            return Staff(roles, frozenset(await duties.on_duty(connection, self._clock())))

    async def _note(self, act: str, detail: Mapping[str, str]) -> None:
        """In the audit before it is done, for it is done in the other store: that a moderator, not which."""
        async with self._lounge.writing() as connection:
            await audit.append_lounge(connection, act, by="moderator", detail=detail)


def _require_moderator(doctor: Doctor) -> None:
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
