"""Unmasking: two officers, one after the other, learn who wrote one entry, and the doctor is told.

Each step is in the audit before it has an effect, each attempt that is refused too; where the audit
cannot be written, nothing is opened.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge import guard
from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import letter
from lounge.officers import enrolled
from lounge.personas import Personas
from lounge.sealing import Seal, WrongKey, box_of, is_for
from storage import audit, consults, entries, officers, outbox, talks, unmaskings
from storage.database import Database
from storage.unmaskings import Request

DAY_MS = 24 * 3_600_000
LONGEST_REASON = 500
_BY = "officer"

Opener = Callable[[bytes], bytes]
"""What an officer finds in a box: by her key where that is, or what she handed in."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request that waits: until when (ms), and the box for the next officer."""

    id: str
    expires: int
    box: bytes


@dataclass(frozen=True, slots=True)
class Unmasked:
    """Whose entry it was; no e-mail and name once the doctor has left."""

    room: str
    seq: int
    doctor_id: str
    email: str | None
    name: str | None


class Unmasking:
    """The only way to an author. Raises Refusal and StorageError."""

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
        self._seal = Seal(keys)
        self._clock = clock

    async def request(self, room: str, seq: int, reason: str) -> Case:
        """Begin, with a written reason. The box is the second officer's."""
        reason = " ".join(reason.split())
        if not reason or len(reason) > LONGEST_REASON:
            await self._refuse("reason", f"{room} {seq}")
        if guard.examine(reason).hard:
            await self._refuse("reason_private", f"{room} {seq}")
        persona, box = await self._sealed(room, seq)
        now = self._clock()
        new = Request(secrets.token_hex(8), room, seq, persona, reason, now, now + DAY_MS)
        async with self._lounge.writing() as connection:
            detail = {"request": new.id, "reason": reason}
            await audit.append_lounge(
                connection, "unmask.requested", by=_BY, about=f"{room} {seq}", detail=detail
            )
            await unmaskings.add(connection, new)
        return Case(new.id, new.expires, box)

    async def approve(self, id: str, opener: Opener) -> Case:
        """The second officer agrees, by opening her box: what comes back is the first officer's."""
        known = await self._standing(id)
        _, box = await self._sealed(known.room, known.seq, id)
        try:
            inner = self._seal.after_second(opener(box))
        except WrongKey:
            await self._refuse("wrong_key", id)
        async with self._lounge.writing() as connection:
            await self._note(connection, "unmask.approved", known)
            await unmaskings.approve(connection, id, self._clock())
        return Case(id, known.expires, inner)

    async def open(self, id: str, box: bytes, opener: Opener) -> Unmasked:
        """The first officer opens the last box. The doctor's notice is on its way before this returns."""
        known = await self._standing(id)
        if known.approved is None:
            await self._refuse("not_approved", id)
        try:
            doctor_id = self._seal.author(opener(box))
        except WrongKey:
            await self._refuse("wrong_key", id)
        async with self._lounge.reading() as connection:
            case = await consults.carded(connection, known.room, known.seq)
            home = case or await talks.home_of(connection, known.room)
        if await self._personas.owner(known.persona, home, [doctor_id]) is None:
            await self._refuse("mismatch", id)
        await self._open(known, doctor_id)
        return await self._named(known, doctor_id)

    async def refuse_wrong_key(self, id: str) -> NoReturn:
        """A key that opened nothing, where that was found out before anything came here."""
        await self._refuse("wrong_key", id)

    async def _standing(self, id: str) -> Request:
        """The request, if it may still be followed."""
        async with self._lounge.reading() as connection:
            known = await unmaskings.find(connection, id)
        if known is None:
            await self._refuse("unknown", None)
        if known.opened is not None:
            await self._refuse("done", id)
        if known.expires <= self._clock():
            await self._refuse("expired", id)
        return known

    async def _sealed(self, room: str, seq: int, id: str | None = None) -> tuple[bytes, bytes]:
        """The persona of an entry and the second officer's box."""
        two = await enrolled(self._identity)
        async with self._lounge.reading() as connection:
            head = await entries.heads(connection, [room])
            was = await entries.standing(connection, head[0].id, seq) if head else None
            persona = was.persona if was else None
            sealed = await officers.sealed_of(connection, persona) if persona else None
        if two is None:
            await self._refuse("no_officers", id or f"{room} {seq}")
        if persona is None:
            await self._refuse("no_such_entry", id or f"{room} {seq}")
        if sealed is None or not is_for(sealed, two):
            await self._refuse("unsealed", id or f"{room} {seq}")
        return persona, box_of(sealed)

    async def _refuse(self, why: str, about: str | None) -> NoReturn:
        """An attempt that failed is in the audit before whoever tried is told."""
        async with self._lounge.writing() as connection:
            await audit.append_lounge(
                connection, "unmask.refused", by=_BY, about=about, detail={"why": why}
            )
        raise Refusal(Code.FORBIDDEN, f"unmask.{why}", most=LONGEST_REASON)

    async def _note(self, connection: AsyncConnection, act: str, known: Request) -> None:
        """Under the request's lock, in the transaction of the step itself."""
        about = f"{known.room} {known.seq}"
        detail = {"request": known.id, "reason": known.reason}
        await audit.append_lounge(connection, act, by=_BY, about=about, detail=detail)

    async def _open(self, known: Request, doctor_id: str) -> None:
        notice = {
            "notice": "unmasked",
            "about": known.room,
            "target": known.seq,
            "reason": known.reason,
        }
        async with self._lounge.writing() as connection:
            again = await unmaskings.locked(connection, known.id)
            if again is None or again.opened is not None:  # two at once: one has opened it
                raise Refusal(Code.FORBIDDEN, "unmask.done")
            await outbox.put(connection, letter(self._keys, doctor_id, notice, at=self._clock()))
            await unmaskings.open(connection, known.id, self._clock())
            await self._note(connection, "unmask.opened", known)

    async def _named(self, known: Request, doctor_id: str) -> Unmasked:
        async with self._identity.reading() as connection:
            who = await officers.who(connection, doctor_id)
        return Unmasked(known.room, known.seq, doctor_id, *(who or (None, None)))
