"""Doing what is due: any process takes it, and the act that does it ends it, exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from lounge.clock import now_ms
from storage import due
from storage.database import Database, StorageError
from storage.due import Due

__all__ = ["Due", "Dues"]

log = structlog.get_logger()

LEASE_MS = 15_000
"""After that long, what a process took and did not end is anybody's: it was killed, or failed."""
TAKEN_AT_ONCE = 32

Doing = Callable[[Due], Awaitable[None]]


class Dues:
    """Takes what is due and hands it to whoever `handle` names for its kind.

    One does its work in an act with `storage.due.done` among its guards: taken twice, since a lease may
    lapse under whoever is slow, it is still done once.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int] = now_ms,
        lease_ms: int = LEASE_MS,
        at_once: int = TAKEN_AT_ONCE,
    ) -> None:
        """`clock` gives ms since 1970. A process that dies holds up `at_once` rows for a lease."""
        self.handle: dict[str, Doing] = {}
        self._database = database
        self._clock = clock
        self._lease_ms = lease_ms
        self._at_once = at_once

    async def run_due(self) -> None:
        """Do all that is due now. Raises StorageError, after everything else was tried."""
        while taken := await self._taken():
            faults = await asyncio.gather(*map(self._do, taken))
            for fault in filter(None, faults):
                raise fault

    async def _taken(self) -> list[Due]:
        now = self._clock()
        kinds = list(self.handle)
        return await due.taking(self._database, kinds, now, self._lease_ms, self._at_once)

    async def _do(self, what: Due) -> StorageError | None:
        """Whatever goes wrong with one is tried again when its lease is over, and stops no other."""
        try:
            await self.handle[what.kind](what)
        except StorageError as fault:
            return fault
        except Exception as fault:
            log.error("due failed", kind=what.kind, fault=type(fault).__name__, exc_info=True)
        return None
