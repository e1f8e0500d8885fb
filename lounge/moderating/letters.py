"""Letters about an entry that is taken away or given back: to its author, and to whose case it is in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lounge.acting import Seat
from lounge.clock import now_ms
from lounge.consults import Consults
from lounge.faces import face_of
from lounge.keys import Keys
from lounge.notices import letter
from lounge.personas import Personas
from storage.acts import Letter
from storage.consults import OPEN, REVEALED
from storage.entries import Standing

NOT_DECIDED = (OPEN, REVEALED)


class Letters:
    """Finds authors in memory, so that nobody learns who they are. May raise StorageError."""

    def __init__(
        self,
        *,
        personas: Personas,
        consults: Consults,
        keys: Keys,
        doctor_ids: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._personas = personas
        self._consults = consults
        self._keys = keys
        self._doctor_ids = doctor_ids

    async def about(
        self,
        seat: Seat,
        seq: int,
        was: Standing,
        notice: str,
        reason: str,
        note: str | None = None,
    ) -> tuple[Letter, ...]:
        """To the entry's author as `notice`, with a `reason` and what was written to her besides.

        In a case that is not decided also to its author, as `<notice>_in_case`: she may be acting on it.
        """
        doctor_ids = await self._doctor_ids()
        author = await self._author(seat, was, doctor_ids)
        asker = await self._asker(seat, doctor_ids)
        said = {"about": seat.room.id, "target": seq, "reason": reason}
        if note:
            said["text"] = note
        told = {author: notice, asker: f"{notice}_in_case"} | {author: notice}
        now = now_ms()
        return tuple(
            letter(self._keys, each, {"notice": code, **said}, at=now)
            for each, code in told.items()
            if each is not None
        )

    async def _author(self, seat: Seat, was: Standing, doctor_ids: list[str]) -> str | None:
        if was.persona is None:
            return None
        home = str(was.body.get("consult", seat.home))  # a card is by its author in the consult
        return await self._personas.owner(was.persona, home, doctor_ids, face_of(was.shown))

    async def _asker(self, seat: Seat, doctor_ids: list[str]) -> str | None:
        """Who put the case, while nothing is decided in it."""
        consult = await self._consults.find(seat.room.id)
        if consult is None or consult.state not in NOT_DECIDED:
            return None
        return await self._personas.owner(consult.author, consult.slug, doctor_ids)
