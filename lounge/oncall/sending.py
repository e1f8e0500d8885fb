"""Sending a page: from a line to a room of its own, and to whoever is on duty, in one act."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from lounge import policy
from lounge.belongings import Belongings, Shelf
from lounge.conversation import Conversation, Plan, Request, Seat
from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import PAGES, Limits
from lounge.oncall import moves
from lounge.oncall import policy as policies
from lounge.oncall.moves import Moved, Nobody, OnDuty
from lounge.oncall.places import PagePlace, Places, room_titled
from lounge.oncall.policy import Policy
from lounge.oncall.roles import Duty, Role, Roles
from lounge.oncall.steps import Steps
from lounge.oncall.summons import Told
from lounge.personas import ANONYMOUS
from lounge.told import Quiet
from storage import pages
from storage.consults import ROUTINE
from storage.pages import PAGE, PREFIX, SENT, WAITING, Page

TEXT_CODE_POINTS = 300
OVERRIDE_CODE_POINTS = 200
_SLUG_BYTES = 16

Admit = Callable[[Collection[str], str, str | None, Quiet | None], Awaitable[int | None]]
"""When these doctors may be interrupted at that urgency, with that reason, in that night; None: now."""


@dataclass(frozen=True, slots=True)
class Paging:
    """What is asked of a role: one line. `formal`: names may be exchanged; `override`: why it cannot wait."""

    role: str
    urgency: str
    text: str
    formal: bool = False
    override: str | None = None
    not_patient: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A page or an ask that is about to be sent; `told` is what its first entry says besides.

    `role`: of an ask, the specialty. `until`: it waits so long (ms).
    """

    kind: str
    role: str
    urgency: str
    policy: Policy
    told: Told
    formal: bool = False
    overridden: bool = False
    number: str | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """How it stands once it was sent. `next`: when somebody is on duty again (ms), if nobody is now."""

    page: Page
    next: int | None = None
    duplicate: bool = False


