"""Personas: who a doctor is in one room, and how much of that others may see.

A persona's id is a keyed hash of doctor, room and face, and of how many she has retired there: stable in its
room, without any link to another, and computable only with the persona key. Rights over one's own entries
are checked by computing it again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from lounge.doctors import Doctor
from lounge.events import Badge, By
from lounge.names import tentative
from lounge.rooms import Catalogue
from storage.identities import Crowd as Share

Face = Literal["anonymous", "screen", "named"]
FACES: tuple[Face, ...] = get_args(Face)
ANONYMOUS, SCREEN, NAMED = FACES
ID_BYTES = 16
MOST_RETIRED = 12
"""How many personas a doctor may retire in one room."""
FEW = 50
"""Among fewer than so many, anonymity is thin."""


@dataclass(frozen=True, slots=True)
class Persona:
    """One face of one doctor in one room."""

    id: bytes
    face: Face
    badge: Badge
    name: str | None = None

    @property
    def by(self) -> By:
        return by(self.id, self.face, self.badge, self.name)


@dataclass(frozen=True, slots=True)
class Crowd:
    """The verified doctors: how many share each badge, and how many each room admits."""

    size: int
    by_badge: Counter[Badge]
    shares: tuple[Share, ...]
    catalogue: Catalogue
    _members: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, shares: Iterable[Share], catalogue: Catalogue, size: int) -> Crowd:
        """From the doctors counted by what they are, and the least crowd `size` that a badge needs."""
        shares = tuple(shares)
        by_badge: Counter[Badge] = Counter()
        for each in shares:
            for badge in _ladder(each.grade, each.specialty, each.country, catalogue):
                by_badge[badge] += each.count
        return cls(size, by_badge, shares, catalogue)

    def members(self, room: str) -> int:
        """How many doctors the room's rule admits."""
        if room not in self._members:
            admits = self.catalogue.admits
            self._members[room] = sum(
                each.count for each in self.shares if admits(room, self._attributes(each))
            )
        return self._members[room]

    def _attributes(self, share: Share) -> dict[str, object]:
        return {
            "country": share.country,
            "region": share.region,
            "specialty": share.specialty,
            "group": self.catalogue.group_of(share.specialty),
            "grade": share.grade,
            "roles": tuple(share.roles.split()),
        }


