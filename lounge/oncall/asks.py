"""Ask now: one sentence to whoever of a specialty is available, and the first to accept answers.

An ask is a page without a rota: one step, to all who are available then, and to whoever becomes so while it
waits. Who they are, and how many, nobody is told; only whether there was anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.guarding import Waiver
from lounge.oncall.available import Available
from lounge.oncall.budget import Budget
from lounge.oncall.escalation import Escalation
from lounge.oncall.policy import EVERYONE, Policy, Step
from lounge.oncall.sending import Opening, Sending
from lounge.oncall.steps import Steps
from lounge.rooms import Catalogue
from storage import pages
from storage.consults import NOW
from storage.database import Database
from storage.pages import ASK, SENT, Page

WAIT_SECONDS = 120
"""After that long without an answer the asker is told so."""
_POLICY = Policy((Step((EVERYONE,), WAIT_SECONDS),))


@dataclass(frozen=True, slots=True)
class AskedNow:
    """The room of a question; `reached`: somebody was there to be asked. `duplicate`: it was asked before."""

    room: str
    reached: bool
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Free:
    """Whom a question is put to: by doctors' ids, all alike."""

    doctor_ids: Sequence[str]
    next: int | None = None

    def of(self, _: Collection[str]) -> Mapping[str, str | None]:
        return dict.fromkeys(self.doctor_ids)


class Asks:
    """The way in for questions. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        sending: Sending,
        escalation: Escalation,
        steps: Steps,
        available: Available,
        budget: Budget,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._sending = sending
        self._escalation = escalation
        self._steps = steps
        self._available = available
        self._budget = budget
        steps.duties[ASK] = self._free
        available.switched_on = self._switched_on

    async def ask(
        self, guest: Guest, specialty: str, text: str, cid: str, *, not_patient: bool = False
    ) -> AskedNow:
        """Ask whoever of that specialty is available. The answer comes in the room that this names."""
        request = self._sending.request(guest, ASK, cid, specialty, text)
        if (known := await self._sending.known(request)) is not None:
            return AskedNow(known.page.slug, await self._reached(known.page), duplicate=True)
        waiver = Waiver(not_patient=not_patient)
        self._sending.may_send(guest, text, waiver)
        if specialty not in self._catalogue.specialties:
            raise Refusal(Code.INVALID, "refusal.ask_specialty", field="specialty")
        told = waiver.kept({"text": text, "specialty": specialty})
        opening = Opening(kind=ASK, role=specialty, urgency=NOW, policy=_POLICY, told=told)
        sent = await self._sending.open(guest, request, opening)
        # Whoever switched on between its look and its commit looked before the question was there.
        await self._escalation.also(sent.page.slug, (await self._free(sent.page)).doctor_ids)
        return AskedNow(sent.page.slug, await self._reached(sent.page), sent.duplicate)

    # -- privates --------------------------------------------------------------------------------

    async def _free(self, page: Page) -> Free:
        """All who are available; those over their cap only if all are."""
        ids = await self._available.of(page.role)
        load = await self._budget.load(ids)
        return Free([id for id in ids if load[id].free is None] or ids)

    async def _switched_on(self, doctor: Doctor) -> None:
        """Whoever waits in her specialty asks her, too."""
        async with self._database.reading() as connection:
            waiting = await pages.standing(connection, SENT, ASK, doctor.specialty)
        for page in waiting:
            await self._escalation.also(page.slug, [doctor.id])

    async def _reached(self, page: Page) -> bool:
        return bool(await self._steps.alerted(page))
