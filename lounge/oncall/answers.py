"""What a gateway tells of its alerts becomes an answer to the page, as from the doctor herself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.oncall.calls import call_in
from lounge.oncall.gateway import GatewayNews
from storage import alerts, reaches
from storage.alerts import Alert
from storage.database import Database

_CHANNELS = ("sms", "voice")


class Answering(Protocol):
    """Pages, as a doctor answers them without a connection. True: it was so before."""

    async def accept_for(self, doctor_id: str, room: str, formal: bool) -> bool: ...
    async def decline_for(self, doctor_id: str, room: str) -> bool: ...
    async def delivered_for(self, doctor_id: str, room: str) -> bool: ...


class Answers:
    """May raise StorageError."""

    def __init__(
        self,
        *,
        identity: Database,
        keys: Keys,
        pages: Answering,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`clock` gives ms since 1970."""
        self._identity = identity
        self._keys = keys
        self._pages = pages
        self._clock = clock

    async def take(self, told: GatewayNews) -> bool:
        """Do as told; told again, it does nothing more. True: it was so before.

        Raises Refusal `not_found` for an alert that is none or is over, and as accepting and declining do.
        """
        alert, room = await self._of_page(told.data.alert)
        if told.type == "alert.delivered":
            return await self._pages.delivered_for(alert.doctor, room)
        if told.type == "alert.declined":
            return await self._pages.decline_for(alert.doctor, room)
        return await self._pages.accept_for(alert.doctor, room, False)

    async def _of_page(self, id: str) -> tuple[Alert, str]:
        """One that a gateway was handed; and that it is heard of shows that its way leads there."""
        async with self._identity.writing() as connection:
            alert = await alerts.find(connection, id)
            reach = await reaches.find(connection, alert.reach) if alert else None
            if alert is None or reach is None or reach.kind not in _CHANNELS:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_alert")
            await reaches.got_through(connection, reach.id, self._clock())
        call = call_in(self._keys.identity, alert.id, alert.sealed)
        if call.kind not in ("page", "ask"):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_alert")
        return alert, call.about
