"""Sanctions without names: who is muted or removed is known only with the doctor in hand.

A row holds a random salt and a keyed hash of salt and doctor, so that no stored value joins two of her
personas. Every process tests its doctors against all that are in force, in memory.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.keys import Keys
from storage import sanctions
from storage.database import Database
from storage.sanctions import Sanction

__all__ = ["MUTE", "REMOVE", "Sanction", "Sanctions"]

MUTE, REMOVE = "mute", "remove"
_MARK_BYTES = 32


class Sanctions:
    """Those in force, as last read; `refresh` is called at every poll and after every change here."""

    def __init__(
        self,
        lounge: Database,
        keys: Keys,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._lounge = lounge
        self._key = keys.persona.subkey("sanction")
        self._clock = clock
        self._in_force: tuple[Sanction, ...] = ()
        self._tested: dict[str, tuple[Sanction, ...]] = {}
        self._reads = self._newest = 0
        self.removed: Callable[[Callable[[str], bool]], None] = _nobody
        """Called when somebody was removed from a room since the last reading: with who, by doctor's id."""

    async def refresh(self) -> None:
        """Read again what is in force. Raises StorageError; then the last reading stands."""
        async with self._lounge.reading() as connection:
            await self.read(connection)

    async def read(self, connection: AsyncConnection) -> None:
        """As `refresh`, in a poll's own snapshot."""
        self._reads += 1
        began = self._reads
        found = await sanctions.in_force(connection, self._clock())
        if began < self._newest:  # what began earlier may know less, however late it comes
            return
        self._newest = began
        if found != self._in_force:
            known = {each.id for each in self._in_force}
            self._in_force, self._tested = found, {}
            fresh = [each for each in found if each.kind == REMOVE and each.id not in known]
            if fresh:
                self.removed(lambda id: any(self._is(each.mark, each.salt, id) for each in fresh))

    def of(self, doctor_id: str) -> tuple[Sanction, ...]:
        """Her sanctions that stand now. No I/O: each is tested once a doctor."""
        if doctor_id not in self._tested:
            self._tested[doctor_id] = tuple(
                each
                for each in self._in_force
                if hmac.compare_digest(each.mark, self._mark(each.salt, doctor_id))
            )
        tested = self._tested[doctor_id]
        if not tested:
            return tested
        now = self._clock()
        return tuple(each for each in tested if each.stands(now))

    def may_enter(self, doctor_id: str, room_id: str) -> None:
        """Raises Refusal `forbidden` to who was removed from there, saying until when."""
        removed = self._until(doctor_id, room_id, REMOVE)
        if removed:
            left, until = self._left(removed)
            raise Refusal(Code.FORBIDDEN, "refusal.removed", retry_after=left, until=until)

    def may_speak(self, doctor_id: str, room_id: str) -> None:
        """As `may_enter`; raises Refusal `muted` to who may only read there, saying until when."""
        self.may_enter(doctor_id, room_id)
        muted = self._until(doctor_id, room_id, MUTE)
        if None in muted:
            raise Refusal(Code.MUTED, "refusal.muted")
        if muted:
            left, until = self._left(muted)
            raise Refusal(Code.MUTED, "refusal.muted_until", retry_after=left, until=until)

    def new(
        self,
        doctor_id: str | None,
        licence: bytes | None,
        *,
        room: str | None,
        until: int | None,
        reason: str,
        kind: str = MUTE,
    ) -> Sanction:
        """One of this doctor; of nobody (None) it looks the same. `licence` as her account has it."""
        salt = secrets.token_bytes(16)
        return Sanction(
            id=secrets.token_urlsafe(12),
            salt=salt,
            mark=self._mark(salt, doctor_id),
            licence=self._mark(salt, licence.hex() if licence else None),
            kind=kind,
            room=room,
            until=until,
            reason=reason,
            at=self._clock(),
        )

    async def inherit(self, doctor_id: str, licence: bytes) -> None:
        """Whoever left and comes back with the same licence is still sanctioned. May be repeated.

        To be called whenever a doctor's licence becomes known. Raises StorageError.
        """
        async with self._lounge.writing() as connection:
            found = await sanctions.in_force(connection, self._clock())
            known = {_terms(each) for each in found if self._is(each.mark, each.salt, doctor_id)}
            for each in found:
                if _terms(each) not in known and self._is(each.licence, each.salt, licence.hex()):
                    moved = self._moved(each, doctor_id, licence)
                    await sanctions.add(connection, moved)
            await self.read(connection)

    def _moved(self, each: Sanction, doctor_id: str, licence: bytes) -> Sanction:
        made = self.new(doctor_id, licence, room=each.room, until=each.until, reason=each.reason)
        return replace(made, kind=each.kind, at=each.at)  # not when she came back

    def _until(self, doctor_id: str, room_id: str, kind: str) -> list[int | None]:
        """Until when each of hers of this kind stands there."""
        hers = self.of(doctor_id)
        return [each.until for each in hers if each.kind == kind and each.covers(room_id)]

    def _left(self, untils: Iterable[int | None]) -> tuple[int, str]:
        """Seconds to the last of these, and when that is."""
        until = max(each or 0 for each in untils)
        return max(1, math.ceil((until - self._clock()) / 1000)), _said(until)

    def _is(self, mark: bytes, salt: bytes, subject: str) -> bool:
        return hmac.compare_digest(mark, self._mark(salt, subject))

    def _mark(self, salt: bytes, subject: str | None) -> bytes:
        if subject is None:
            return secrets.token_bytes(_MARK_BYTES)
        return hmac.digest(self._key, salt + subject.encode(), hashlib.sha256)


def one_each(found: Iterable[Sanction]) -> list[Sanction]:
    """Without those that followed somebody who left and came back: nobody is told that she did."""
    return list({terms_of(each): each for each in found}.values())


def terms_of(each: Sanction) -> tuple[object, ...]:
    """What a sanction shares with those that followed its doctor when she came back."""
    return *_terms(each), each.at


def _terms(each: Sanction) -> tuple[str, str | None, int | None, str]:
    return each.kind, each.room, each.until, each.reason


def _nobody(_: Callable[[str], bool]) -> None:
    """Until there is somebody to put out."""


def _said(at: int) -> str:
    """A moment as a sentence in either language has it: date and time of the clock, UTC."""
    return rfc3339(at)[:16].replace("T", " ") + " UTC"
