"""Joining over HTTP: applying, how one stands, documents, vouchers, who runs the lounge."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import house, policy
from lounge.credentials.applications import Applicant, Applications
from lounge.credentials.claims import Finding
from lounge.credentials.documents import LONGEST_BYTES, DocumentRecord
from lounge.credentials.joining import Joining
from lounge.credentials.newcomers import CODE_MS, Form
from lounge.credentials.validators import hint_of
from lounge.doctors import plain_email
from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.limits import CHANGES, EXAMINES, UPLOADS
from lounge.opening import Lounge
from lounge.words import LANGUAGES
from web.accounts import Email, Secret, answer, entered, label_of, nothing, read_body
from web.visitor import (
    address_of,
    application_cookie,
    is_secure,
    refuse_foreign_origin,
    require_act,
    require_origin,
    require_visit,
    session_secret,
)

NO_STORE = {"cache-control": "no-store"}
Short = Annotated[str, Meta(max_length=60)]
Name = Annotated[str, Meta(max_length=120)]


class NewApplication(Struct, frozen=True):
    """What somebody says of herself. The answer is the same whoever is known: the letter tells."""

    email: Email
    name: Name
    country: Short
    specialty: Short
    grade: Short
    language: Short
    password: Secret
    region: Short | None = None
    body: Short | None = None
    licence: Short | None = None


class Confirmation(Struct, frozen=True):
    email: Email
    code: Short


class Amendment(Struct, frozen=True):
    """What is to be corrected; what is absent stays."""

    name: Name | UnsetType = UNSET
    country: Short | UnsetType = UNSET
    region: Short | UnsetType = UNSET
    specialty: Short | UnsetType = UNSET
    grade: Short | UnsetType = UNSET
    body: Short | UnsetType = UNSET
    licence: Short | UnsetType = UNSET


class Acceptance(Struct, frozen=True):
    """Which version of the screens before the first room."""

    version: Annotated[int, Meta(ge=1, le=10_000)]


class Voucher(Struct, frozen=True):
    email: Email


class Step(Struct, frozen=True):
    """Something that stands between her and the rooms: done, or `next` names what to do."""

    id: str
    done: bool
    next: str | UnsetType = UNSET


class FindingLine(Struct, frozen=True):
    source: str
    verdict: str
    reason: str
    at: str


class DocumentLine(Struct, frozen=True):
    name: str
    media: str
    bytes: int
    at: str


class Application(Struct, frozen=True):
    """How a doctor stands, as she reads it herself."""

    state: str
    country: str
    accepted: bool
    steps: list[Step]
    findings: list[FindingLine]
    documents: list[DocumentLine]
    reason: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    licence_hint: str | UnsetType = UNSET
    valid_until: str | UnsetType = UNSET


class OfficerLine(Struct, frozen=True):
    name: str


class House(Struct, frozen=True):
    """Who operates the lounge, who can learn a name together, and how often they have.

    `texts`: the version of the screens that tell of it, as `accept` wants it.
    """

    operator: str
    texts: int
    officers: list[OfficerLine]
    unmaskings: int
    verification: str
    languages: list[str]


# -- applying ------------------------------------------------------------------------------------


async def apply(request: Request) -> Response:
    refuse_foreign_origin(request)
    body = await read_body(request, NewApplication)
    form = Form(**msgspec.structs.asdict(body))
    secret = await joining_of(request).newcomers.apply(form, address=address_of(request))
    response = Response(b"{}", 202, headers=NO_STORE, media_type="application/json")
    max_age = CODE_MS // 1000
    response.set_cookie(application_cookie(request), secret, max_age=max_age, **_traits(request))
    return response


async def confirm(request: Request) -> Response:
    require_origin(request)  # it signs in
    body = await read_body(request, Confirmation)
    kept = request.cookies.get(application_cookie(request), "")
    doctor_id = await joining_of(request).newcomers.confirm(
        kept, body.email, body.code, address=address_of(request)
    )
    visit, secret = await _lounge(request).doctors.enter_as(
        doctor_id, label=label_of(request), replacing=session_secret(request)
    )
    response = entered(request, visit, secret)
    response.delete_cookie(application_cookie(request), **_traits(request))
    return response


# -- as she stands -------------------------------------------------------------------------------


async def see(request: Request) -> Response:
    visit = await require_visit(request)
    return await _seen(request, visit.doctor.id)


async def amend(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, Amendment)
    changes = {k: v for k, v in msgspec.structs.asdict(body).items() if v is not UNSET}
    await _applications(request).amend(visit.doctor.id, **changes)
    return await _seen(request, visit.doctor.id)


async def examine(request: Request) -> Response:
    """Ask every source now."""
    visit = await require_act(request)
    _lounge(request).limits.spend(EXAMINES, visit.doctor.id)
    await _applications(request).examine(visit.doctor.id)
    return await _seen(request, visit.doctor.id)


async def put_document(request: Request) -> Response:
    """The body is the file itself."""
    visit = await require_act(request)
    _lounge(request).limits.spend(UPLOADS, visit.doctor.id)
    media = request.headers.get("content-type", "").partition(";")[0].strip()
    content = await _raw(request)
    visit = await require_act(request)  # once more: a body may take its time
    await _applications(request).see_open(visit.doctor.id)
    await joining_of(request).documents.put(visit.doctor.id, name_of(request), media, content)
    return nothing()


async def drop_document(request: Request) -> Response:
    visit = await require_act(request)
    await joining_of(request).documents.drop(visit.doctor.id, name_of(request))
    return nothing()


async def accept(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, Acceptance)
    await _applications(request).accept(visit.doctor.id, body.version)
    return nothing()


async def see_house(request: Request) -> Response:
    """For verified doctors: it names the officers."""
    visit = await require_visit(request)
    if not visit.doctor.verified:
        raise Refusal(Code.FORBIDDEN, "refusal.not_verified")
    lounge = _lounge(request)
    now = await house.look(lounge.settings, lounge.identity_database, lounge.database)
    return answer(
        House(
            operator=now.operator,
            texts=house.TEXTS,
            officers=[OfficerLine(name) for name in now.officers],
            unmaskings=now.unmaskings,
            verification=lounge.settings.verification,
            languages=list(LANGUAGES),
        )
    )


async def vouch(request: Request) -> Response:
    """The same answer whether or not anybody has applied with this e-mail."""
    visit = await require_act(request)
    body = await read_body(request, Voucher)
    policy.require_open(visit.doctor)
    await joining_of(request).vouchers.vouch(visit.doctor.id, plain_email(body.email))
    return Response(b"{}", 202, headers=NO_STORE, media_type="application/json")


routes = [
    Route("/api/applications", apply, methods=["POST"]),
    Route("/api/applications/confirm", confirm, methods=["POST"]),
    Route("/api/application", see, methods=["GET"]),
    Route("/api/application", amend, methods=["PATCH"]),
    Route("/api/application/examine", examine, methods=["POST"]),
    Route("/api/application/documents/{name}", put_document, methods=["PUT"]),
    Route("/api/application/documents/{name}", drop_document, methods=["DELETE"]),
    Route("/api/application/accept", accept, methods=["POST"]),
    Route("/api/house", see_house, methods=["GET"]),
    Route("/api/vouchers", vouch, methods=["POST"]),
]


async def _seen(request: Request, doctor_id: str) -> Response:
    who, found = await _applications(request).see(doctor_id)
    papers = await joining_of(request).documents.listed(doctor_id)
    until = who.valid_until if who.state == "verified" else None
    return answer(
        Application(
            state=who.state,
            country=who.country,
            accepted=(who.accepted_texts or 0) >= house.TEXTS,
            steps=_steps(who, found),
            findings=findings_of(found),
            documents=documents_of(papers),
            reason=who.reason or UNSET,
            body=who.body or UNSET,
            licence_hint=hint_of(who.licence) or UNSET,
            valid_until=UNSET if until is None else rfc3339(until),
        )
    )


def _steps(who: Applicant, found: list[Finding]) -> list[Step]:
    agreeing = [each for each in found if each.verdict == "agrees"]
    covered = {subject for each in agreeing for subject in each.covers}
    done = {
        "email": who.email_confirmed is not None,
        "person": "person" in covered,
        "licence": "licence" in covered,
        "private": any(each.covers and not each.public for each in agreeing),
    }
    return [Step(id, is_done, UNSET if is_done else f"step.{id}") for id, is_done in done.items()]


def findings_of(found: list[Finding]) -> list[FindingLine]:
    return [FindingLine(each.source, each.verdict, each.reason, rfc3339(each.at)) for each in found]


def documents_of(papers: list[DocumentRecord]) -> list[DocumentLine]:
    return [DocumentLine(each.name, each.media, each.bytes, rfc3339(each.at)) for each in papers]


async def _raw(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BYTES:
            raise Refusal(Code.TOO_LONG, "document.too_long")
    return bytes(body)


def name_of(request: Request) -> str:
    """The document's. Raises Refusal `not_found` for what no name can be."""
    name = str(request.path_params["name"])
    if "\0" in name:
        raise Refusal(Code.NOT_FOUND, "document.unknown")
    return name


def _traits(request: Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": is_secure(request)}


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge


def joining_of(request: Request) -> Joining:
    return _lounge(request).joining


def _applications(request: Request) -> Applications:
    return joining_of(request).applications
