"""What an answer changes: accepted by exactly one, acknowledged where all must, declined.

Nothing here is done: each plan is for an act that compares the version of the page that it was made from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from lounge.conversation import Plan
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.names import candidates
from lounge.oncall import moves
from lounge.oncall.moves import Nobody
from lounge.oncall.places import Places
from lounge.oncall.policy import EVERYONE
from lounge.oncall.steps import Steps
from lounge.oncall.summons import Summons
from lounge.personas import ANONYMOUS, Personas, encode_badge
from lounge.words import Term, catalogue
from storage import pages
from storage.acts import Letter, PersonaRow
from storage.pages import ACCEPTED, ASK, PAGE, SENT, UNANSWERED, Alerted, Page

LATE_MS = 10 * 60_000
"""So long after nobody answered an ask, somebody still may."""

FormalLetters = Callable[[Page, str, str], Awaitable[tuple[Letter, ...]]]
"""By which the asker and who accepted (doctors' ids) are told each other's name and number."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers. `reason`: of a refusal, a code."""

    accept: bool
    formal: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A page as it is, everybody whom it was put to, and the one of them who answers."""

    page: Page
    alerted: Sequence[Alerted]
    mine: Alerted


class Planning:
    """Plans answers. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        places: Places,
        personas: Personas,
        steps: Steps,
        summons: Summons,
        seal: Callable[[str], bytes | None],
        clock: Callable[[], int],
    ) -> None:
        """`seal` closes the author of a persona's row; `clock` gives ms since 1970."""
        self._places = places
        self._personas = personas
        self._steps = steps
        self._summons = summons
        self._seal = seal
        self._clock = clock
        self.formal_letters: FormalLetters = _no_letters

    async def standing(self, doctor_id: str, room: str) -> Standing:
        """Raises Refusal: to whoever was not alerted, as for a page that there is not."""
        page, own = await self._places.find(room), self._places.own(doctor_id, room)
        alerted = [] if page is None else await self._steps.alerted(page)
        mine = next((each for each in alerted if each.persona == own), None)
        if page is None or mine is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
        return Standing(page, alerted, mine)

    async def plan(self, doctor: Doctor, room: str, answer: Answer) -> Plan | None:
        """None: it is so already."""
        standing = await self.standing(doctor.id, room)
        page, mine = standing.page, standing.mine
        if mine.accepted is not None if answer.accept else mine.declined is not None:
            return None
        if not answer.accept:
            return self._declining(standing, doctor, answer.reason)
        if _asks_all(standing):
            return await self._acknowledging(standing)
        self._may_accept(page)
        await self._still_hers(page, doctor.id)
        return await self._accepting(standing, doctor, answer.formal)

    # -- privates --------------------------------------------------------------------------------

    def _may_accept(self, page: Page) -> None:
        late = page.kind == ASK and page.state == UNANSWERED
        if page.state == SENT or (late and (page.closed or 0) + LATE_MS > self._clock()):
            return
        if page.acceptor is None:
            raise Refusal(Code.FROZEN, "refusal.page_over")
        if page.layer is None:
            raise Refusal(Code.FROZEN, "refusal.page_answered")
        raise Refusal(Code.FROZEN, "refusal.page_taken", layer=_in_words(page.layer))

    async def _still_hers(self, page: Page, doctor_id: str) -> None:
        """Whoever was taken off the role since she was alerted speaks for it no longer."""
        duty = await self._steps.duties[page.kind](page) if page.kind == PAGE else Nobody()
        if not isinstance(duty, Nobody) and doctor_id not in duty.of((EVERYONE,)):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")

    async def _accepting(self, standing: Standing, doctor: Doctor, formal: bool) -> Plan:
        page, mine, at = standing.page, standing.mine, self._clock()
        now = replace(
            page,
            state=ACCEPTED,
            acceptor=mine.persona,
            layer=mine.layer,
            accepted=at,
            delivered=page.delivered or at,
            seen=page.seen or at,
            acknowledged=page.acknowledged + _counts(standing),
            formal=page.formal and formal,
            next=None,
            closed=None,
        )
        stands = {"accepted": at, "delivered": mine.delivered or at, "seen": mine.seen or at}
        return Plan(
            moves.update(now),
            (
                moves.changed(page, now),
                pages.answering(page.slug, mine.persona, **stands),
                *moves.accepted(now, self._clock()),
            ),
            self._row(doctor, page.slug),
            await self._accepted(standing, now),
        )

    async def _accepted(self, standing: Standing, now: Page) -> tuple[Letter, ...]:
        """Nothing is asked any more of those alerted; those who must acknowledge are told so."""
        page, mine = standing.page, standing.mine
        told = [e for e in standing.alerted if e.may_answer or e.persona == mine.persona]
        must = [e for e in told if page.wanted is not None and e.step == page.step and e != mine]
        whom = [each for each in told if each not in must]
        wanted = [page.asker, *(each.persona for each in (*whom, *must))]
        owners = await self._summons.owners(page, wanted)
        letters = self._summons.over(now, owners, whom, mine.persona)
        letters += self._summons.taken(now, owners, must)
        asker, acceptor = owners.get(page.asker), owners.get(mine.persona)
        if asker is not None:
            letters += (self._summons.accepted(now, asker),)
        if now.formal and asker is not None and acceptor is not None:
            letters += await self.formal_letters(now, asker, acceptor)
        return letters

    async def _acknowledging(self, standing: Standing) -> Plan:
        page, mine = standing.page, standing.mine
        now = replace(page, acknowledged=page.acknowledged + 1)
        owners = await self._summons.owners(page, [mine.persona])
        return Plan(
            moves.update(now),
            (
                moves.changed(page, now),
                pages.answering(page.slug, mine.persona, accepted=self._clock()),
                *moves.accepted(now, self._clock()),
            ),
            letters=self._summons.over(now, owners, [mine], mine.persona),
        )

    def _declining(self, standing: Standing, doctor: Doctor, reason: str | None) -> Plan:
        """Whoever accepted does not decline after that; once all of a step have, the next comes at once."""
        page, mine = standing.page, standing.mine
        if mine.accepted is not None or not (page.state == SENT or _asks_all(standing)):
            raise Refusal(Code.FROZEN, "refusal.page_over")
        now = replace(page, declined=page.declined + 1)
        others = [each for each in standing.alerted if each.persona != mine.persona]
        left = any(each.may_answer and each.step == page.step for each in others)
        answered = pages.answering(
            page.slug, mine.persona, declined=self._clock(), reason=reason or "other"
        )
        hastened = () if left else (moves.hastened(page, self._clock()),)
        return Plan(
            moves.update(now) if moves.is_told(page, now) else None,
            (moves.changed(page, now), answered, *hastened),
            letters=(self._summons.declined(page, doctor.id),),
        )

    def _row(self, doctor: Doctor, room: str) -> PersonaRow:
        """As whom she is in its room from now on."""
        own = self._places.own(doctor.id, room)
        badge = encode_badge(self._personas.badge_of(doctor))
        sealed = self._seal(doctor.id)
        return PersonaRow(own, ANONYMOUS, badge, None, candidates(own), False, sealed)


def _counts(standing: Standing) -> bool:
    """One of those of this step who must acknowledge; who was alerted in an earlier one is not."""
    return standing.page.wanted is not None and standing.mine.step == standing.page.step


def _asks_all(standing: Standing) -> bool:
    """Accepted by another, and still she must say that she knows of it."""
    page = standing.page
    return page.state == ACCEPTED and page.wanted is not None and standing.mine.step == page.step


async def _no_letters(_: Page, __: str, ___: str) -> tuple[Letter, ...]:
    """Until it is known how names are exchanged."""
    return ()


def _in_words(layer: str) -> str:
    """The usual layers have words; what a keeper called one herself is said as she wrote it."""
    key = f"page.layer.{layer}"
    return Term(key) if key in catalogue() else layer
