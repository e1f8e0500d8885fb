"""What a doctor wishes to be told while her browser is closed, over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.limits import CHANGES
from lounge.opening import Lounge
from lounge.told import Told
from web.accounts import answer, read_body
from web.visitor import require_act, require_visit


async def see_wishes(request: Request) -> Response:
    visit = await require_visit(request)
    return answer(await _lounge(request).telling.wishes(visit.doctor.id))


async def change_wishes(request: Request) -> Response:
    """The whole of them; what is left out is as at first."""
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    told = await read_body(request, Told)
    await lounge.telling.wish(visit.doctor.id, told)
    return answer(told)


routes = [
    Route("/api/told", see_wishes, methods=["GET"]),
    Route("/api/told", change_wishes, methods=["PUT"]),
]


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge
