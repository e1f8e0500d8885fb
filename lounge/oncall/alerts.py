"""Alerts to doctors whose browser is closed: rows added as a letter arrives, and taken back when it is over.

A row stands for each way to each doctor, in the transaction that brings her the letter.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.keys import Keys
from lounge.oncall.calls import Call, sealed_call
from storage import alerts, applications, reaches
from storage.alerts import Alert
from storage.reaches import Reach

CARRIED = ("push", "mail", "sms", "voice")
"""An open page is alerted by its socket."""
CAN_BE_CALLED_OFF = ("push", "sms", "voice")

Said = Mapping[str, object]
Noted = Callable[[AsyncConnection, str, Sequence[Said]], Awaitable[None]]


async def _nobody_counts(_: AsyncConnection, __: str, ___: Sequence[Said]) -> None:
    return None


class Alerts:
    """Every method may raise StorageError."""

    def __init__(
        self,
        keys: Keys,
        *,
        noted: Noted = _nobody_counts,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`noted` is told of what arrives, in the transaction that brings it; `clock` gives ms since 1970."""
        self._keys = keys
        self._key = keys.identity.subkey("alert")
        self._noted = noted
        self._clock = clock

    async def arriving(
        self, connection: AsyncConnection, doctor_id: str, notices: Sequence[Said]
    ) -> None:
        """Of a page she is alerted by all that reaches her; of its end, all of that is called off."""
        for notice in notices:
            if notice.get("notice") == "page":
                await self._ring(connection, doctor_id, notice)
            elif notice.get("notice") == "page_over":
                await self._silence(connection, doctor_id, str(notice["about"]))
        await self._noted(connection, doctor_id, notices)

    async def try_out(self, connection: AsyncConnection, reach: Reach, code: str) -> None:
        """A test alert by one of her ways."""
        call = Call("test", reach.id, code=code)
        new = self._row(reach, call, self.subject(reach.doctor, reach.id))
        await alerts.add(connection, [new], self._clock())

    def subject(self, doctor_id: str, room: str) -> bytes:
        """Of her and the page: two doctors of one page share nothing that a push service sees."""
        return hmac.digest(self._key, f"{doctor_id} {room}".encode(), hashlib.sha256)[:16]

    async def _ring(self, connection: AsyncConnection, doctor_id: str, notice: Said) -> None:
        who = await applications.by_id(connection, doctor_id)
        if who is None or who.state != applications.VERIFIED:
            return
        room = str(notice["about"])
        subject = self.subject(doctor_id, room)
        before = await alerts.about(connection, doctor_id, subject)
        waits = {each.reach for each in before if each.sent is None}
        call = _call(notice, room)
        ways = [
            each
            for each in await reaches.of(connection, doctor_id)
            if each.kind in CARRIED and each.confirmed is not None and each.id not in waits
        ]
        await alerts.add(connection, [self._row(way, call, subject) for way in ways], self._clock())

    async def _silence(self, connection: AsyncConnection, doctor_id: str, room: str) -> None:
        rows = await alerts.about(connection, doctor_id, self.subject(doctor_id, room))
        if not rows:
            return
        await alerts.drop(connection, [each.id for each in rows])
        told = {each.reach for each in rows if each.tries > 0}
        over, apart = Call("over", room), self.subject(doctor_id, f"over {room}")
        ways = [
            each
            for each in await reaches.of(connection, doctor_id)
            if each.id in told and each.kind in CAN_BE_CALLED_OFF
        ]
        await alerts.add(connection, [self._row(way, over, apart) for way in ways], self._clock())

    def _row(self, reach: Reach, call: Call, subject: bytes) -> Alert:
        id = secrets.token_urlsafe(16)
        sealed = sealed_call(self._keys.identity, id, call)
        return Alert(id, reach.doctor, reach.id, subject, sealed)


def _call(notice: Said, room: str) -> Call:
    kind, formal = notice.get("way", "page"), notice.get("formal", False)
    told = {"kind": kind, "about": room, "urgency": notice.get("urgency"), "formal": formal}
    return msgspec.convert(told, Call)
