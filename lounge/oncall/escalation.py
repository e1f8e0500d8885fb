"""Escalation: step after step until somebody accepts, each once, whichever process does it.

A step is one act of the house: it ends its row of what is due, moves the page on from exactly where it was,
notes whom it alerts, puts their letters into the outbox, and makes the next step due. Killed at any point,
either all of it is done or another process does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from lounge.house_acts import HouseActs
from lounge.oncall import moves
from lounge.oncall.moves import ATTEMPTS, CLOSE, MORNING, REPEAT, SILENCE, STEP, Moved
from lounge.oncall.places import Places
from lounge.oncall.steps import Steps
from lounge.oncall.summons import Summons
from storage import due, pages
from storage.acts import Outcome
from storage.database import Database, StorageError
from storage.due import Due
from storage.pages import ACCEPTED, CLOSED, SENT, WAITING, Alerted, Page


class Escalation:
    """Moves pages on as it is due. What waits may raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        places: Places,
        house_acts: HouseActs,
        steps: Steps,
        summons: Summons,
        clock: Callable[[], int],
    ) -> None:
        """`clock` gives ms since 1970."""
        self._database = database
        self._places = places
        self._house_acts = house_acts
        self._steps = steps
        self._summons = summons
        self._clock = clock
        self.handle: Mapping[str, Callable[[Due], Awaitable[None]]] = {
            STEP: self._step,
            REPEAT: self._repeat,
            MORNING: self._morning,
            SILENCE: self._silence,
            CLOSE: self._close,
        }

    async def also(self, slug: str, doctor_ids: Sequence[str]) -> None:
        """Put an ask that nobody has accepted to these as well, unless it was."""
        for _ in range(ATTEMPTS):
            page = await self._places.find(slug)
            if page is None or page.state != SENT:
                return
            known = {each.persona for each in await self._steps.alerted(page)}
            new = [
                id for id in doctor_ids if self._places.own(id, slug) not in {*known, page.asker}
            ]
            if not new or await self._done(page, await self._steps.also(page, new)):
                return

    # -- what is due -----------------------------------------------------------------------------

    async def _step(self, what: Due) -> None:
        number = int(what.id.rpartition(" ")[2])

        async def move(page: Page) -> Moved | None:
            if page.state != SENT or page.step != number - 1:
                return None
            return await self._steps.next(page, await self._summons.told(page))

        await self._do(what, move)

    async def _morning(self, what: Due) -> None:
        async def move(page: Page) -> Moved | None:
            if page.state != WAITING:
                return None
            return await self._steps.sent(page, await self._summons.told(page))

        await self._do(what, move)

    async def _close(self, what: Due) -> None:
        async def move(page: Page) -> Moved | None:
            if page.state != ACCEPTED:
                return None
            now = replace(page, state=CLOSED, closed=self._clock(), next=None)
            waiting = [each for each in await self._steps.alerted(page) if each.may_answer]
            waiting = waiting if page.wanted is not None else []
            owners = await self._summons.owners(page, [each.persona for each in waiting])
            return Moved(now, moves.ended(page), self._summons.over(now, owners, waiting))

        await self._do(what, move)

    async def _silence(self, what: Due) -> None:
        """Accepted, and not a word: whoever accepted may be gone, and the asker must not wait for her."""

        async def move(page: Page) -> Moved | None:
            if page.state != ACCEPTED or page.answered is not None:
                return None
            return Moved(page, (), await self._summons.silent(page))

        await self._do(what, move)

    async def _repeat(self, what: Due) -> None:
        """Alert those of the step once more who have not answered. It changes nothing of the page."""
        *_, number, count = what.id.split(" ")
        page = await self._places.find(what.subject)
        if page is None or not _reminds(page, int(number)):
            await self._forget(what, page)
            return
        whom = [each for each in await self._steps.alerted(page) if _waits(each, page)]
        owners = await self._summons.owners(page, [each.persona for each in whom])
        told = await self._summons.told(page)
        letters = [
            self._summons.alert(page, told, owners[each.persona], each.layer)
            for each in whom
            if each.persona in owners
        ]
        steps = (
            due.done(what.id),
            pages.stands_at(page),
            *moves.repeats(page, int(count) + 1, since=self._clock()),
        )
        await self._house_acts.do(page.room_id, steps=steps, letters=letters)

    # -- privates --------------------------------------------------------------------------------

    async def _do(self, what: Due, move: Callable[[Page], Awaitable[Moved | None]]) -> None:
        """Make one act of a move, anew while the page changes meanwhile; or only end the row."""
        for _ in range(ATTEMPTS):
            page = await self._places.find(what.subject)
            moved = None if page is None else await move(page)
            if page is None or moved is None:
                await self._forget(what, page)
                return
            ended = replace(moved, steps=(due.done(what.id), *moved.steps))
            if await self._done(page, ended) or not await self._is_due(what):
                return
        raise StorageError("the page changes too often")

    async def _done(self, was: Page, moved: Moved) -> Outcome | None:
        """Not told where nothing shows of it: who has become available would."""
        return await self._house_acts.do(
            was.room_id,
            (moves.update(moved.now),) if moves.is_told(was, moved.now) else (),
            (moves.changed(was, moved.now), *moved.steps),
            letters=moved.letters,
        )

    async def _forget(self, what: Due, page: Page | None) -> None:
        if page is not None:
            await self._house_acts.do(page.room_id, steps=(due.done(what.id),))

    async def _is_due(self, what: Due) -> bool:
        async with self._database.reading() as connection:
            return any(each.id == what.id for each in await due.waiting(connection, what.subject))


def _reminds(page: Page, step: int) -> bool:
    """Nobody has accepted it in that step; or not everybody has who must."""
    if page.step != step:
        return False
    left = page.wanted is not None and page.acknowledged < page.wanted
    return page.state == SENT or (page.state == ACCEPTED and left)


def _waits(whom: Alerted, page: Page) -> bool:
    return whom.may_answer and whom.step == page.step
