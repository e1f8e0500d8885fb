"""Over HTTP: a doctor takes her data with her, and leaves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.accounts import Accounts
from web.accounts import clear_site
from web.visitor import require_act, require_visit


async def export_own(request: Request) -> Response:
    """All that the identity store holds of her: the one answer that names her."""
    visit, accounts = await require_visit(request), _accounts(request)
    await accounts.proofs.require_fresh(visit)
    content = await accounts.own_data.take(visit.doctor.id)
    headers = {
        "cache-control": "no-store",
        "content-disposition": 'attachment; filename="lounge-own-data.json"',
    }
    return Response(content, headers=headers, media_type="application/json")


async def leave(request: Request) -> Response:
    visit, accounts = await require_act(request), _accounts(request)
    await accounts.proofs.require_fresh(visit)
    await accounts.leaving.leave(visit.doctor.id)
    response = Response(status_code=204, headers={"cache-control": "no-store"})
    clear_site(request, response)
    return response


routes = [
    Route("/api/own-data", export_own, methods=["GET"]),
    Route("/api/leaving", leave, methods=["POST"]),
]


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.state.lounge.accounts
    return accounts
