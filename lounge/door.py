"""The door: everyone who is connected here, and whether they still may be.

Every revocation raises a number in the identity store. A process asks for it several times a second, and
looks the visits of whoever was looked up at another one up again. For a second after such a check began,
and never longer, it is sure: only then may entries of rooms be sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import structlog

from lounge.doctors import Doctor, Doctors, Visit
from lounge.errors import RESTART, REVOKED, SIGNED_OUT, Close, Code, Refusal, StorageError

log = structlog.get_logger()

SURE_SECONDS = 1.0
CHECK_SECONDS = 5.0  # then it is begun anew, on another connection
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
    """Keeps the guests of this process up to date with the identity store.

    `sure_again` is called whenever it has become sure after not having been. `clock` is monotonic, in
    seconds: after a pause of the process it has moved on, and the door is not sure until it has checked.
    """

    def __init__(
        self,
        doctors: Doctors,
        *,
        sure_again: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._doctors = doctors
        self._sure_again = sure_again
        self._clock = clock
        self._guests: set[Guest] = set()
        self._checking: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._sure_until = float("-inf")
        self._everyone = False
        self._is_away = False
        self._gate: int | None = None
        self.epoch = 0
        """The identity store's, as last read: whom it finds at another one is looked up again."""

    def is_sure(self) -> bool:
        """True when all who are here stood less than a second ago, whatever has happened since."""
        return self._clock() <= self._sure_until

    async def watch(self) -> bool:
        """Check once, and have the lounge store's gate moved where it should stand.

        Returns whether the door is sure now. While the identity store is away it soon is not.
        """
        await asyncio.shield(self._start())
        return self.is_sure()

    def admit(self, visit: Visit, end: Callable[[Close], None], epoch: int) -> Guest:
        """Count a connection in, whose visit was looked up after `self.epoch` was `epoch`.

        `end` closes it when its session, token or doctor no longer stands.
        """
        guest = Guest(visit, epoch, end)
        self._guests.add(guest)
        if epoch != self.epoch:  # something was revoked meanwhile, perhaps this
            self._sure_until = float("-inf")
            self._start()
        return guest

    def part(self, guest: Guest) -> None:
        self._guests.discard(guest)

    def send_back(self, whom: Callable[[str], bool]) -> None:
        """Close the connections of these doctors, asked by id: they may come again, and are asked anew."""
        for guest in self.guests():
            if whom(guest.doctor.id):
                guest.end(RESTART)

    def guests(self) -> frozenset[Guest]:
        return frozenset(self._guests)

    def heard(self, epoch: int) -> None:
        """The lounge store's gate stands at `epoch`: check in the background unless that is known."""
        self._gate = epoch
        if epoch != self.epoch:
            self._start()

    async def recheck(self, guest: Guest, epoch: int) -> None:
        """Return once `guest` is known to stand where the lounge store's gate does, which was `epoch`.

        Raises Refusal if not or unknown.
        """
        self.heard(epoch)
        for _ in range(CHECKS):  # one may have been under way before this epoch was known
            if guest.ended or guest.epoch == self._gate:
                break
            await asyncio.shield(self._start())
            if self._moving is not None:
                await asyncio.shield(self._moving)
        if guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        if guest.epoch != self._gate:
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=1)

    async def stands(self, guest: Guest) -> None:
        """Return once `guest` is known to stand just now: before anything read for them is handed out.

        Raises Refusal if not or unknown.
        """
        if guest.epoch != self.epoch or not self.is_sure():
            await asyncio.shield(self._start())
        if guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        if guest.epoch != self.epoch or not self.is_sure():
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=1)

    def check(self) -> None:
        """Look every visit up again: sessions also end by themselves."""
        self._everyone = True
        self._start()

    def _start(self) -> asyncio.Task[None]:
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
        return self._checking

    async def _check(self) -> None:
        began, everyone = self._clock(), self._everyone
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                self.epoch = await self._doctors.epoch()
                while due := self._due():  # who comes in meanwhile may be behind, too
                    await self._look_up(due, self.epoch)
        except (StorageError, TimeoutError) as error:
            self._everyone |= everyone
            self._unchecked(error)
            return
        self._checked(began)
        self._move_gate()

    def _due(self) -> list[Guest]:
        """Whom a check has to look up. Not one of them is left when it is done."""
        everyone, self._everyone = self._everyone, False
        return [
            guest
            for guest in self._guests
            if not guest.ended and (everyone or guest.epoch != self.epoch)
        ]

    async def _look_up(self, guests: Collection[Guest], epoch: int) -> None:
        standing = await self._doctors.still_open({guest.visit for guest in guests})
        for guest in guests:
            visit = standing.get(guest.visit)
            if visit is None:
                guest.end(SIGNED_OUT)
            elif guest.doctor.verified and not visit.doctor.verified:
                guest.end(REVOKED)
            elif _elsewhere(visit.doctor, guest.doctor) != guest.doctor:
                guest.end(RESTART)  # other rooms may be open to them now, and others closed
            else:
                guest.visit = visit
                guest.epoch = epoch

    def _checked(self, began: float) -> None:
        was_sure, self._is_away = self.is_sure(), False
        self._sure_until = began + SURE_SECONDS
        if self.is_sure() and not was_sure:
            self._sure_again()

    def _unchecked(self, error: Exception) -> None:
        if not self._is_away:  # four times a second would say no more
            log.warning("visits not checked", fault=str(error) or type(error).__name__)
        self._is_away = True

    def _move_gate(self) -> None:
        """Whoever revoked moves the gate, unless it was cut off between the two stores."""
        if self._gate != self.epoch and (self._moving is None or self._moving.done()):
            self._moving = asyncio.create_task(self._move())

    async def _move(self) -> None:
        try:
            self._gate = await self._doctors.move_gate()
        except StorageError as error:
            log.warning("gate not moved", fault=str(error))  # the next check tries again


def _elsewhere(doctor: Doctor, was: Doctor) -> Doctor:
    """As she is now, but for what no room asks about."""
    return replace(doctor, language=was.language, screen_name=was.screen_name)
