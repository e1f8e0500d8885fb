"""The door: everyone who is connected here, and whether they still may be.

The gate's epoch, a bare number in the lounge store, rises with every revocation. A process that reads a
new one looks all its visits up again before anything more is committed for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from lounge.doctors import Doctor, Doctors, Visit
from lounge.errors import RESTART, REVOKED, SIGNED_OUT, Close, Code, Refusal, StorageError

log = structlog.get_logger()

CHECKS = 3


class Guest:
    """One connection's standing: who it is and at which epoch that was known to be true."""

    __slots__ = ("_end", "ended", "epoch", "visit")

    def __init__(self, visit: Visit, epoch: int, end: Callable[[Close], None]) -> None:
        self.visit = visit
        self.epoch = epoch
        self.ended = False
        self._end = end

    @property
    def doctor(self) -> Doctor:
        return self.visit.doctor

    def end(self, code: Close) -> None:
        """No more acts, and the connection closes with this code."""
        if not self.ended:
            self.ended = True
            self._end(code)


class Door:
    """Keeps the guests of this process up to date with the identity store."""

    def __init__(self, doctors: Doctors) -> None:
        self._doctors = doctors
        self._guests: set[Guest] = set()
        self._checking: asyncio.Task[None] | None = None
        self.epoch = 0
        """The newest epoch that was heard of: whom it finds behind is looked up again."""

    def admit(self, visit: Visit, end: Callable[[Close], None], epoch: int) -> Guest:
        """Count a connection in, whose visit was looked up after the gate stood at `epoch`.

        `end` closes it when its session, token or doctor no longer stands.
        """
        guest = Guest(visit, epoch, end)
        self._guests.add(guest)
        return guest

    def part(self, guest: Guest) -> None:
        self._guests.discard(guest)

    def guests(self) -> frozenset[Guest]:
        return frozenset(self._guests)

    def heard(self, epoch: int) -> None:
        """The gate stands at `epoch`: check in the background whoever was looked up before that."""
        self.epoch = max(self.epoch, epoch)
        if any(guest.epoch < self.epoch and not guest.ended for guest in self._guests):
            self._start()

    async def recheck(self, guest: Guest, epoch: int) -> None:
        """Return once `guest` is known to stand at `epoch`. Raises Refusal if not or unknown."""
        for _ in range(CHECKS):  # one may have been under way before this epoch was known
            if guest.ended or guest.epoch >= epoch:
                break
            self.epoch = max(self.epoch, epoch)
            await asyncio.shield(self._start())
        if guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        if guest.epoch < epoch:
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=1)

    def check(self) -> None:
        """Look every visit up again: sessions also end by themselves."""
        self._start()

    def _start(self) -> asyncio.Task[None]:
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
        return self._checking

    async def _check(self) -> None:
        epoch = self.epoch
        guests = list(self._guests)
        try:
            standing = await self._doctors.still_open({guest.visit for guest in guests})
        except StorageError as error:
            log.warning("visits not checked", fault=str(error))  # the next poll asks again
            return
        for guest in guests:
            visit = standing.get(guest.visit)
            if visit is None:
                guest.end(SIGNED_OUT)
            elif guest.doctor.verified and not visit.doctor.verified:
                guest.end(REVOKED)
            elif replace(visit.doctor, language=guest.doctor.language) != guest.doctor:
                guest.end(RESTART)  # other rooms may be open to them now, and others closed
            else:
                guest.visit = visit
                guest.epoch = max(guest.epoch, epoch)
