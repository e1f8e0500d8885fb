"""Letters about a page: to those it is put to, to those it no longer asks anything, and to who asked.

Who is behind a persona of its room is found in memory, as for every letter. Whatever else alerts a doctor
follows from these letters as they arrive.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping

from lounge.gathered import Gathered
from lounge.keys import Keys
from lounge.notices import letter
from lounge.personas import Personas
from storage import pages
from storage.acts import Letter
from storage.database import Database
from storage.pages import ACCEPTED, Alerted, Page

Told = Mapping[str, object]
"""The body of a page's first entry."""
_ON_CARD = ("way", "role", "service", "name", "specialty", "urgency", "text", "overridden")


class Summons:
    """Makes the letters, and finds to whom. What waits may raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        personas: Personas,
        doctor_ids: Callable[[], Awaitable[list[str]]],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._keys = keys
        self._personas = personas
        self._said = Gathered(self._told)
        self._everybody = Gathered[str, list[str]](self._verified)
        self._doctor_ids = doctor_ids
        self._clock = clock

    async def told(self, page: Page) -> Told:
        """What its first entry says; nothing of it once a moderator has hidden that."""
        said = await self._said.get(page.room_id)
        return {"way": page.kind, "urgency": page.urgency} if said is None else said

    async def owners(self, page: Page, personas: Collection[bytes]) -> dict[bytes, str]:
        """Who these are, as doctors' ids; without those who have left or may not be told now."""
        if not personas:
            return {}
        wanted = {*personas, secrets.token_bytes(16)}  # nobody's: so all are tried, whoever it is
        everybody = await self._everybody.get("") or []
        return await self._personas.owners(wanted, page.slug, everybody)

    def alert(self, page: Page, told: Told, doctor_id: str, layer: str | None) -> Letter:
        """It is put to her; accepted by another, it is hers to acknowledge."""
        card = {name: told[name] for name in _ON_CARD if told.get(name)}
        phase = page.phase if page.state == ACCEPTED else None
        more = {"about": page.slug, "formal": page.formal, "layer": layer, "phase": phase}
        return self._letter(doctor_id, "page", {**card, **more})

    def over(
        self, page: Page, owners: Mapping[bytes, str], whom: Collection[Alerted], own: bytes = b""
    ) -> tuple[Letter, ...]:
        """Nothing is asked of them any more. `own`: whose act that was, for her other devices."""
        told = {"about": page.slug, "phase": page.phase, "layer": page.layer}
        return tuple(
            self._letter(
                owners[each.persona],
                "page_over",
                {**told, **({"own": True} if each.persona == own else {})},
            )
            for each in whom
            if each.persona in owners
        )

    def taken(
        self, page: Page, owners: Mapping[bytes, str], whom: Collection[Alerted]
    ) -> tuple[Letter, ...]:
        """It is accepted, and they are to acknowledge that. Nothing that alerts them is called off."""
        told = {"about": page.slug, "phase": page.phase, "layer": page.layer}
        return tuple(
            self._letter(owners[each.persona], "page_taken", told)
            for each in whom
            if each.persona in owners
        )

    def declined(self, page: Page, doctor_id: str) -> Letter:
        """She has declined it: her other devices need no longer tell of it."""
        told = {"about": page.slug, "phase": "declined", "own": True}
        return self._letter(doctor_id, "page_over", told)

    def accepted(self, page: Page, doctor_id: str) -> Letter:
        """To who asked."""
        return self._letter(
            doctor_id, "page_accepted", {"about": page.slug, "way": page.kind, "layer": page.layer}
        )

    async def silent(self, page: Page) -> tuple[Letter, ...]:
        """The same to who asked, of a page that was accepted by somebody who has not said a word."""
        asker = (await self.owners(page, [page.asker])).get(page.asker)
        return () if asker is None else (self.unanswered(page, asker, None),)

    def unanswered(self, page: Page, doctor_id: str, next: int | None) -> Letter:
        """To who asked: nobody has accepted it; whom to call, and when (ms) somebody has the role again."""
        told = {"about": page.slug, "way": page.kind, "number": page.number, "until": next}
        return self._letter(doctor_id, "page_unanswered", told)

    async def _told(self, rooms: Collection[int]) -> dict[int, dict[str, object]]:
        async with self._database.reading() as connection:
            return await pages.told(connection, rooms)

    async def _verified(self, _: Collection[str]) -> dict[str, list[str]]:
        return {"": await self._doctor_ids()}

    def _letter(self, doctor_id: str, notice: str, told: Mapping[str, object]) -> Letter:
        inside = {name: value for name, value in told.items() if value is not None}
        return letter(self._keys, doctor_id, {"notice": notice, **inside}, at=self._clock())