class Personas:
    """Makes personas. `crowd` is replaced as doctors come and go."""

    def __init__(self, key: bytes, catalogue: Catalogue, crowd: Crowd) -> None:
        self._key = key
        self._catalogue = catalogue
        self.crowd = crowd

    def id_of(
        self, doctor_id: str, room: str, face: Face = ANONYMOUS, generation: int = 0
    ) -> bytes:
        """The persona's id, 16 bytes. `generation`: how many she has retired there."""
        again = (str(generation),) if generation else ()
        return self._hash(doctor_id, room, face, *again)

    def ids_of(self, doctor_id: str, room: str, generation: int = 0) -> list[bytes]:
        """Every id that a doctor has or had in a room: the newest first, then screen, named, retired."""
        ids = [self.id_of(doctor_id, room, generation=each) for each in range(generation, -1, -1)]
        others = [self.id_of(doctor_id, room, face) for face in (SCREEN, NAMED)]
        return [ids[0], *others, *ids[1:]]

    def all_ids_of(self, doctor_id: str, rooms: Sequence[str]) -> list[bytes]:
        """Every id that she could ever have had in these rooms, whatever she has retired."""
        return [id for room in rooms for id in self.ids_of(doctor_id, room, MOST_RETIRED)]

    def member_of(self, doctor_id: str, room: str) -> bytes:
        """As whom a doctor is counted in a room: no persona's id, or Redis would hold who is there."""
        return self._hash(doctor_id, room, "here")

    def reactor_of(self, doctor_id: str, room: str) -> bytes:
        """As whom a doctor reacts: once, whatever her face, and beside no word that she said."""
        return self._hash(doctor_id, room, "reacts")

    def reporter_of(self, doctor_id: str, room: str) -> bytes:
        """As whom a doctor reports: likewise."""
        return self._hash(doctor_id, room, "reports")

    def badge_of(self, doctor: Doctor) -> Badge:
        """The finest badge that at least `crowd.size` verified doctors share; empty when none is.

        The country goes first, then the grade; the specialty, by which advice is weighed, at most to its
        group.
        """
        ladder = _ladder(doctor.grade, doctor.specialty, doctor.country, self._catalogue)
        for badge in ladder:
            if self.crowd.by_badge[badge] >= self.crowd.size:
                return badge
        return Badge()

    def meet(self, shown: Badge, now: Badge) -> Badge:
        """A badge once shown only ever coarsens: of it stays what the guard allows now."""
        group = self._group(shown)
        specialty = _same(shown.specialty, now.specialty)
        return Badge(
            grade=_same(shown.grade, now.grade),
            specialty=specialty,
            group=_same(group, self._group(now)) if specialty is UNSET else UNSET,
            country=_same(shown.country, now.country),
        )

    async def owner(
        self, persona: bytes, room: str, doctor_ids: Sequence[str], face: Face | None = None
    ) -> str | None:
        """Whose persona it is, found by trying every doctor, in memory and off the loop.

        Only for acts that must reach the author without anybody learning who it is. `face` saves work.
        All are tried whoever it is: else two personas that take equally long to find would be one doctor's.
        """
        wanted = frozenset({persona})
        found = await asyncio.to_thread(self._owners, wanted, room, doctor_ids, face, early=False)
        return found.get(persona)

    async def owners(
        self,
        personas: Collection[bytes],
        room: str,
        doctor_ids: Sequence[str],
        face: Face | None = None,
    ) -> dict[bytes, str]:
        """The same for many of one room; without those whom nobody of `doctor_ids` is."""
        return await asyncio.to_thread(self._owners, frozenset(personas), room, doctor_ids, face)

    async def reactors(
        self, reactors: Collection[bytes], room: str, doctor_ids: Sequence[str]
    ) -> list[str]:
        """Who has reacted in a room as one of these, found likewise."""
        wanted = frozenset(reactors)

        def found() -> list[str]:
            return [each for each in doctor_ids if self.reactor_of(each, room) in wanted]

        return await asyncio.to_thread(found) if wanted else []

    async def reporters(
        self, reporters: Collection[bytes], room: str, doctor_ids: Sequence[str]
    ) -> list[str]:
        """Who has reported in a room as one of these, found likewise."""
        wanted = frozenset(reporters)

        def found() -> list[str]:
            return [each for each in doctor_ids if self.reporter_of(each, room) in wanted]

        return await asyncio.to_thread(found) if wanted else []

    def _owners(
        self,
        wanted: frozenset[bytes],
        room: str,
        doctor_ids: Sequence[str],
        face: Face | None,
        early: bool = True,
    ) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for worn, generation in _tries(face):
            for doctor_id in doctor_ids:
                if (id := self.id_of(doctor_id, room, worn, generation)) in wanted:
                    found[id] = doctor_id
                    if early and len(found) == len(wanted):
                        return found
        return found

    def _group(self, badge: Badge) -> str | UnsetType:
        if badge.specialty is UNSET:
            return badge.group
        return self._catalogue.group_of(badge.specialty) or UNSET

    def _hash(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\n".join(parts).encode(), hashlib.sha256)[:ID_BYTES]


def exact_badge(doctor: Doctor) -> Badge:
    """The whole badge, whoever shares it: shown only to whoever knowingly wants it so."""
    return Badge(grade=doctor.grade, specialty=doctor.specialty, country=doctor.country)


def by(persona: bytes, face: str, badge: Badge, name: str | None = None) -> By:
    """A persona as others see it; without a `name`, by the one that it may get."""
    shown = tentative(persona) if name is None else name
    return By(id=wire_id(persona), name=shown, badge=badge, face=face)  # type: ignore[arg-type]


def wire_id(persona: bytes) -> str:
    """A persona's id as the wire has it."""
    return base64.urlsafe_b64encode(persona).decode().rstrip("=")


def persona_id(wire_id: str) -> bytes | None:
    """The same back; None for what is none."""
    try:
        id = base64.urlsafe_b64decode(wire_id + "==")
    except ValueError:
        return None
    return id if len(id) == ID_BYTES else None


def decode_badge(stored: str | None) -> Badge:
    """A badge as the persona row keeps it."""
    return msgspec.json.decode(stored, type=Badge) if stored else Badge()


def encode_badge(badge: Badge) -> str:
    return msgspec.json.encode(badge).decode()


def _tries(face: Face | None) -> Iterator[tuple[Face, int]]:
    """What a persona may be, the likeliest first."""
    if face is None or face == ANONYMOUS:
        yield ANONYMOUS, 0
    yield from ((each, 0) for each in (SCREEN, NAMED) if face in (None, each))
    if face is None or face == ANONYMOUS:
        yield from ((ANONYMOUS, generation) for generation in range(1, MOST_RETIRED + 1))


def _ladder(grade: str, specialty: str, country: str, catalogue: Catalogue) -> Iterator[Badge]:
    """From the finest badge to the coarsest."""
    yield Badge(grade=grade, specialty=specialty, country=country)
    yield Badge(grade=grade, specialty=specialty)
    yield Badge(specialty=specialty)
    if group := catalogue.group_of(specialty):
        yield Badge(group=group)


def _same(one: str | UnsetType, other: str | UnsetType) -> str | UnsetType:
    return one if one == other else UNSET
