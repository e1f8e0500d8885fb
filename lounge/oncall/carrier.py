"""Carrying alerts: any process takes what is due with a lease, and hands it over at once.

What hangs costs its patience and one place among those of its kind; what is over meanwhile is called off.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from lounge.clock import now_ms
from lounge.keys import KeyFault, Keys
from lounge.notices import Notice, note
from lounge.oncall.alerts import CAN_BE_CALLED_OFF, Alerts
from lounge.oncall.calls import Call, Delivery, address_in, call_in
from lounge.oncall.outside import Away, Gone
from storage import alerts, applications, me_log, reaches
from storage.alerts import Alert
from storage.database import Database, StorageError
from storage.pages import ACCEPTED, SENT, Page
from storage.reaches import Reach

log = structlog.get_logger()

LEASE_MS = 15_000
"""Longer than whoever is handed an alert may take: after that the process that had it is dead."""
MOST_TRIES = 6
PLACES: Mapping[str, int] = {"push": 16, "mail": 4, "sms": 8, "voice": 8}
"""So many of a kind are on their way at once, from one process."""
KEPT_MS = 2 * 24 * 3_600_000
SILENT_MS = 24 * 3_600_000
_LOOK_SECONDS = 0.5
_TIDY_SECONDS = 600.0
_FIRST_PAUSE_MS = 1_000
_OF_PAGES = ("page", "page_over")


class Sender(Protocol):
    """One kind of way out."""

    async def send(self, delivery: Delivery) -> None:
        """Raises Gone, Away."""


class Carrier:
    """Every method may raise StorageError."""

    def __init__(
        self,
        *,
        identity: Database,
        keys: Keys,
        alerts: Alerts,
        senders: Mapping[str, Sender],
        page_of: Callable[[str], Awaitable[Page | None]],
        closing: Callable[[], Awaitable[None]],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`page_of` a room; `closing` ends what the senders hold open; `clock` gives ms since 1970."""
        self._identity = identity
        self._keys = keys
        self._alerts = alerts
        self._senders = senders
        self._page_of = page_of
        self._closing = closing
        self._clock = clock
        self._woken = asyncio.Event()
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Future[None]] = set()
        self._tidied = float("-inf")
        self._is_ending = False

    def delivered(self, notices: Sequence[Notice]) -> None:
        """These have arrived, and what follows from them is committed."""
        if any(each.notice.get("notice") in _OF_PAGES for each in notices):
            self.wake()

    def wake(self) -> None:
        """Something may be due: look now rather than within half a second."""
        self._woken.set()

    async def run(self) -> None:
        """Carry for ever."""
        try:
            while True:
                self._woken.clear()
                await self.start_due()
                await self._tidy_now_and_then()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._woken.wait()
        finally:
            await self._end()

    async def carry(self) -> None:
        """Carry all that is due now, and wait until it has left or failed."""
        while await self.start_due() or self._tasks:
            await asyncio.gather(*self._tasks)

    async def tidy(self) -> None:
        """Forget what nobody called off, and open pages that are long closed."""
        now = self._clock()
        async with self._identity.writing() as connection:
            await alerts.drop_old(connection, now - KEPT_MS)
            await reaches.drop_silent(connection, now - SILENT_MS)

    async def start_due(self) -> int:
        """Set off what is due and has a place; how many that is."""
        now = self._clock()
        async with self._identity.reading() as connection:
            kinds = await alerts.waiting(connection, now)
        room = {kind: PLACES[kind] - self._busy[kind] for kind in kinds & PLACES.keys()}
        room = {kind: places for kind, places in room.items() if places > 0}
        if not room:
            return 0
        async with self._identity.writing() as connection:
            taken = await alerts.take(connection, room, now, now + LEASE_MS)
        for kind, alert in taken:
            self._set_off(kind, alert)
        return len(taken)

    def _set_off(self, kind: str, alert: Alert) -> None:
        self._busy[kind] += 1
        task = asyncio.create_task(self._carried(kind, alert))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._back(kind, done))

    def _back(self, kind: str, task: asyncio.Task[None]) -> None:
        self._busy[kind] -= 1
        self._tasks.discard(task)
        self.wake()

    async def _carried(self, kind: str, alert: Alert) -> None:
        """Whatever goes wrong with one is tried again when its lease is over, and stops no other."""
        try:
            await self._carry(kind, alert)
        except StorageError as fault:
            log.warning("an alert waits", kind=kind, fault=str(fault))
        except Exception as fault:
            log.error("an alert failed", kind=kind, fault=type(fault).__name__, exc_info=True)

    async def _carry(self, kind: str, alert: Alert) -> None:
        delivery = await self._delivery(alert)
        if delivery is None:
            await self._forget(alert)
            return
        try:
            if not await self._handed_over(kind, delivery):
                return  # this process ends; another one's look finds it
        except Gone:
            await self._failed(alert, kind, for_good=True)
        except Away as fault:
            await self._not_taken(alert, kind, fault)
        else:
            await self._left(alert, delivery)

    async def _handed_over(self, kind: str, delivery: Delivery) -> bool:
        """A task of its own: what waits for another house can be given up, a transaction not."""
        if self._is_ending:
            return False
        sending = asyncio.ensure_future(self._senders[kind].send(delivery))
        self._sends.add(sending)
        sending.add_done_callback(self._sends.discard)
        await asyncio.wait([sending])
        if sending.cancelled():
            return False
        sending.result()
        return True

    async def _end(self) -> None:
        self._is_ending = True
        for sending in self._sends:
            sending.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._closing()

    async def _delivery(self, alert: Alert) -> Delivery | None:
        """None: there is nobody, or nothing, to tell of any more."""
        async with self._identity.reading() as connection:
            reach = await reaches.find(connection, alert.reach)
            who = await applications.by_id(connection, alert.doctor)
        if reach is None or who is None or who.state != applications.VERIFIED:
            return None
        try:
            call = call_in(self._keys.identity, alert.id, alert.sealed)
            address = address_in(self._keys.identity, reach.id, reach.sealed)
        except KeyFault:
            log.error("an alert cannot be opened with the identity key")
            return None
        if call.kind in ("page", "ask") and not is_ringing(await self._page_of(call.about)):
            return None  # its end may have been carried before it was
        if reach.kind == "mail":
            address = msgspec.structs.replace(address, to=who.email)
        subject = base64.urlsafe_b64encode(self._alerts.subject(alert.doctor, call.about))
        word, kind = subject.rstrip(b"=").decode(), _kind(reach)
        return Delivery(alert.id, word, kind, call, address, who.language)

    async def _left(self, alert: Alert, delivery: Delivery) -> None:
        now = self._clock()
        stays = delivery.call.kind in ("page", "ask")
        async with self._identity.writing() as connection:
            is_wanted = not stays or await alerts.mark_sent(connection, alert.id, now)
            if not stays:
                await alerts.drop(connection, [alert.id])
            await reaches.got_through(connection, alert.reach, now)
        if not is_wanted:
            await self._call_back(delivery)

    async def _call_back(self, delivery: Delivery) -> None:
        """It was over while this was on its way: whoever called it off could not tell which came first."""
        if delivery.kind in CAN_BE_CALLED_OFF:
            over = Call("over", delivery.call.about)
            again = msgspec.structs.replace(delivery, id=secrets.token_urlsafe(16), call=over)
            with contextlib.suppress(Gone, Away):
                await self._senders[delivery.kind].send(again)

    async def _not_taken(self, alert: Alert, kind: str, fault: Away) -> None:
        pause = _FIRST_PAUSE_MS * 2 ** (alert.tries - 1)
        if alert.tries >= MOST_TRIES:
            await self._failed(alert, kind, for_good=False)
            return
        log.info("an alert waits", kind=kind, fault=str(fault), pause_ms=pause)
        async with self._identity.writing() as connection:
            await alerts.put_off(connection, alert.id, self._clock() + pause)

    async def _failed(self, alert: Alert, kind: str, *, for_good: bool) -> None:
        """Given up, and she is told once that this way to her leads nowhere."""
        log.warning("a way to a doctor failed", kind=kind, for_good=for_good)
        async with self._identity.writing() as connection:
            await me_log.locked(
                connection, alert.doctor
            )  # first, as whoever brings her letters does
            await alerts.drop(connection, [alert.id])
            if for_good:
                await alerts.drop_waiting(connection, alert.reach)
            if await reaches.fail(connection, alert.reach, self._clock(), for_good=for_good):
                failed = {"notice": "reach_failed", "about": alert.reach}
                await note(connection, self._keys, alert.doctor, failed, at=self._clock())

    async def _forget(self, alert: Alert) -> None:
        async with self._identity.writing() as connection:
            await alerts.drop(connection, [alert.id])

    async def _tidy_now_and_then(self) -> None:
        if time.monotonic() - self._tidied >= _TIDY_SECONDS:
            await self.tidy()
            self._tidied = time.monotonic()


def is_ringing(page: Page | None) -> bool:
    """Whether anybody is still wanted by it."""
    if page is None or page.state == ACCEPTED:
        return page is not None and page.wanted is not None and page.acknowledged < page.wanted
    return page.state == SENT


def _kind(reach: Reach) -> Any:
    """As the row has it, which is one of those that a reach may be."""
    return reach.kind
