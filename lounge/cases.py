"""Putting a case: from a form to a room of its own, and a card in each room that is asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import msgspec
from msgspec import UNSET

from lounge import policy
from lounge.belongings import Shelf
from lounge.clock import now_ms
from lounge.consults import WORDS, Consults, state, title, words_of
from lounge.conversation import Conversation, Plan, Request, Seat, Voiced
from lounge.door import Guest
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.events import Badge
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import CHANGES, CONSULTS, Limits
from lounge.oncall.widening import Widening, taken, widened
from lounge.personas import Face
from lounge.rooms import Catalogue, Room
from lounge.telling import later
from storage import consults, due
from storage.acts import Draft, Elsewhere, Missed, Step
from storage.consults import NOW, OPEN, PREFIX, ROUTINE, TODAY, Consult
from storage.pages import Page
from storage.tokenizer import index_terms

QUESTION_CODE_POINTS = 300
PART_CODE_POINTS = 2000
CLOSES_IN = {NOW: 20, TODAY: 4 * 60, ROUTINE: 24 * 60}
"""Minutes, where the author names none."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Case:
    """What a doctor fills in; only the question and a specialty are required. `closes_in`: minutes.

    `page`: the room of her own page that is widened by it.
    """

    question: str
    specialties: tuple[str, ...]
    urgency: str = ROUTINE
    decision: str | None = None
    age: str | None = None
    sex: str | None = None
    presentation: str | None = None
    findings: str | None = None
    tried: str | None = None
    closes_in: int | None = None
    enough: int = 9
    page: str | None = None
    not_patient: bool = False

    @property
    def told(self) -> dict[str, object]:
        """All that others read of it."""
        parts = asdict(self)
        del parts["closes_in"], parts["page"], parts["not_patient"]
        return {name: part for name, part in parts.items() if part and str(part).strip()}


@dataclass(frozen=True, slots=True)
class Opened:
    """The room of a case; `duplicate`: it was opened before, by the same command."""

    room: str
    duplicate: bool = False