class Sending:
    """The way in for pages and asks. Raises Refusal for whatever is declined, StorageError."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        belongings: Belongings,
        places: Places,
        steps: Steps,
        roles: Roles,
        limits: Limits,
        keys: Keys,
        clock: Callable[[], int],
    ) -> None:
        self._conversation = conversation
        self._belongings = belongings
        self._places = places
        self._steps = steps
        self._roles = roles
        self._limits = limits
        self._slug_key = keys.persona.subkey("page")
        self._clock = clock
        self.admit: Admit = _at_once
        self._duty = Gathered(self._duties)
        steps.duties[PAGE] = self._on_duty

    async def page(self, guest: Guest, asked: Paging, cid: str) -> Sent:
        """Page a role: sent to whoever has it now, or kept until the morning where it can wait."""
        fields = (asked.role, asked.urgency, asked.text, asked.formal, asked.override)
        request = self.request(guest, PAGE, cid, *fields)
        if (known := await self.known(request)) is not None:
            return known
        waiver = Waiver(not_patient=asked.not_patient)
        self.may_send(guest, asked.text, waiver)
        role = await self._paged(guest.doctor, asked.role)
        if asked.override is not None:
            self._conversation.clean(asked.override, "override", OVERRIDE_CODE_POINTS, waiver)
        until = await self._until(role, asked)
        return await self.open(guest, request, _opening(role, asked, until, waiver))

    # -- also for asks ---------------------------------------------------------------------------

    def request(self, guest: Guest, kind: str, cid: str, *fields: object) -> Request:
        """The identity of a command that opens a page or an ask."""
        return self._conversation.request_of(guest, kind, cid, *fields)

    async def known(self, request: Request) -> Sent | None:
        """How it stands, if it was opened before by the same command."""
        if await self._conversation.receipt(request) is None:
            return None
        page = await self._places.find(self._slug(request))
        return None if page is None else Sent(page, duplicate=True)

    def may_send(self, guest: Guest, text: str, waiver: Waiver) -> None:
        """Raises Refusal."""
        if guest.ended:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        policy.require_open(guest.doctor)
        self._limits.spend(PAGES, guest.doctor.id)  # first: the guard's work is not free
        self._conversation.clean(text, "text", TEXT_CODE_POINTS, waiver)

    async def open(self, guest: Guest, request: Request, opening: Opening) -> Sent:
        """Its room, its first entry, and its first step or what waits: all in one act."""
        seat, shelf = await self._seat(guest, request, opening.kind)
        self._conversation.may_be_heard(seat)
        new = self._new(seat, self._places.own(guest.doctor.id, seat.room.id), opening)
        told = {"way": new.kind, "urgency": new.urgency, **opening.told}
        moved = await self._begun(new, told)
        body = {name: each for name, each in told.items() if each is not None}
        body["state"] = pages.state_of(moved.now)
        voiced = await self._conversation.voiced(seat, "page.open", body, face=ANONYMOUS)
        steps = (pages.opening(moved.now), *moved.steps)
        plan = Plan(voiced.draft, steps, voiced.row, letters=moved.letters)
        outcome = await self._conversation.perform(seat, request, plan)
        voiced.recorded(outcome)
        shelf.joined(new.slug)
        self._places.know(guest.doctor.id, PagePlace(moved.now, new.asker))
        return Sent(moved.now, moved.next, outcome.duplicate)

    # -- privates --------------------------------------------------------------------------------

    async def _paged(self, doctor: Doctor, role_id: str) -> Role:
        role = await self._roles.find(role_id)
        if role is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_role")
        if not self._roles.may_page(doctor, role):
            raise Refusal(Code.FORBIDDEN, "refusal.page_rule")
        return role

    async def _until(self, role: Role, asked: Paging) -> int | None:
        """Until when it waits: what is routine for the morning, what is not urgent for a calmer hour."""
        duty, now = await self._duty.get(role.id), self._clock()
        if duty is None:
            return None
        morning = role.morning(now) if asked.urgency == ROUTINE and not asked.override else now
        first = next(iter(policies.for_urgency(role.policy, asked.urgency).steps))
        hours = role.night.start, role.night.end
        night = None if hours[0] == hours[1] else Quiet(*hours, role.zone)
        whom = duty.of(first.to) or duty.of((policies.EVERYONE,))
        free = await self.admit(list(whom), asked.urgency, asked.override, night)
        until = max(morning, free or now)
        return until if until > now else None

    def _slug(self, request: Request) -> str:
        """The same for a repetition, and nobody's guess."""
        made = hmac.digest(self._slug_key, request.dedup, hashlib.sha256)[:_SLUG_BYTES]
        return PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")

    async def _seat(self, guest: Guest, request: Request, kind: str) -> tuple[Seat, Shelf]:
        shelf = await self._belongings.of(guest.doctor.id)
        room = room_titled(self._slug(request), kind)
        return await self._conversation.seat_in(guest, room, shelf), shelf

    def _new(self, seat: Seat, asker: bytes, opening: Opening) -> Page:
        return Page(
            slug=seat.room.id,
            room_id=seat.number,
            kind=opening.kind,
            role=opening.role,
            urgency=opening.urgency,
            asker=asker,
            state=WAITING if opening.until else SENT,
            policy=policies.encode(opening.policy),
            opened=self._clock(),
            formal=opening.formal,
            overridden=opening.overridden,
            number=opening.number,
            until=opening.until,
        )

    async def _begun(self, new: Page, told: Told) -> Moved:
        if new.state == WAITING:
            return Moved(new, (moves.waits(new),))
        return await self._steps.sent(new, told)

    async def _on_duty(self, page: Page) -> OnDuty:
        """Nobody where the role was closed meanwhile."""
        return await self._duty.get(page.role) or Nobody()

    async def _duties(self, roles: Collection[str]) -> dict[str, Duty]:
        """Of all the pages that are sent, or go on, at once."""
        found: dict[str, Duty] = {}
        for role in roles:
            with contextlib.suppress(Refusal):
                found[role] = await self._roles.duty(role, self._clock())
        return found


def _opening(role: Role, asked: Paging, until: int | None, waiver: Waiver) -> Opening:
    about = {"role": role.id, "service": role.service, "name": role.name}
    more = {"specialty": role.specialty, "number": role.number, "overridden": asked.override}
    return Opening(
        kind=PAGE,
        role=role.id,
        urgency=asked.urgency,
        policy=policies.for_urgency(role.policy, asked.urgency),
        told=waiver.kept({"text": asked.text, **about, **more}),
        formal=asked.formal,
        overridden=asked.override is not None,
        number=role.number,
        until=until,
    )


async def _at_once(_: Collection[str], __: str, ___: str | None, ____: Quiet | None) -> int | None:
    """Until it is counted what each was interrupted by."""
    return None
