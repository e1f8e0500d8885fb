"""Signing in with another house: away to its provider, and back with a session.

Both are addresses that a browser goes to, so what is refused is told by the page that it comes to:
`/?oidc=CODE`, with the sentence `oidc.CODE`.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lounge.credentials.houses import ERRAND_MS, Houses
from lounge.doctors import new_secret
from lounge.errors import Refusal
from web import wire
from web.accounts import answer, give_session, kind_of, label_of
from web.visitor import address_of, is_secure, session_secret, who

_PATH = "/api/oidc"
_NO_STORE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


class ProviderLine(Struct, frozen=True):
    name: str
    title: wire.TitleAnswer


class ProviderList(Struct, frozen=True):
    providers: list[ProviderLine]


async def list_providers(request: Request) -> Response:
    lines = [
        ProviderLine(
            house.provider.name,
            wire.TitleAnswer(house.provider.title.en, house.provider.title.fr),
        )
        for house in _houses(request).all
    ]
    return answer(ProviderList(lines))


async def start(request: Request) -> Response:
    """Away to the provider. Whoever is signed in here will be known there as the same.

    `?shared=yes` or `no` says whose computer this is; who does not say gets a session of 12 hours.
    """
    house = _houses(request)[request.path_params["provider"]]
    visit = await who(request)
    try:
        if visit:  # it will open her account: not for whoever finds her page open
            await request.state.lounge.accounts.proofs.require_fresh(visit)
        doctor_id, kind = visit.doctor.id if visit else None, _kind(request)
        url, kept = await house.send(doctor_id, kind, _back(request))
    except Refusal as refusal:
        return _told(refusal)
    response = RedirectResponse(url, 303, headers=_NO_STORE)
    response.set_cookie(_cookie(request), kept, max_age=ERRAND_MS // 1000, **_traits(request))
    return response


async def come_back(request: Request) -> Response:
    """Back from the provider: with a session, unless there was one when she left."""
    house = _houses(request)[request.path_params["provider"]]
    kept = request.cookies.get(_cookie(request), "")
    try:
        doctor_id, kind = await house.receive(
            kept, request.query_params, _back(request), address=address_of(request)
        )
    except Refusal as refusal:
        return _told(refusal)
    response = RedirectResponse("/", 303, headers=_NO_STORE)
    response.delete_cookie(_cookie(request), **_traits(request))
    if kind:
        await _enter(request, response, doctor_id, kind)
    await request.state.lounge.applications.examine(doctor_id)
    return response


routes = [
    Route(_PATH, list_providers, methods=["GET"]),
    Route(_PATH + "/{provider}/start", start, methods=["GET"]),
    Route(_PATH + "/{provider}/return", come_back, methods=["GET"]),
]


async def _enter(request: Request, response: Response, doctor_id: str, kind: str) -> None:
    device = new_secret()
    _, secret = await request.state.lounge.doctors.enter_as(
        doctor_id,
        label=label_of(request),
        replacing=session_secret(request),
        kind=kind,
        device=device,
    )
    give_session(request, response, secret, kind, device)


def _kind(request: Request) -> str:
    said = request.query_params.get("shared", "")
    return kind_of(said == "yes" if said in ("yes", "no") else UNSET)


def _told(refusal: Refusal) -> Response:
    code = refusal.key.rpartition(".")[2].removesuffix("_again")
    return RedirectResponse(f"/?oidc={code}", 303, headers=_NO_STORE)


def _back(request: Request) -> str:
    """Where the provider sends her back to: at one of our origins, never where a Host says."""
    origins = request.state.lounge.settings.origins
    here = f"{request.url.scheme}://{request.url.netloc}"
    origin = here if here in origins else origins[0]
    return f"{origin}{_PATH}/{request.path_params['provider']}/return"


def _cookie(request: Request) -> str:
    return "__Secure-lounge_errand" if is_secure(request) else "lounge_errand"


def _traits(request: Request) -> dict[str, Any]:
    """Lax, since she comes back from another site; it opens nothing by itself."""
    return {"path": _PATH, "httponly": True, "samesite": "lax", "secure": is_secure(request)}


def _houses(request: Request) -> Houses:
    houses: Houses = request.state.lounge.houses
    return houses
