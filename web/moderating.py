"""What moderators do in rooms, over HTTP: the command `moderate`, for pages that have not joined the room."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import Seq
from lounge.limits import CHANGES, READS
from lounge.moderating.asked import Asked, Means, Reason
from lounge.opening import Lounge
from web import wire
from web.accounts import answer, path_seq, read_body
from web.visitor import acting, require_visit


class Moderation(Struct, frozen=True):
    """As the command `moderate`."""

    act: Means
    cid: wire.Cid
    seq: wire.Target | None = None
    reason: Reason | None = None
    note: wire.Reason | None = None
    seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    minutes: Annotated[int, Meta(ge=1, le=366 * 24 * 60)] | None = None
    everywhere: bool = False
    on: bool = True
    not_patient: bool = False


class Moderated(Struct, frozen=True):
    """The seq of its entry, where there is one."""

    seq: Seq | UnsetType = UNSET
    duplicate: Literal[True] | UnsetType = UNSET


class HiddenEntry(Struct, frozen=True):
    """What a hidden entry says, as it last stood."""

    words: str


async def see_hidden(request: Request) -> Response:
    lounge: Lounge = request.state.lounge
    visit = await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    room, seq = request.path_params["room"], path_seq(request)
    return answer(HiddenEntry(await lounge.moderating.hidden.read(visit.doctor, room, seq)))


async def moderate(request: Request) -> Response:
    lounge: Lounge = request.state.lounge
    async with acting(request) as guest:
        body = await read_body(request, Moderation)
        lounge.limits.spend(CHANGES, guest.doctor.id)
        asked = Asked(room=request.path_params["room"], **msgspec.structs.asdict(body))
        outcome = await lounge.moderating.acts.do(guest, asked)
    seq = outcome.placed[0].seq if outcome.placed else UNSET
    return answer(Moderated(seq, True if outcome.duplicate else UNSET))


routes = [
    Route("/api/rooms/{room:path}/moderate", moderate, methods=["POST"]),
    Route("/api/rooms/{room:path}/hidden/{seq}", see_hidden, methods=["GET"]),
]
