"""Who is available now: a doctor's own switch, which turns itself off. Others learn of it by her answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from lounge import policy
from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.limits import CHANGES, Limits
from storage import available
from storage.database import Database

MINUTE_MS = 60_000
SHORTEST_MINUTES, LONGEST_MINUTES = 15, 12 * 60


class Available:
    """The switches. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self, identity: Database, limits: Limits, clock: Callable[[], int] = now_ms
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._limits = limits
        self._clock = clock
        self.switched_on: Callable[[Doctor], Awaitable[None]] = _nothing
        """Called with whoever has just become available."""

    async def switch_on(self, doctor: Doctor, minutes: int) -> int:
        """From now on, for so many minutes: until when, in ms. Whoever waits in her specialty reaches her."""
        policy.require_open(doctor)
        self._limits.spend(CHANGES, doctor.id)
        if not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
            raise Refusal(Code.INVALID, "refusal.available", field="minutes")
        until = self._clock() + minutes * MINUTE_MS
        async with self._identity.writing() as connection:
            await available.switch_on(connection, doctor.id, until)
        await self.switched_on(doctor)
        return until

    async def switch_off(self, doctor: Doctor) -> None:
        """At once."""
        self._limits.spend(CHANGES, doctor.id)
        async with self._identity.writing() as connection:
            await available.switch_off(connection, doctor.id)

    async def until(self, doctor: Doctor) -> int | None:
        """Until when she is, in ms; None when she is not."""
        async with self._identity.reading() as connection:
            return await available.until(connection, doctor.id, self._clock())

    async def forget(self) -> None:
        """Whoever's time is over: nothing tells that she once was."""
        async with self._identity.writing() as connection:
            await available.forget(connection, self._clock())

    async def of(self, specialty: str) -> Sequence[str]:
        """The ids of the verified doctors of a specialty who are available now."""
        async with self._identity.reading() as connection:
            return await available.of_specialty(connection, specialty, self._clock())


async def _nothing(_: Doctor) -> None:
    """Until there is somebody to tell."""
