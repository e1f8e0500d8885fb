"""Whose hand an act was, without saying whose: an appeal is decided by another moderator.

A row holds a random salt and a keyed hash of salt and doctor, so that no two acts of one moderator share a
stored value. It is tested with the moderator in hand.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterable

from lounge.acting import Plan, Seat
from lounge.keys import Keys
from storage import hands
from storage.acts import Step
from storage.hands import Hand

_SALT_BYTES = 16


class Hands:
    """Marks acts, and knows one's own again."""

    def __init__(self, keys: Keys) -> None:
        self._key = keys.persona.subkey("hand")

    def row(self, doctor_id: str, act: str) -> Step:
        """For the act's transaction; `act`: "room seq" of its entry, or a sanction's id."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return hands.add(Hand(act, salt, self._mark(salt, doctor_id)))

    def row_of_this(self, doctor_id: str, room: str, nth: int = 0) -> Step:
        """The same of the entry that the act appends in its own `room`: of several the `nth`, from 0."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return hands.add_of_this(room, nth, salt, self._mark(salt, doctor_id))

    def rows_of(self, doctor_id: str, seat: Seat, plan: Plan) -> tuple[Step, ...]:
        """One for each entry that the act appends, here and elsewhere: each can be appealed by itself."""
        own = [each for each in (plan.draft, *plan.also) if each is not None]
        rows = [self.row_of_this(doctor_id, seat.room.id, nth) for nth in range(len(own))]
        placed = Counter({seat.number: len(own)})
        for part in plan.elsewhere:
            for _ in part.drafts:
                rows.append(self._row_elsewhere(doctor_id, part.room_id, placed[part.room_id]))
                placed[part.room_id] += 1
        return tuple(rows)

    def is_own(self, doctor_id: str, rows: Iterable[Hand]) -> bool:
        """Whether one of these acts was this doctor's."""
        marks = [hmac.compare_digest(each.mark, self._mark(each.salt, doctor_id)) for each in rows]
        return any(marks)

    def _row_elsewhere(self, doctor_id: str, room_number: int, nth: int) -> Step:
        salt = secrets.token_bytes(_SALT_BYTES)
        return hands.add_elsewhere(room_number, nth, salt, self._mark(salt, doctor_id))

    def _mark(self, salt: bytes, doctor_id: str) -> bytes:
        return hmac.digest(self._key, salt + doctor_id.encode(), hashlib.sha256)
