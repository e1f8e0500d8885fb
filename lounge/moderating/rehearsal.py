"""A dry run: what a rule would have done with what was said in the last week, a stretch at a time.

Nobody is looked up for it. What a rule counts of one doctor is counted of one persona here, and staff and
those who are exempt count as everybody: in force it meets somewhat other texts.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lounge.clock import now_ms
from lounge.consults import is_consult
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderating.restricted import Restricted
from lounge.moderating.rules import Looked, Memory, Rule, Text
from lounge.moderating.ruling import Ruling
from lounge.rooms import Catalogue
from storage import said
from storage.database import Database
from storage.said import Said, Span

WEEK_MS = 7 * 24 * 3_600_000
STRETCH = 10_000
"""Says that one answer looks at."""
WARM = 500
"""Says before it that are counted on the way, of the same room."""
MOST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """A say that would have been met; `at` in ms."""

    room: str
    seq: int
    at: int
    text: str


@dataclass(slots=True)
class Stretch:
    """Of one stretch: how many says it had, which the rule would have met, and where to go on.

    `done` of `of` says in all; `cursor` None: that was all.
    """

    of: int
    done: int
    seen: int = 0
    rooms: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    cursor: str | None = None


class Rehearsal:
    """May raise StorageError."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        ruling: Ruling,
        restricted: Restricted,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._ruling = ruling
        self._restricted = restricted
        self._clock = clock
        self._turn = asyncio.Lock()

    async def run(self, moderator: Doctor, rule: Rule, cursor: str | None = None) -> Stretch:
        """The stretch at `cursor`, from the first when None; noted in the audit before. Raises Refusal.

        One at a time in each process: what else runs there keeps most of it.
        """
        looked = self._ruling.looked(moderator, rule)
        start = _place(cursor)
        kind = str(rule.test.__struct_config__.tag)
        async with self._turn:
            await self._restricted.read("rules.dry_run", detail={"kind": kind})
            return await self._run(looked, start)

    # -- privates --------------------------------------------------------------------------------

    async def _run(self, looked: Looked, start: tuple[int, int]) -> Stretch:
        spans = await self._spans(looked)
        before = sum(span.says for span in spans if span.room_id < start[0])
        stretch = Stretch(of=sum(span.says for span in spans), done=before)
        for span in spans:
            if span.room_id >= start[0] and stretch.cursor is None:
                after = start[1] if span.room_id == start[0] else span.first - 1
                await self._look(looked, span, max(after, span.first - 1), stretch)
        return stretch

    async def _spans(self, looked: Looked) -> list[Span]:
        """Which says of which rooms are of the last week, by the room's number."""
        async with self._database.reading() as connection:
            spans = await said.since(connection, self._clock() - WEEK_MS)
        return [span for span in spans if self._is_looked_at(looked, span.room)]

    def _is_looked_at(self, looked: Looked, room: str) -> bool:
        listed = self._catalogue.find(room)
        is_open = is_consult(room) or (listed is not None and listed.kind != "me")
        return is_open and looked.covers(room, "")

    async def _look(self, looked: Looked, span: Span, after: int, stretch: Stretch) -> None:
        room = span.room_id
        async with self._database.reading() as connection:
            warm = await said.before(connection, room, after + 1, WARM)
            found = await said.after(connection, room, after, STRETCH - stretch.seen)
            is_all = len(found) < STRETCH - stretch.seen
            last = found[-1].seq if found else after
            upto = span.says if is_all else await said.count(connection, room, span.first, last)
        met = await asyncio.to_thread(_met, looked, span.room, warm, found)
        stretch.seen += len(found)
        stretch.done += upto
        stretch.rooms[span.room] += len(met)
        if not is_all:
            stretch.cursor = f"{room}.{last}"
        for each in met[: MOST_SAMPLES - len(stretch.samples)]:
            stretch.samples.append(Sample(span.room, each.seq, each.at, _text(each)))


def _met(looked: Looked, room: str, warm: Sequence[Said], found: Sequence[Said]) -> list[Said]:
    memory, met = Memory(), []
    for n, each in enumerate([*warm, *found]):
        text, who = Text(_text(each)), each.persona.hex()
        once = each.seq.to_bytes(8, "big")
        is_met = looked.meets(text) or looked.counts(memory, who, room, text, once, each.at)
        if is_met and n >= len(warm):
            met.append(each)
    return met


def _text(each: Said) -> str:
    return str(json.loads(each.body).get("text", ""))


def _place(cursor: str | None) -> tuple[int, int]:
    """Room number and seq after which to go on."""
    if cursor is None:
        return 0, 0
    room, _, seq = cursor.partition(".")
    if not (room.isdecimal() and seq.isdecimal() and len(cursor) <= 40):
        raise Refusal(Code.INVALID, "refusal.cursor", field="cursor")
    return int(room), int(seq)
