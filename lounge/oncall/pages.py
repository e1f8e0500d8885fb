"""Pages: accepted by exactly one, declined, marked, ended.

Every change of a page compares the version that was read: of two who accept in the same moment one finds
that it has changed, looks again, and is told so. What changes is told in the page's room, where the one who
asked watches it, in the same act.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from lounge import policy
from lounge.belongings import Belongings
from lounge.conversation import Conversation, Plan, Seat
from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.house_acts import HouseActs
from lounge.limits import CHANGES, Limits
from lounge.oncall import moves
from lounge.oncall.moves import ATTEMPTS
from lounge.oncall.places import PagePlace, Places
from lounge.oncall.planning import Answer, Planning, Standing
from lounge.oncall.steps import Steps
from lounge.oncall.summons import Summons
from storage import pages
from storage.acts import Missed, Outcome
from storage.database import StorageError
from storage.pages import (
    ACCEPTED,
    CLOSED,
    SENT,
    WAITING,
    WITHDRAWN,
    Page,
)

log = structlog.get_logger()


class Pages:
    """For those alerted and for the two. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        belongings: Belongings,
        places: Places,
        house_acts: HouseActs,
        steps: Steps,
        planning: Planning,
        summons: Summons,
        limits: Limits,
        doctor_of: Callable[[str], Awaitable[Doctor | None]],
        may_speak: Callable[[str, str], None],
        clock: Callable[[], int],
    ) -> None:
        """`doctor_of` an id, as she stands now; `may_speak` refuses a doctor who is muted in a room.

        `clock` gives ms since 1970.
        """
        self._conversation = conversation
        self._belongings = belongings
        self._places = places
        self._house_acts = house_acts
        self._steps = steps
        self._planning = planning
        self._summons = summons
        self._limits = limits
        self._doctor_of = doctor_of
        self._may_speak = may_speak
        self._clock = clock

    # -- answering -------------------------------------------------------------------------------

    async def answer(
        self,
        guest: Guest,
        room: str,
        accept: bool,
        formal: bool,
        reason: str | None,
        cid: str,
    ) -> Outcome:
        """Accept what one was alerted to, or not. Accepted by another meanwhile: `frozen`."""
        policy.require_open(guest.doctor)
        await self._planning.standing(guest.doctor.id, room)
        seat = await self._conversation.seat_above(guest, room)
        request = self._conversation.request(seat, cid, "page_answer", accept, formal, reason)
        if (known := await self._conversation.receipt(request)) is not None:
            return known
        self._conversation.may_act(seat)
        if accept:  # who could not say a word would keep it from those who can
            self._conversation.may_be_heard(seat)
        self._limits.spend(CHANGES, guest.doctor.id)
        for _ in range(ATTEMPTS):
            plan = await self._planning.plan(guest.doctor, room, Answer(accept, formal, reason))
            try:
                outcome = plan and await self._conversation.perform(seat, request, plan)
            except Missed:  # it has changed since it was read
                continue
            if accept:
                await self._take(guest.doctor, room)
            return outcome or Outcome((), duplicate=True)
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def accept_for(self, doctor_id: str, room: str, formal: bool = False) -> bool:
        """She has accepted by other means than a connection: a gateway says so. True: she had before."""
        return await self._answer_for(doctor_id, room, Answer(True, formal))

    async def decline_for(self, doctor_id: str, room: str, reason: str | None = None) -> bool:
        """She has declined, likewise."""
        return await self._answer_for(doctor_id, room, Answer(False, reason=reason))

    async def delivered_for(self, doctor_id: str, room: str) -> bool:
        """An alert of hers has arrived, as a gateway says. True: one had before."""
        return await self._mark(doctor_id, room, ("delivered",))

    async def mark(self, doctor: Doctor, room: str, mark: str) -> None:
        """An alert of hers has arrived (`delivered`), or was looked at (`seen`). Neither accepts it."""
        policy.require_open(doctor)
        self._limits.spend(CHANGES, doctor.id)
        await self._mark(doctor.id, room, ("delivered", "seen") if mark == "seen" else (mark,))

    # -- ending ----------------------------------------------------------------------------------

    async def end(self, guest: Guest, room: str, cid: str) -> Outcome:
        """Withdraw what one asked, until it is accepted; after that, as one of the two, close it."""
        place = await self._places.admit(guest.doctor, room)
        seat = await self._conversation.seat_paged(guest, place)
        request = self._conversation.request(seat, cid, "page_end")
        if (known := await self._conversation.receipt(request)) is not None:
            return known
        self._conversation.may_act(seat)
        self._limits.spend(CHANGES, guest.doctor.id)
        for _ in range(ATTEMPTS):
            page = (await self._places.admit(guest.doctor, room)).page
            try:
                plan = await self._ending(page, by_asker=place.is_asker)
                return await self._conversation.perform(seat, request, plan)
            except Missed:
                continue
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def spoke(self, seat: Seat) -> None:
        """Whoever accepted has said something: the first time, that answers the page."""
        try:
            await self._spoke(seat)
        except StorageError as fault:  # what she said is kept; her next words answer it
            log.warning("an answer was not noted", fault=str(fault))

    # -- privates: answering ---------------------------------------------------------------------

    async def _answer_for(self, doctor_id: str, room: str, answer: Answer) -> bool:
        for _ in range(ATTEMPTS):
            doctor = await self._doctor_of(doctor_id)
            if doctor is None:
                raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
            policy.require_open(doctor)
            if answer.accept:
                self._may_speak(doctor_id, room)
            plan = await self._planning.plan(doctor, room, answer)
            if plan is None or await self._done(room, plan):
                if answer.accept:
                    await self._take(doctor, room)
                return plan is None
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def _done(self, room: str, plan: Plan) -> Outcome | None:
        page = await self._places.find(room)
        assert page is not None
        drafts = () if plan.draft is None else (plan.draft,)
        return await self._house_acts.do(
            page.room_id, drafts, plan.steps, letters=plan.letters, persona=plan.persona
        )

    async def _mark(self, doctor_id: str, room: str, names: Sequence[str]) -> bool:
        stamps = dict.fromkeys(names, self._clock())
        for _ in range(ATTEMPTS):
            standing = await self._planning.standing(doctor_id, room)
            if all(getattr(standing.mine, name) for name in names):
                return True
            if await self._marked(standing, stamps):
                return False
        raise Refusal(Code.BUSY, "refusal.busy", retry_after=1)

    async def _marked(self, standing: Standing, stamps: Mapping[str, int]) -> bool:
        """Whether it is kept; the first mark of all is told as well."""
        page, mine = standing.page, standing.mine
        kept = pages.marking(page.slug, mine.persona, **stamps)
        now = replace(page, **{name: getattr(page, name) or at for name, at in stamps.items()})  # type: ignore[arg-type]
        if page.state != SENT or now == page:
            await self._house_acts.do(page.room_id, steps=(kept,))
            return True
        steps = (moves.changed(page, now), kept)
        return await self._house_acts.do(page.room_id, (moves.update(now),), steps) is not None

    async def _take(self, doctor: Doctor, room: str) -> None:
        """Its room is one of hers, if it is she who answers."""
        page, own = await self._places.find(room), self._places.own(doctor.id, room)
        if page is not None and page.acceptor == own:
            self._places.know(doctor.id, PagePlace(page, own))
            (await self._belongings.of(doctor.id)).joined(room)

    # -- privates: ending ------------------------------------------------------------------------

    async def _ending(self, page: Page, *, by_asker: bool) -> Plan:
        if page.state not in (WAITING, SENT, ACCEPTED):
            raise Refusal(Code.FROZEN, "refusal.page_closed")
        state = CLOSED if page.state == ACCEPTED else WITHDRAWN
        now = replace(page, state=state, closed=self._clock(), next=None, until=None)
        whom = [each for each in await self._steps.alerted(page) if each.may_answer]
        if state == CLOSED and page.wanted is None:
            whom = []  # they were told when it was accepted
        owners = await self._summons.owners(page, [each.persona for each in whom])
        letters = self._summons.over(now, owners, whom)
        if not by_asker and page.answered is None:  # closed without a word to who asked
            letters += await self._summons.silent(now)
        steps = (moves.changed(page, now), *moves.ended(page))
        return Plan(moves.update(now), steps, letters=letters)

    async def _spoke(self, seat: Seat) -> None:
        while (place := seat.page) and not place.is_asker and place.page.answered is None:
            page = await self._places.find(place.page.slug)
            if page is None or page.state != ACCEPTED:
                return
            if page.answered is None:
                now = replace(page, answered=self._clock())
                await self._house_acts.do(
                    page.room_id, (moves.update(now),), (moves.changed(page, now),)
                )
            seat.page = replace(place, page=page)
