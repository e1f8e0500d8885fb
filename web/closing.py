"""Over HTTP, at a case's end: its summary for one's own notes, and signed receipts of answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.limits import READS
from lounge.opening import Lounge
from lounge.summary import summary
from web.accounts import path_seq
from web.visitor import require_visit

_NO_STORE = {"cache-control": "no-store"}


async def see_summary(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    doctor = visit.doctor
    lounge.sanctions.may_enter(doctor.id, _slug(request))
    text = await summary(lounge.database, lounge.consults, doctor, _slug(request), doctor.language)
    return Response(text, headers=_NO_STORE, media_type="text/plain")


async def see_receipt(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    lounge.sanctions.may_enter(visit.doctor.id, _slug(request))
    content = await lounge.receipts.issue(visit.doctor, _slug(request), path_seq(request))
    headers = {**_NO_STORE, "content-disposition": 'attachment; filename="lounge-receipt.json"'}
    return Response(content, headers=headers, media_type="application/json")


async def see_key(request: Request) -> Response:
    """For anybody: it is what receipts are checked with, also outside the house."""
    key = _lounge(request).receipts.public_key
    return Response(f"{key}\n", headers=_NO_STORE, media_type="text/plain")


routes = [
    Route("/api/consults/{id}/summary", see_summary, methods=["GET"]),
    Route("/api/consults/{id}/receipts/{seq}", see_receipt, methods=["GET"]),
    Route("/api/receipts/key", see_key, methods=["GET"]),
]


def _slug(request: Request) -> str:
    return f"consult/{request.path_params['id']}"


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge
