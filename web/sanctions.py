"""What moderators do about authors over HTTP: mute whoever wrote an entry, see what stands, lift it.

No answer says who it is, or whether anybody was found.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import Time, rfc3339
from lounge.muting import LONGEST_MINUTES, Mute, in_force, lift, mute_author
from lounge.opening import Lounge
from lounge.sanctions import Sanction
from web import wire
from web.accounts import answer, nothing, path_id, read_body
from web.visitor import require_act, require_visit


class NewSanction(Struct, frozen=True):
    """`minutes` left out: until it is lifted. `reason` is one of the codes of a report."""

    seq: Annotated[int, Meta(ge=1, le=2**53)]
    kind: Literal["mute"]
    reason: Annotated[str, Meta(max_length=40)]
    minutes: Annotated[int, Meta(ge=1, le=LONGEST_MINUTES)] | None = None
    everywhere: bool = False


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


async def sanction(request: Request) -> Response:
    visit = await require_act(request)
    body = await read_body(request, NewSanction)
    asked = Mute(body.seq, body.minutes, body.reason, body.everywhere)
    made = await mute_author(_lounge(request), visit.doctor, request.path_params["room"], asked)
    return answer(_line(made), 201)


async def list_sanctions(request: Request) -> Response:
    visit = await require_visit(request)
    found = await in_force(_lounge(request), visit.doctor)
    return answer(SanctionList([_line(each) for each in found]))


async def lift_sanction(request: Request) -> Response:
    visit = await require_act(request)
    await lift(_lounge(request), visit.doctor, path_id(request))
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
    Route("/api/rooms/{room:path}/sanctions", sanction, methods=["POST"]),
    Route("/api/sanctions", list_sanctions, methods=["GET"]),
    Route("/api/sanctions/{id}", lift_sanction, methods=["DELETE"]),
]
