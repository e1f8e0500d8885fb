"""Sanctions in force, over HTTP: what stands, and lifting it. No answer says who it is."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import Time, rfc3339
from lounge.opening import Lounge
from lounge.sanctions import Sanction
from web import wire
from web.accounts import answer, nothing, path_id
from web.visitor import require_act, require_visit


class SanctionLine(Struct, frozen=True):
    """A sanction in force. Without a `room` it holds everywhere, without `until` until it is lifted."""

    id: str
    kind: str
    reason: str
    at: Time
    room: wire.RoomId | UnsetType = UNSET
    until: Time | UnsetType = UNSET


class SanctionList(Struct, frozen=True):
    sanctions: list[SanctionLine]


async def list_sanctions(request: Request) -> Response:
    visit = await require_visit(request)
    found = await _lounge(request).moderating.sanctioning.in_force(visit.doctor)
    return answer(SanctionList([_line(each) for each in found]))


async def lift_sanction(request: Request) -> Response:
    visit = await require_act(request)
    await _lounge(request).moderating.sanctioning.lift(visit.doctor, path_id(request))
    return nothing()


def _line(each: Sanction) -> SanctionLine:
    return SanctionLine(
        id=each.id,
        kind=each.kind,
        reason=each.reason,
        at=rfc3339(each.at),
        room=each.room or UNSET,
        until=UNSET if each.until is None else rfc3339(each.until),
    )


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge


routes = [
    Route("/api/sanctions", list_sanctions, methods=["GET"]),
    Route("/api/sanctions/{id}", lift_sanction, methods=["DELETE"]),
]
