"""Personas: who a doctor is in one room, and how much of that others may see.

A persona's id is a keyed hash of doctor, room and face: stable in its room, without any link to another,
and computable only with the persona key. Rights over one's own entries are checked by computing it again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import UNSET

from lounge.doctors import Doctor
from lounge.events import Badge, By
from lounge.names import name_of
from lounge.rooms import Catalogue

Face = Literal["anonymous", "screen", "named"]
ANONYMOUS: Face = "anonymous"


@dataclass(frozen=True, slots=True)
class Persona:
    """One face of one doctor in one room."""

    id: bytes
    face: Face
    badge: Badge

    @property
    def by(self) -> By:
        return by(self.id, self.face, self.badge)


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many verified doctors share each badge; what the k-guard counts."""

    size: int
    by_badge: Counter[Badge]

    @classmethod
    def of(
        cls, counts: Iterable[tuple[str | None, str | None, int]], catalogue: Catalogue, size: int
    ) -> Crowd:
        """From (specialty, country, doctors) rows and the least crowd `size` that a badge needs."""
        by_badge: Counter[Badge] = Counter()
        for specialty, country, count in counts:
            for badge in _ladder(specialty, country, catalogue):
                by_badge[badge] += count
        return cls(size, by_badge)


class Personas:
    """Makes personas. `crowd` is replaced as doctors come and go."""

    def __init__(self, key: bytes, catalogue: Catalogue, crowd: Crowd) -> None:
        self._key = key
        self._catalogue = catalogue
        self.crowd = crowd

    def id_of(self, doctor_id: str, room: str, face: Face = ANONYMOUS) -> bytes:
        """The persona's id, 16 bytes."""
        return self._hash(doctor_id, room, face)

    def member_of(self, doctor_id: str, room: str) -> bytes:
        """As whom a doctor is counted in a room: no persona's id, or Redis would hold who is there."""
        return self._hash(doctor_id, room, "here")

    def badge_of(self, doctor: Doctor) -> Badge:
        """The finest badge that at least `crowd.size` verified doctors share; empty when none is.

        The country goes first; the specialty, by which advice is weighed, at most to its group.
        """
        for badge in _ladder(doctor.specialty, doctor.country, self._catalogue):
            if self.crowd.by_badge[badge] >= self.crowd.size:
                return badge
        return Badge()

    def meet(self, shown: Badge, now: Badge) -> Badge:
        """A badge once shown only ever coarsens: to the level that the guard allows now."""
        level = max(_level(shown), _level(now))
        specialty = None if shown.specialty is UNSET else shown.specialty
        country = None if shown.country is UNSET else shown.country
        if _level(shown) == level:
            return shown
        rungs = {_level(rung): rung for rung in _ladder(specialty, country, self._catalogue)}
        return rungs.get(level, Badge())

    async def owner(self, persona: bytes, room: str, doctor_ids: Sequence[str]) -> str | None:
        """Whose persona it is, found by trying every doctor, in memory and off the loop.

        Only for acts that must reach the author without anybody learning who it is.
        """

        def search() -> str | None:
            for doctor_id in doctor_ids:
                if hmac.compare_digest(self.id_of(doctor_id, room), persona):
                    return doctor_id
            return None

        return await asyncio.to_thread(search)

    def _hash(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\n".join(parts).encode(), hashlib.sha256)[:16]


def by(persona: bytes, face: str, badge: Badge) -> By:
    """A persona as others see it."""
    wire_id = base64.urlsafe_b64encode(persona).decode().rstrip("=")
    return By(id=wire_id, name=name_of(persona), badge=badge, face=face)  # type: ignore[arg-type]


def decode_badge(stored: str | None) -> Badge:
    """A badge as the persona row keeps it."""
    return msgspec.json.decode(stored, type=Badge) if stored else Badge()


def encode_badge(badge: Badge) -> str:
    return msgspec.json.encode(badge).decode()


def _ladder(specialty: str | None, country: str | None, catalogue: Catalogue) -> list[Badge]:
    """From the finest badge to the coarsest."""
    group = catalogue.group_of(specialty) if specialty else None
    rungs = []
    if specialty and country:
        rungs.append(Badge(specialty=specialty, country=country))
    if specialty:
        rungs.append(Badge(specialty=specialty))
    if group:
        rungs.append(Badge(group=group))
    return rungs


def _level(badge: Badge) -> int:
    if badge.country is not UNSET:
        return 0
    if badge.specialty is not UNSET:
        return 1
    return 2 if badge.group is not UNSET else 3
