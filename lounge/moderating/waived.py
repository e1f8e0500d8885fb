"""Texts of which their authors said "this is not a patient": shown to moderators, who may think otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from lounge import policy
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderating.docket import Docket
from lounge.moderating.queue import OF_TWO
from lounge.moderating.restricted import Restricted
from storage import subjects
from storage.subjects import Subject

SHOWN = 100
_MOST_READ = 1000


@dataclass(frozen=True, slots=True)
class Waived:
    """An entry with the `kinds` of what was marked in it; `event` as it stands, JSON."""

    room: str
    seq: int
    at: int
    kinds: tuple[str, ...]
    event: bytes | None


@dataclass(frozen=True, slots=True)
class WaivedTexts:
    """Reads them. Not those of two alone, whom nobody overhears. May raise StorageError."""

    docket: Docket
    restricted: Restricted

    async def newest(self, doctor: Doctor) -> list[Waived]:
        """What is hers to look at, the newest first, at most 100; not her own. Raises Refusal."""
        if not policy.may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        await self.restricted.read("waived")
        found = await self._of_hers(doctor)
        events = await self.docket.events({(each.room, each.seq) for each in found})
        return [_waived(each, events.get((each.room, each.seq))) for each in found]

    async def _of_hers(self, doctor: Doctor) -> list[Subject]:
        found: list[Subject] = []
        for after in range(0, _MOST_READ, SHOWN):
            page = await self._page(after)
            for each in page:
                room = await self.docket.scopes.about(each.room)
                if await self.docket.is_hers(doctor, room, each):
                    found.append(each)
            if len(page) < SHOWN or len(found) >= SHOWN:
                break
        return [each for each in found if not each.room.startswith(OF_TWO)][:SHOWN]

    async def _page(self, after: int) -> list[Subject]:
        database = self.docket.database
        async with database.reading() as connection:
            return await subjects.waived(connection, database.is_sqlite, SHOWN, after)


def _waived(each: Subject, event: bytes | None) -> Waived:
    kinds = tuple(str(kind) for kind in each.body["waived"])
    return Waived(each.room, each.seq, each.at, kinds, event)
