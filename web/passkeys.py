"""Passkeys over HTTP: adding and removing them, and signing in with one."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.accounts import Accounts
from lounge.doctors import new_secret
from lounge.events import rfc3339
from web.accounts import answer, entered, kind_of, label_of, nothing, path_id, read_body
from web.visitor import address_of, require_act, require_visit, session_secret, site_of

LONGEST_CREDENTIAL_BYTES = 32 * 1024
_NO_STORE = {"cache-control": "no-store"}

Label = Annotated[str, Meta(min_length=1, max_length=60)]


class PasskeyName(Struct, frozen=True):
    """What she calls it; also what her device shows."""

    label: Label


class NewPasskey(Struct, frozen=True):
    """`credential` is what the browser's `navigator.credentials.create` gave, as JSON."""

    label: Label
    credential: dict[str, Any]


class ByPasskey(Struct, frozen=True):
    """`credential` is what the browser's `navigator.credentials.get` gave, as JSON."""

    credential: dict[str, Any]
    shared: bool | UnsetType = UNSET


class PasskeyLine(Struct, frozen=True):
    """`stopped`: it counted back, so somebody may hold a copy; it opens nothing any more."""

    id: str
    label: str
    created: str
    used: str | None
    stopped: bool


class PasskeyList(Struct, frozen=True):
    passkeys: list[PasskeyLine]


async def list_passkeys(request: Request) -> Response:
    visit = await require_visit(request)
    lines = [
        PasskeyLine(
            id=each.id,
            label=each.label,
            created=rfc3339(each.created),
            used=None if each.used is None else rfc3339(each.used),
            stopped=each.stopped is not None,
        )
        for each in await _accounts(request).passkeys.of(visit.doctor.id)
    ]
    return answer(PasskeyList(lines))


async def begin_passkey(request: Request) -> Response:
    visit, site = await require_act(request), site_of(request)
    body = await read_body(request, PasskeyName)
    await _accounts(request).proofs.require_fresh(visit)
    return _options(
        await _accounts(request).passkeys.options_to_add(visit.doctor.id, site, body.label)
    )


async def add_passkey(request: Request) -> Response:
    visit, site = await require_act(request), site_of(request)
    body = await read_body(request, NewPasskey, LONGEST_CREDENTIAL_BYTES)
    await _accounts(request).proofs.require_fresh(visit)
    await _accounts(request).passkeys.add(visit.doctor.id, site, body.credential, body.label)
    return nothing()


async def remove_passkey(request: Request) -> Response:
    visit = await require_act(request)
    await _accounts(request).proofs.require_fresh(visit)
    await _accounts(request).passkeys.remove(visit.doctor.id, path_id(request))
    return nothing()


async def ask_passkey(request: Request) -> Response:
    """What the browser asks its passkeys, to sign in."""
    address = address_of(request)
    return _options(await _accounts(request).proofs.ask_passkey(site_of(request), address=address))


async def enter_by_passkey(request: Request) -> Response:
    site = site_of(request)
    body = await read_body(request, ByPasskey, LONGEST_CREDENTIAL_BYTES)
    kind, device = kind_of(body.shared), new_secret()
    visit, secret = await _accounts(request).proofs.enter_by_passkey(
        site,
        body.credential,
        label=label_of(request),
        address=address_of(request),
        replacing=session_secret(request),
        kind=kind,
        device=device,
    )
    return entered(request, visit, secret, kind, device)


routes = [
    Route("/api/passkeys", list_passkeys, methods=["GET"]),
    Route("/api/passkeys", add_passkey, methods=["POST"]),
    Route("/api/passkeys/options", begin_passkey, methods=["POST"]),
    Route("/api/passkeys/{id}", remove_passkey, methods=["DELETE"]),
    Route("/api/session/passkey/options", ask_passkey, methods=["POST"]),
    Route("/api/session/passkey", enter_by_passkey, methods=["POST"]),
]


def _options(options: bytes) -> Response:
    return Response(options, headers=_NO_STORE, media_type="application/json")


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.state.lounge.accounts
    return accounts
