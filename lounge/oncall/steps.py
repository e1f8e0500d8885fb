"""One step of an escalation: whom it alerts, resolved in that moment, and how the page stands after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lounge.gathered import Gathered
from lounge.oncall import moves, policy
from lounge.oncall.moves import Moved, OnDuty
from lounge.oncall.places import Places
from lounge.oncall.policy import Step as Stage
from lounge.oncall.summons import Summons, Told
from storage import pages
from storage.database import Database
from storage.pages import ASK, SENT, UNANSWERED, Alerted, Page


@dataclass(frozen=True, slots=True)
class _Round:
    """Which stage comes next (None: none is left with anybody in it), and whom it alerts, by doctor's id."""

    stage: int | None
    whom: Mapping[str, Alerted]


class Steps:
    """Takes steps, for whoever makes an act of them. May raise StorageError."""

    def __init__(
        self, *, database: Database, places: Places, summons: Summons, clock: Callable[[], int]
    ) -> None:
        """`clock` gives ms since 1970."""
        self._database = database
        self._places = places
        self._summons = summons
        self._clock = clock
        self.duties: dict[str, Callable[[Page], Awaitable[OnDuty]]] = {}
        """By kind of page: whom it may be put to."""
        self.working: Callable[[Collection[str]], Awaitable[Collection[str]]] = _all
        """Which of these doctors some channel reaches."""
        self._works = Gathered(self._working)
        self._alerted = Gathered(self._alerted_to)

    async def sent(self, was: Page, told: Told) -> Moved:
        """It is sent now, to whoever is on duty; if that is nobody at all, it is unanswered at once.

        Without the guard: `was` may not be in the store yet.
        """
        sent = replace(was, state=SENT, sent=self._clock(), until=None)
        return await self.next(sent, told)

    async def next(self, page: Page, told: Told) -> Moved:
        """To the next stage in which there is anybody; past the last, it is unanswered."""
        stages, duty = policy.decode(page.policy).all, await self.duties[page.kind](page)
        before = await self.alerted(page) if page.step >= 0 else []
        known = {each.persona: each for each in before}
        turn = await self._round(page, stages, duty, known)
        if turn.stage is None:
            return await self._unanswered(page, duty.next, list(known.values()))
        stage, now = stages[turn.stage], self._clock()
        moved = replace(
            page,
            step=turn.stage,
            layer=", ".join(stage.to),
            next=now + stage.wait_s * 1000,
            acknowledged=0,
            wanted=_of_stage(turn) if stage.everyone else None,
        )
        letters = tuple(
            self._summons.alert(moved, told, doctor_id, whom.layer)
            for doctor_id, whom in turn.whom.items()
        )
        steps = (
            *map(pages.alerting, _shuffled(turn.whom.values())),
            *moves.goes_on(moved),
            *moves.repeats(moved, 1, since=now),
        )
        return Moved(moved, steps, letters, duty.next)

    async def also(self, page: Page, doctor_ids: Sequence[str]) -> Moved:
        """In no layer, as all who are asked: it would show who came later."""
        told, now = await self._summons.told(page), self._clock()
        whom = [
            Alerted(page.slug, self._places.own(id, page.slug), page.step, None, now)
            for id in doctor_ids
        ]
        letters = tuple(self._summons.alert(page, told, id, None) for id in doctor_ids)
        return Moved(page, tuple(map(pages.alerting, _shuffled(whom))), letters)

    async def alerted(self, page: Page) -> list[Alerted]:
        """Whom it was put to so far."""
        return await self._alerted.get(page.slug) or []

    # -- privates --------------------------------------------------------------------------------

    async def _round(
        self,
        page: Page,
        stages: Sequence[Stage],
        duty: OnDuty,
        known: Mapping[bytes, Alerted],
    ) -> _Round:
        """A stage that reaches nobody by any channel is not waited for, as long as a later one may."""
        left = range(page.step + 1, len(stages))
        by_stage = {at: self._whom(page, stages[at], at, duty, known) for at in left}
        everybody = sorted({id for whom in by_stage.values() for id in whom})
        reached = await asyncio.gather(*map(self._works.get, everybody))
        works = {id for id, works in zip(everybody, reached, strict=True) if works}
        alerting: dict[str, Alerted] = {}
        for at, whom in by_stage.items():
            alerting |= whom
            later = {id for after in range(at + 1, len(stages)) for id in by_stage[after]}
            if whom and (works & whom.keys() or not works & later):
                return _Round(at, alerting)
        may_come = page.kind == ASK and page.step < 0  # available while it waits
        return _Round(0 if may_come else None, alerting)

    def _whom(
        self, page: Page, stage: Stage, at: int, duty: OnDuty, known: Mapping[bytes, Alerted]
    ) -> dict[str, Alerted]:
        """Of this stage, all but who asked and who has declined."""
        found, now = {}, self._clock()
        for doctor_id, layer in duty.of(stage.to).items():
            own = self._places.own(doctor_id, page.slug)
            if own != page.asker and (own not in known or known[own].declined is None):
                found[doctor_id] = Alerted(page.slug, own, at, layer, now)
        return found

    async def _unanswered(self, page: Page, next: int | None, known: Sequence[Alerted]) -> Moved:
        now = replace(page, state=UNANSWERED, closed=self._clock(), next=None, until=None)
        waiting = [each for each in known if each.may_answer]
        owners = await self._summons.owners(page, [page.asker, *(w.persona for w in waiting)])
        letters = self._summons.over(now, owners, waiting)
        if (asker := owners.get(page.asker)) is not None:
            letters += (self._summons.unanswered(now, asker, next),)
        return Moved(now, moves.ended(page), letters, next)

    async def _alerted_to(self, slugs: Collection[str]) -> Mapping[str, list[Alerted]]:
        async with self._database.reading() as connection:
            return await pages.alerted_to(connection, slugs)

    async def _working(self, doctor_ids: Collection[str]) -> Mapping[str, bool]:
        """Of all the steps that are taken at once."""
        return dict.fromkeys(await self.working(doctor_ids), True)


def _of_stage(turn: _Round) -> int:
    return sum(each.step == turn.stage for each in turn.whom.values())


async def _all(doctor_ids: Collection[str]) -> Collection[str]:
    """Until it is known how they are reached."""
    return doctor_ids


def _shuffled(whom: Iterable[Alerted]) -> list[Alerted]:
    """By what is another for each page: PostgreSQL keeps rows as they came, and doctors come in one order."""
    return sorted(whom, key=lambda each: each.persona)