class Cases:
    """The way in for cases. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        consults: Consults,
        catalogue: Catalogue,
        limits: Limits,
        keys: Keys,
        widening: Widening,
    ) -> None:
        self._widening = widening
        self._conversation = conversation
        self._consults = consults
        self._catalogue = catalogue
        self._limits = limits
        self._slug_key = keys.persona.subkey("consult")

    async def open(
        self,
        guest: Guest,
        shelf: Shelf,
        case: Case,
        face: Face | None,
        exact: bool | None,
        cid: str,
    ) -> Opened:
        """Open a case, under that face or the doctor's usual one."""
        given = (*_given(case), face, exact)
        request = self._conversation.request_of(guest, "consult", cid, *given)
        slug = self._slug(request)
        if await self._conversation.receipt(request) is not None:
            return Opened(slug, duplicate=True)
        waiver = Waiver(not_patient=case.not_patient)
        self._may_open(guest, case, waiver)
        room = Room(slug, title(case.question), "consult", listed=False)
        seat = await self._conversation.seat_in(guest, room, shelf)
        asked = [f"specialty/{each}" for each in case.specialties]
        self._conversation.may_be_heard(seat, *asked)
        self._conversation.may_post(seat, *asked)
        await self._dress(seat, shelf, face, exact)
        widens = None if case.page is None else await self._widening.find(guest.doctor, case.page)
        return await self._put(seat, shelf, request, case, widens, waiver)

    # -- privates --------------------------------------------------------------------------------

    def _slug(self, request: Request) -> str:
        """The same for a repetition, and nobody's guess."""
        made = hmac.digest(self._slug_key, request.dedup, hashlib.sha256)[:16]
        return PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")

    def _may_open(self, guest: Guest, case: Case, waiver: Waiver) -> None:
        if guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        policy.require_open(guest.doctor)
        self._limits.spend(CHANGES, guest.doctor.id)  # first: the guard's work is not free
        known = self._catalogue.specialties
        if len(set(case.specialties)) < len(case.specialties) or set(case.specialties) - set(known):
            raise Refusal(Code.INVALID, "refusal.specialty", field="specialties")
        for name in WORDS:
            most = QUESTION_CODE_POINTS if name == "question" else PART_CODE_POINTS
            words = getattr(case, name) or ""
            if words.strip() or name == "question":
                self._conversation.clean(words, name, most, waiver)
        self._limits.spend(CONSULTS, guest.doctor.id)

    async def _dress(self, seat: Seat, shelf: Shelf, face: Face | None, exact: bool | None) -> None:
        """The face of the case is the one worn in its room from now on."""
        await self._conversation.preview(seat, face, exact)  # it is one of hers
        usual, _ = seat.dress.chosen
        if face is not None or exact is not None:
            shelf.wear(seat.room.id, face or usual, exact=bool(exact))

    async def _put(
        self,
        seat: Seat,
        shelf: Shelf,
        request: Request,
        case: Case,
        widens: Page | None,
        waiver: Waiver,
    ) -> Opened:
        opened = now_ms()
        minutes = case.closes_in or CLOSES_IN[case.urgency]
        new = Consult(
            slug=seat.room.id,
            room_id=seat.number,
            author=seat.dress.wears().persona.id,
            urgency=case.urgency,
            specialties=case.specialties,
            state=OPEN,
            opened=opened,
            closes=opened + minutes * MINUTE_MS,
            enough=case.enough,
            question=case.question,
        )
        voiced = await self._voiced(seat, case, new, waiver)
        cards = await self._cards(seat, voiced, case, new)
        plan = Plan(voiced.draft, _steps(new, cards), voiced.row, elsewhere=cards)
        asked = (f"specialty/{each}" for each in case.specialties)
        plan = self._conversation.ruled(seat, plan, words_of(case.told), *asked)
        plan = plan if widens is None else _widening(plan, widens, new.slug)
        try:
            outcome = await self._conversation.perform(seat, request, plan)
        except Missed:  # another of her sockets was first
            raise taken() from None
        voiced.recorded(outcome)
        shelf.joined(new.slug)
        self._consults.note(new)
        return Opened(new.slug, outcome.duplicate)

    async def _voiced(self, seat: Seat, case: Case, new: Consult, waiver: Waiver) -> Voiced:
        stands = {"closes": new.closes, "state": msgspec.to_builtins(state(new))}
        body = waiver.kept({**case.told, **stands})
        voiced = await self._conversation.voiced(seat, "consult.open", body)
        terms = tuple(index_terms(words_of(case.told)))
        return replace(voiced, draft=replace(voiced.draft, terms=terms))

    async def _cards(
        self, seat: Seat, voiced: Voiced, case: Case, new: Consult
    ) -> tuple[Elsewhere, ...]:
        """One for each room that is asked and that there is, by who the author is in the consult."""
        rooms = self._rooms(seat, case.specialties, voiced.worn.persona.badge)
        told = ("question", "urgency", "specialties")
        body = {"consult": new.slug, "closes": new.closes, **{n: case.told[n] for n in told}}
        body["state"] = msgspec.to_builtins(state(new))
        return tuple(
            [
                Elsewhere(await self._conversation.number(room), (_by(voiced.draft, body),))
                for room in rooms
            ]
        )

    def _rooms(self, seat: Seat, specialties: Sequence[str], badge: Badge) -> list[str]:
        """Her country's only where her badge tells it already: the card would; and where she may post."""
        wanted = [f"specialty/{each}" for each in specialties]
        if badge.country is not UNSET:
            home = f"country/{badge.country.lower()}"
            with suppress(Refusal):  # nobody asked for that one
                self._conversation.may_be_heard(seat, home)
                self._conversation.may_post(seat, home)
                wanted.append(home)
        return [room for room in wanted if self._catalogue.find(room) is not None]


def _widening(plan: Plan, page: Page, consult: str) -> Plan:
    step, told = widened(page, consult)
    return replace(plan, steps=(step, *plan.steps), elsewhere=(*plan.elsewhere, told))


def _given(case: Case) -> tuple[object, ...]:
    """What makes a repetition the same; without a page, as it was before there were any."""
    fields = asdict(case)
    del fields["not_patient"]  # nor does her word on it make another case of it
    return tuple(fields[name] for name in fields if name != "page" or case.page is not None)


def _by(voice: Draft, body: dict[str, object]) -> Draft:
    """A card by the same voice as the case."""
    card = draft("consult.card", body, voice.persona)
    return replace(card, face=voice.face, badge=voice.badge, name=voice.name)


def _steps(new: Consult, cards: Sequence[Elsewhere]) -> tuple[Step, ...]:
    assert new.closes is not None
    return (
        consults.opening(new),
        later("consult_asked", new.slug),
        *(consults.announcing(new.slug, each.room_id) for each in cards),
        due.add(f"consult.close {new.slug}", "consult.close", new.slug, new.closes),
    )
