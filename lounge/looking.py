"""Looking at a consult: a count that lapses, for a crowd has no exclusive claim on a case."""

from __future__ import annotations

import hashlib
import hmac

from lounge.acting import Seat
from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.keys import Keys
from lounge.limits import CHANGES, Limits
from storage import consults
from storage.database import Database

LOOK_MS = 10 * 60 * 1000


class Looking:
    """Who looks, as keyed hashes that nobody else can compute, each of one doctor and one consult."""

    def __init__(self, database: Database, keys: Keys, limits: Limits, consults: Consults) -> None:
        self._database = database
        self._key = keys.persona.subkey("look")
        self._limits = limits
        self._consults = consults

    async def turn(self, seat: Seat, on: bool) -> None:
        """One looks, for ten minutes from now, or no longer. A case's own author is not counted.

        Raises Refusal, StorageError.
        """
        self._limits.spend(CHANGES, seat.guest.doctor.id)
        consult = await self._consults.must_find(seat.room.id)
        if consult.author in seat.dress.ids:
            return
        key, now = self._of(seat), now_ms()
        async with self._database.writing() as connection:
            if on:
                is_sqlite = self._database.is_sqlite
                await consults.look_at(connection, is_sqlite, key, consult.slug, now + LOOK_MS, now)
            else:
                await consults.look_away(connection, key)

    def _of(self, seat: Seat) -> bytes:
        message = f"{seat.guest.doctor.id}\n{seat.room.id}".encode()
        return hmac.digest(self._key, message, hashlib.sha256)
