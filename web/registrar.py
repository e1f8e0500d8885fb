"""The registrar over HTTP: who waits, what is known of one, her documents, the decision."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.credentials.applications import Applicant
from lounge.credentials.reviews import version_of
from lounge.events import rfc3339
from web.accounts import answer, nothing, path_id, read_body
from web.applications import (
    NO_STORE,
    DocumentLine,
    FindingLine,
    Short,
    documents_of,
    findings_of,
    joining_of,
    name_of,
)
from web.visitor import require_act, require_visit

_INERT = "default-src 'none'; sandbox"  # should a browser show it all the same


class Verdict(Struct, frozen=True):
    """`version`: of what was seen, as the sheet has it."""

    verdict: Literal["verified", "refused"]
    reason: Short
    version: Short


class ApplicationLine(Struct, frozen=True):
    """One who waits."""

    id: str
    name: str
    country: str
    specialty: str
    grade: str
    state: str
    since: str
    reason: str | UnsetType = UNSET


class ApplicationList(Struct, frozen=True):
    applications: list[ApplicationLine]


class ApplicationSheet(ApplicationLine, frozen=True, kw_only=True):
    """All that a registrar decides by."""

    email: str
    version: str
    findings: list[FindingLine]
    documents: list[DocumentLine]
    region: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    licence: str | UnsetType = UNSET


async def list_waiting(request: Request) -> Response:
    visit = await require_visit(request)
    waiting = await joining_of(request).reviews.waiting(visit.doctor)
    return answer(ApplicationList([ApplicationLine(**_line(who)) for who in waiting]))


async def see_one(request: Request) -> Response:
    visit = await require_visit(request)
    who, found, papers = await joining_of(request).reviews.see(visit.doctor, path_id(request))
    return answer(
        ApplicationSheet(
            **_line(who),
            email=who.email,
            version=version_of(who, papers),
            region=who.region or UNSET,
            body=who.body or UNSET,
            licence=who.licence or UNSET,
            findings=findings_of(found),
            documents=documents_of(papers),
        )
    )


async def read_document(request: Request) -> Response:
    """Its bytes, to be kept as a file: whatever they are, nothing in them is shown or runs here."""
    visit = await require_visit(request)
    name = name_of(request)
    media, content = await joining_of(request).reviews.read(visit.doctor, path_id(request), name)
    named = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"content-disposition": named, "content-security-policy": _INERT}
    return Response(content, media_type=media, headers=NO_STORE | headers)


async def decide(request: Request) -> Response:
    visit = await require_act(request)
    body = await read_body(request, Verdict)
    reviews = joining_of(request).reviews
    asked = body.verdict, body.reason
    await reviews.decide(visit.doctor, path_id(request), *asked, version=body.version)
    return nothing()


routes = [
    Route("/api/registrar/applications", list_waiting, methods=["GET"]),
    Route("/api/registrar/applications/{id}", see_one, methods=["GET"]),
    Route("/api/registrar/applications/{id}", decide, methods=["POST"]),
    Route("/api/registrar/applications/{id}/documents/{name}", read_document, methods=["GET"]),
]


def _line(who: Applicant) -> dict[str, Any]:
    return {
        "id": who.id,
        "name": who.name,
        "country": who.country,
        "specialty": who.specialty,
        "grade": who.grade,
        "state": who.state,
        "since": rfc3339(who.created),
        "reason": who.reason or UNSET,
    }
