"""Over HTTP: the second step, unlocking, showing once more who one is, and what that needs."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.accounts import Accounts
from lounge.doctors import Unrecognised, Visit, new_secret
from lounge.proofs import Proof
from web.accounts import Email, Secret, answer, entered, label_of, nothing, read_body
from web.api import language_of
from web.passkeys import LONGEST_CREDENTIAL_BYTES
from web.visitor import (
    address_of,
    device_secret,
    half_secret,
    refuse_foreign_origin,
    require_act,
    require_origin,
    require_visit,
    session_secret,
    site_of,
    who,
)

_NO_STORE = {"cache-control": "no-store"}
ShortCode = Annotated[str, Meta(max_length=60)]


class Second(Struct, frozen=True):
    """A code of the app, or one of the recovery codes."""

    totp: ShortCode | None = None
    recovery: ShortCode | None = None


class Shown(Struct, frozen=True):
    """A passkey; or a password, with a second code where that is on."""

    password: Secret | None = None
    totp: ShortCode | None = None
    recovery: ShortCode | None = None
    passkey: dict[str, Any] | None = None


class TotpCode(Struct, frozen=True):
    code: ShortCode


class TotpOffer(Struct, frozen=True):
    """Shown once: the secret to type, the address for an app, and that as a QR code: rows, 1 is dark."""

    secret: str
    uri: str
    picture: list[str]


class Factors(Struct, frozen=True):
    """`totp`: whether a password needs a code besides; `recovery_codes`: how many are left."""

    totp: bool
    recovery_codes: int


class CodesShown(Struct, frozen=True):
    """The only time that the codes are shown."""

    codes: list[str]


class Forgotten(Struct, frozen=True):
    email: Email


async def step_in(request: Request) -> Response:
    """The second step of signing in."""
    require_origin(request)
    body = await read_body(request, Second)
    half, proofs = half_secret(request), _accounts(request).proofs
    kind = await proofs.kind_of(half) if half else None
    if half is None or kind is None:
        raise Unrecognised("session.second_late")
    device = new_secret()
    visit, secret = await proofs.step_in(
        half,
        Proof(totp=body.totp, recovery=body.recovery),
        label=label_of(request),
        address=address_of(request),
        replacing=session_secret(request),
        device=device,
    )
    return entered(request, visit, secret, kind, device)


async def ask_proof(request: Request) -> Response:
    """What the browser asks a passkey of whoever is signed in here, or whose session is locked."""
    site = site_of(request)
    owner = await _owner(request)
    options = await _accounts(request).passkeys.options(site, owner)
    return Response(options, headers=_NO_STORE, media_type="application/json")


async def unlock(request: Request) -> Response:
    site, secret = site_of(request), session_secret(request)
    if secret is None:
        raise Unrecognised
    proof = await _shown(request)
    await _accounts(request).proofs.unlock(
        secret, device_secret(request), proof, site, address=address_of(request)
    )
    return nothing()


async def renew(request: Request) -> Response:
    visit, site = await require_act(request), site_of(request)
    proof, address = await _shown(request), address_of(request)
    await _accounts(request).proofs.renew(visit, proof, site, address=address)
    return nothing()


async def act_here(request: Request) -> Response:
    """She is still at this shared computer."""
    visit = await require_act(request)
    await request.state.lounge.doctors.act_here(visit)
    return nothing()


async def lock(request: Request) -> Response:
    """At once, as after ten minutes; a page of nobody's computer calls it by itself."""
    visit = await require_act(request)
    await request.state.lounge.doctors.lock(visit)
    return nothing()


async def see_factors(request: Request) -> Response:
    visit, accounts = await require_visit(request), _accounts(request)
    is_on = await accounts.totp.is_on(visit.doctor.id)
    return answer(Factors(is_on, await accounts.codes.left(visit.doctor.id)))


async def begin_totp(request: Request) -> Response:
    visit = await _fresh(request)
    offer = await _accounts(request).totp.offer(visit.doctor.id)
    return answer(TotpOffer(offer.secret, offer.uri, offer.picture))


async def confirm_totp(request: Request) -> Response:
    visit = await _fresh(request)
    body = await read_body(request, TotpCode)
    await _accounts(request).totp.confirm(visit.doctor.id, body.code)
    return nothing()


async def end_totp(request: Request) -> Response:
    visit = await _fresh(request)
    await _accounts(request).totp.end(visit.doctor.id)
    return nothing()


async def make_codes(request: Request) -> Response:
    visit = await _fresh(request)
    return answer(CodesShown(await _accounts(request).codes.make(visit.doctor.id)), 201)


async def recover(request: Request) -> Response:
    """The same answer whoever is known: the letter tells."""
    refuse_foreign_origin(request)
    body = await read_body(request, Forgotten)
    language, address = language_of(request), address_of(request)
    await _accounts(request).recovery.ask(body.email, language, address=address)
    return Response(b"{}", 202, headers=_NO_STORE, media_type="application/json")


routes = [
    Route("/api/session/second", step_in, methods=["POST"]),
    Route("/api/session/proof", ask_proof, methods=["POST"]),
    Route("/api/session/unlock", unlock, methods=["POST"]),
    Route("/api/session/fresh", renew, methods=["POST"]),
    Route("/api/session/active", act_here, methods=["POST"]),
    Route("/api/session/lock", lock, methods=["POST"]),
    Route("/api/factors", see_factors, methods=["GET"]),
    Route("/api/totp", begin_totp, methods=["POST"]),
    Route("/api/totp/confirm", confirm_totp, methods=["POST"]),
    Route("/api/totp", end_totp, methods=["DELETE"]),
    Route("/api/recovery-codes", make_codes, methods=["POST"]),
    Route("/api/recovery", recover, methods=["POST"]),
]


async def _fresh(request: Request) -> Visit:
    visit = await require_act(request)
    await _accounts(request).proofs.require_fresh(visit)
    return visit


async def _shown(request: Request) -> Proof:
    body = await read_body(request, Shown, LONGEST_CREDENTIAL_BYTES)
    return Proof(body.password, body.totp, body.recovery, body.passkey)


async def _owner(request: Request) -> str:
    visit = await who(request)
    if visit is not None:
        return visit.doctor.id
    proofs = _accounts(request).proofs
    owner = await proofs.locked(session_secret(request), device_secret(request))
    if owner is None:
        raise Unrecognised
    return owner


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.state.lounge.accounts
    return accounts
