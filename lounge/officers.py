"""The two officers: to whom authors are sealed, how they are enrolled and how they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from nacl.public import PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import keep_apart
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import note
from lounge.personas import Personas
from lounge.sealing import FIRST, Officers, Seal, WrongKey, box_of, fit, opened
from storage import audit, gate, identities, officers, talks
from storage.database import Database
from storage.officers import OfficerRecord

__all__ = ["Enrolment", "Officer", "Officers", "Seals"]

ROLE = "officer"
_BY = "operator"
_BATCH = 200

Told = Callable[[int, int], None]
"""Hears how many personas are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who is to be an officer: a doctor's id and her public key."""

    doctor_id: str
    public_key: bytes


class Seals:
    """Seals a persona's author at its first say, to the officers as last read."""

    def __init__(self, identity: Database, keys: Keys) -> None:
        self._identity = identity
        self._seal = Seal(keys)
        self.officers: Officers | None = None

    async def refresh(self) -> bool:
        """Read again who the officers are; True when they are others. Raises StorageError."""
        was, self.officers = self.officers, await enrolled(self._identity)
        return self.officers != was

    def seal(self, doctor_id: str) -> bytes | None:
        """The box for the persona's row (about 150 microseconds); None without officers."""
        return None if self.officers is None else self._seal.close(doctor_id, self.officers)


class Enrolment:
    """Makes two doctors the officers, and seals to them what was said before. Raises Refusal.

    Whoever is killed in the middle of the sealing may call the same again: what is done stays done.
    """

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        keys: Keys,
        personas: Personas,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._keys = keys
        self._personas = personas
        self._clock = clock
        self._seal = Seal(keys)

    async def enrol(self, first: Officer, second: Officer) -> None:
        """Where there are no officers yet. `seal_rest` is to follow."""
        async with self._identity.writing() as connection:
            if await officers.enrolled(connection):
                raise Refusal(Code.FORBIDDEN, "officer.enrolled")
            await self._install(connection, (first, second), "officer.enrolled")
        await gate.follow(self._lounge, self._identity)

    async def change(
        self, old: Sequence[PrivateKey], first: Officer, second: Officer, told: Told
    ) -> int:
        """Both old officers together hand over: every box is opened and sealed to the new ones.

        `old` in their places. Returns how many were; may be repeated until it is 0.
        """
        was = Officers(*(bytes(key.public_key) for key in old))
        new = Officers(first.public_key, second.public_key)
        standing = await enrolled(self._identity)
        if standing == was and new != was:
            await self._replace(first, second)
        elif standing != new:
            await self._refuse("wrong_keys")
        return await self._reseal(old, was, new, told)

    async def seal_rest(self, told: Told = lambda done, of: None) -> int:
        """Seal every persona that has no box; returns how many now have one.

        Left without are those of doctors who have left.
        """
        two = await enrolled(self._identity)
        if two is None:
            return 0
        async with self._identity.reading() as connection:
            doctor_ids = await officers.everybody(connection)
        async with self._lounge.reading() as connection:
            rooms = await officers.rooms_unsealed(connection)
        done, seen, of = 0, 0, sum(count for _, _, count in rooms)
        for number, slug, count in rooms:
            done += await self._seal_room(number, slug, doctor_ids, two)
            seen += count
            told(seen, of)
        return done

    # -- who they are ----------------------------------------------------------------------------

    async def _replace(self, first: Officer, second: Officer) -> None:
        async with self._identity.writing() as connection:
            await self._install(connection, (first, second), "officer.changed")
        await gate.follow(self._lounge, self._identity)

    async def _install(self, connection: AsyncConnection, two: Sequence[Officer], act: str) -> None:
        """Officers, their roles, a notice to everybody concerned, the audit: all or nothing."""
        if not fit([each.public_key for each in two]) or two[0].doctor_id == two[1].doctor_id:
            raise Refusal(Code.INVALID, "officer.two")
        former = [each.doctor for each in await officers.enrolled(connection)]
        now = self._clock()
        rows = [
            OfficerRecord(place, each.doctor_id, each.public_key, now)
            for place, each in enumerate(two, FIRST)
        ]
        await officers.replace(connection, rows)
        for doctor_id in sorted({*former, *(each.doctor for each in rows)}):
            await self._assign(connection, doctor_id, any(r.doctor == doctor_id for r in rows))
        for row in rows:
            detail = {"place": str(row.place)}
            await audit.append(connection, act, by=_BY, about=row.doctor, detail=detail)
        await gate.raise_epoch(connection)

    async def _assign(self, connection: AsyncConnection, doctor_id: str, is_officer: bool) -> None:
        known = await identities.by_id(connection, doctor_id)
        if known is None or (is_officer and not known.verified):
            raise Refusal(Code.INVALID, "officer.not_verified")
        roles = known.roles | {ROLE} if is_officer else known.roles - {ROLE}
        keep_apart(roles)
        await officers.set_roles(connection, doctor_id, roles)
        notice = {"notice": "officer" if is_officer else "officer_no_more"}
        await note(connection, self._keys, doctor_id, notice)

    async def _refuse(self, why: str) -> NoReturn:
        detail = {"why": why}
        async with self._identity.writing() as connection:
            await audit.append(connection, "officer.refused", by=_BY, detail=detail)
        raise Refusal(Code.FORBIDDEN, f"officer.{why}")

    # -- what was said before --------------------------------------------------------------------

    async def _seal_room(
        self, number: int, slug: str, doctor_ids: Sequence[str], two: Officers
    ) -> int:
        async with self._lounge.reading() as connection:
            due = await officers.unsealed(connection, number)
            home = await talks.home_of(connection, slug)
        owners = await self._personas.owners(due, home, doctor_ids)
        found = list(owners.items())
        for start in range(0, len(found), _BATCH):
            part = dict(found[start : start + _BATCH])
            boxes = await asyncio.to_thread(self._boxes, part, two)
            async with self._lounge.writing() as connection:
                await officers.seal(connection, boxes)
        return len(found)

    def _boxes(self, authors: Mapping[bytes, str], two: Officers) -> dict[bytes, bytes]:
        return {persona: self._seal.close(author, two) for persona, author in authors.items()}

    async def _reseal(
        self, old: Sequence[PrivateKey], was: Officers, new: Officers, told: Told
    ) -> int:
        async with self._lounge.reading() as connection:
            of = await officers.sealed_under(connection, was.mark)
        done, after = 0, b""
        while True:
            async with self._lounge.reading() as connection:
                due = await officers.next_under(connection, was.mark, after, _BATCH)
            if not due:
                return done
            boxes = await asyncio.to_thread(self._resealed, due, old, new)
            async with self._lounge.writing() as connection:
                await officers.seal(connection, boxes)
            done, after = done + len(boxes), max(due)
            told(done, of)

    def _resealed(
        self, due: Mapping[bytes, bytes], old: Sequence[PrivateKey], new: Officers
    ) -> dict[bytes, bytes]:
        """A box that does not open was altered: it stays as it is, and unmasking will refuse it."""
        first, second = old
        authors: dict[bytes, str] = {}
        for persona, sealed in due.items():
            try:
                inner = self._seal.after_second(opened(box_of(sealed), second))
                authors[persona] = self._seal.author(opened(inner, first))
            except WrongKey:
                continue
        return self._boxes(authors, new)


async def enrolled(identity: Database) -> Officers | None:
    """The officers' public keys; None without officers. Raises StorageError."""
    async with identity.reading() as connection:
        two = await officers.enrolled(connection)
    return Officers(*(each.public_key for each in two)) if len(two) == 2 else None
