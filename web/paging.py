"""On call over HTTP: being available now, answering a page without a socket, and a role's record."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.door import Guest
from lounge.events import Count, Time, Urgency, rfc3339
from lounge.first_opinions import Wait
from lounge.limits import READS
from lounge.oncall.available import LONGEST_MINUTES, SHORTEST_MINUTES
from lounge.oncall.record import Recorded, Recordings, as_csv
from lounge.opening import Lounge
from web import wire
from web.accounts import answer, read_body
from web.consults import WaitFigures
from web.visitor import acting, require_act, require_visit

_NO_STORE = {"cache-control": "no-store"}


class Availability(Struct, frozen=True):
    """Until when one is available; missing when one is not."""

    until: Time | UnsetType = UNSET


class NewAvailability(Struct, frozen=True):
    minutes: Annotated[int, Meta(ge=SHORTEST_MINUTES, le=LONGEST_MINUTES)]


class PageAct(Struct, frozen=True):
    """What one does about a page that one was alerted to. `formal`: names are exchanged, if both agree."""

    room: wire.RoomId
    act: Literal["accept", "decline", "delivered", "seen"]
    formal: bool = False
    reason: Literal["busy", "not_mine", "unsafe", "other"] | None = None
    cid: wire.Cid | None = None


class PageDone(Struct, frozen=True):
    """`duplicate`: it was so before."""

    duplicate: Literal[True] | UnsetType = UNSET


class DeclinedLine(Struct, frozen=True):
    at: Time
    layer: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class RecordLine(Struct, frozen=True, kw_only=True):
    """A page: `steps` that were taken, the `layer` that accepted, `seconds` from being sent to that."""

    opened: Time
    urgency: Urgency
    phase: str
    steps: Count
    formal: bool
    overridden: bool
    declined: list[DeclinedLine]
    layer: str | UnsetType = UNSET
    sent: Time | UnsetType = UNSET
    delivered: Time | UnsetType = UNSET
    seen: Time | UnsetType = UNSET
    accepted: Time | UnsetType = UNSET
    answered: Time | UnsetType = UNSET
    closed: Time | UnsetType = UNSET
    seconds: float | UnsetType = UNSET


class RecordHour(WaitFigures, frozen=True, kw_only=True):
    """`hour` of the day, 0 to 23, by the role's own clock, in which the pages were sent."""

    hour: Annotated[int, Meta(ge=0, le=23)]


class RoleRecord(WaitFigures, frozen=True, kw_only=True):
    """Seconds to being accepted, all and by hour of the day in `zone`; and every page, the newest first."""

    zone: str
    since: Time
    until: Time
    by_hour: list[RecordHour]
    pages: list[RecordLine]


async def see_availability(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    return answer(_availability(await lounge.oncall.available.until(visit.doctor)))


async def switch_on(request: Request) -> Response:
    """From now on, for so many minutes."""
    lounge, visit = _lounge(request), await require_act(request)
    body = await read_body(request, NewAvailability)
    until = await lounge.oncall.available.switch_on(visit.doctor, body.minutes)
    return answer(_availability(until))


async def switch_off(request: Request) -> Response:
    visit = await require_act(request)
    await _lounge(request).oncall.available.switch_off(visit.doctor)
    return Response(status_code=204, headers=_NO_STORE)


async def act_on_page(request: Request) -> Response:
    """Also from a notification: accept, decline, or that it has arrived or was looked at."""
    async with acting(request) as guest:
        body = await read_body(request, PageAct)
        return answer(await _done(_lounge(request), guest, body))


async def see_record(request: Request) -> Response:
    """For the role's keeper and its members."""
    found = await _recorded(request)
    hours = [RecordHour(hour=hour, **_figures(of)) for hour, of in found.hours.items()]
    return answer(
        RoleRecord(
            **_figures(found.usual),
            zone=found.role.zone,
            since=rfc3339(found.since),
            until=rfc3339(found.until),
            by_hour=hours,
            pages=[_line(each) for each in found.pages],
        )
    )


async def export_record(request: Request) -> Response:
    """The same pages as comma-separated values."""
    found = await _recorded(request)
    headers = {**_NO_STORE, "content-disposition": 'attachment; filename="pages.csv"'}
    return Response(as_csv(found.pages), headers=headers, media_type="text/csv")


routes = [
    Route("/api/available", see_availability, methods=["GET"]),
    Route("/api/available", switch_on, methods=["PUT"]),
    Route("/api/available", switch_off, methods=["DELETE"]),
    Route("/api/page", act_on_page, methods=["POST"]),
    Route("/api/roles/{id}/record", see_record, methods=["GET"]),
    Route("/api/roles/{id}/record.csv", export_record, methods=["GET"]),
]


async def _recorded(request: Request) -> Recordings:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    asked = request.query_params
    since, until = asked.get("since") or None, asked.get("until") or None
    return await lounge.oncall.record.of(visit.doctor, request.path_params["id"], since, until)


async def _done(lounge: Lounge, guest: Guest, body: PageAct) -> PageDone:
    pages = lounge.oncall.pages
    if body.act in ("delivered", "seen"):
        await pages.mark(guest.doctor, body.room, body.act)
        return PageDone()
    cid = body.cid or secrets.token_urlsafe(18)
    accepts = body.act == "accept"
    outcome = await pages.answer(guest, body.room, accepts, body.formal, body.reason, cid)
    return PageDone(True if outcome.duplicate else UNSET)


def _line(recorded: Recorded) -> RecordLine:
    page, seconds = recorded.page, recorded.seconds_to_accept
    return RecordLine(
        opened=rfc3339(page.opened),
        urgency=page.urgency,  # type: ignore[arg-type]
        phase=page.phase,
        steps=page.step + 1,
        formal=page.formal,
        overridden=page.overridden,
        declined=[
            DeclinedLine(rfc3339(each.at), each.layer or UNSET, each.reason or UNSET)
            for each in recorded.declined
        ],
        layer=page.layer or UNSET,
        sent=_stamp(page.sent),
        delivered=_stamp(page.delivered),
        seen=_stamp(page.seen),
        accepted=_stamp(page.accepted),
        answered=_stamp(page.answered),
        closed=_stamp(page.closed),
        seconds=UNSET if seconds is None else seconds,
    )


def _figures(of: Wait) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": of.n, "unanswered": of.unanswered}
    if of.median_s is None or of.p90_s is None:
        return figures
    return {**figures, "median_s": of.median_s, "p90_s": of.p90_s}


def _availability(until: int | None) -> Availability:
    return Availability(_stamp(until))


def _stamp(at: int | None) -> Time | UnsetType:
    return UNSET if at is None else rfc3339(at)


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge
