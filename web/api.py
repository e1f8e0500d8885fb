"""Rooms, transcripts and search over HTTP; and the one place where HTTP errors end."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import structlog
from msgspec import UNSET, Meta, UnsetType
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import policy
from lounge.attendance import readable, unread
from lounge.belongings import Shelf
from lounge.consults import is_consult
from lounge.credentials.validators import BODIES
from lounge.doctors import Unrecognised
from lounge.errors import Code, Refusal, StorageError
from lounge.events import Present
from lounge.limits import READS, SEARCHES
from lounge.opening import Lounge
from lounge.rooms import Catalogue, Room
from lounge.words import in_language, say
from web import wire
from web.accounts import answer, nothing, read_body
from web.schemas import asyncapi_json, openapi_json
from web.visitor import require_act, require_visit

log = structlog.get_logger()

LOOPBACK = frozenset({"127.0.0.1", "::1"})
_STATUS = {
    Code.BAD_FRAME: 400,
    Code.UNKNOWN_OP: 400,
    Code.INVALID: 400,
    Code.TOO_LONG: 400,
    Code.NOT_JOINED: 409,
    Code.CID_CONFLICT: 409,
    Code.FORBIDDEN: 403,
    Code.MUTED: 403,
    Code.FROZEN: 403,
    Code.HELD_PRIVACY: 403,
    Code.HELD_RULE: 403,
    Code.BLOCKED: 403,
    Code.NOT_FOUND: 404,
    Code.RATE_LIMITED: 429,
    Code.SLOW_MODE: 429,
    Code.BUSY: 503,
    Code.STORAGE: 503,
    Code.INTERNAL: 500,
}


class ListedRoom(msgspec.Struct, frozen=True):
    """A room that the doctor may enter. `own`: joined before, or `pinned` by them."""

    id: wire.RoomId
    title: wire.TitleAnswer
    kind: str
    head: int
    unread: int
    present: Present
    own: bool
    pinned: bool


class RoomList(msgspec.Struct, frozen=True):
    rooms: list[ListedRoom]


class Pin(msgspec.Struct, frozen=True):
    pinned: bool


class Events(msgspec.Struct, frozen=True):
    """A page of a room's past, ascending."""

    events: list[msgspec.Raw]
    oldest: int
    head: int
    more: Literal[True] | UnsetType = UNSET


class Query(msgspec.Struct, frozen=True):
    q: wire.Words
    room: wire.RoomId | None = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 20
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class HitList(msgspec.Struct, frozen=True):
    hits: list[wire.HitAnswer]
    cursor: str | UnsetType = UNSET


class Health(msgspec.Struct, frozen=True):
    """`faults` names background loops that wait after a fault, `warnings` what is wrong and stops nobody;
    only told to loopback.
    """

    status: Literal["ok", "not ready"]
    bench: bool
    demo: bool
    faults: dict[str, str] | UnsetType = UNSET
    warnings: dict[str, str] | UnsetType = UNSET


# -- rooms ---------------------------------------------------------------------------------------


async def list_rooms(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    policy.require_open(visit.doctor)
    shelf = await lounge.belongings.of(visit.doctor.id)
    own = set(shelf.rooms)
    rooms = [
        room for room in lounge.rooms.rooms() if policy.may_enter(visit.doctor, room, lounge.rooms)
    ]
    listed = [_listed(lounge, shelf, room, room.id in own) for room in rooms]
    for place in await lounge.talks.of(visit.doctor):
        lounge.talks.know(shelf, place)
        listed.append(_listed(lounge, shelf, place.room, not place.is_over))
    await lounge.consults.learn(shelf)
    for consult in filter(None, map(lounge.consults.room, shelf.rooms)):  # others: see the board
        listed.append(_listed(lounge, shelf, consult, True))
    await lounge.pages.learn(visit.doctor, shelf)
    for id in shelf.rooms:
        if (page := lounge.pages.room(visit.doctor.id, id)) is not None:
            listed.append(_listed(lounge, shelf, page, True))
    return answer(RoomList(listed))


def _listed(lounge: Lounge, shelf: Shelf, room: Room, own: bool) -> ListedRoom:
    standing = lounge.news.standing(room.id)
    is_of_two = room.kind in ("talk", "page")
    return ListedRoom(
        id=room.id,
        title=wire.TitleAnswer(room.title.en, room.title.fr),
        kind=room.kind,
        head=standing.seq,
        unread=unread(standing.says, shelf.marks.get(room.id)),
        present=Present(min=1, max=2) if is_of_two else lounge.news.present(room.id),
        own=own,
        pinned=room.id in shelf.pinned,
    )


async def pin_room(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    body = await read_body(request, Pin)
    asked = request.path_params["room"]
    if is_consult(asked):
        room = await lounge.consults.admit(visit.doctor, asked)
    else:
        room = policy.admit(visit.doctor, asked, lounge.rooms)
    (await lounge.belongings.of(visit.doctor.id)).pin(room.id, body.pinned)
    return nothing()


async def see_events(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    room = request.path_params["room"]
    stretch = await lounge.transcript.stretch(
        await readable(lounge, visit.doctor, room),
        before=_number(request, "before"),
        after=_number(request, "after"),
        around=_number(request, "around"),
        limit=max(1, min(200, _number(request, "limit") or 50)),
    )
    events = [msgspec.Raw(payload) for payload in stretch.events]
    more: Literal[True] | UnsetType = True if stretch.more else UNSET
    return answer(Events(events, stretch.oldest, stretch.head, more))


async def search(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(SEARCHES, visit.doctor.id)
    policy.require_open(visit.doctor)
    body = await read_body(request, Query)
    visit = await require_visit(request)  # once more: a body may take its time
    found, cursor = await lounge.search.find(
        visit.doctor, body.q, body.room, body.limit, body.cursor
    )
    return answer(HitList([wire.hit(each) for each in found], cursor or UNSET))


# -- words, schemas, health ----------------------------------------------------------------------


async def words(request: Request) -> Response:
    """The catalogue and the words for codes, in one language."""
    language = request.path_params["language"]
    if language not in ("en", "fr"):
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_page")
    page = _words(_lounge(request).rooms, language)
    tag = f'"{hashlib.sha256(page).hexdigest()[:16]}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(page, headers=headers, media_type="application/json")


@cache
def _words(rooms: Catalogue, language: str) -> bytes:
    body = {
        "words": in_language(language),
        "specialties": {k: getattr(t, language) for k, t in rooms.specialties.items()},
        "groups": {k: getattr(t, language) for k, t in rooms.groups.items()},
        "countries": {k: getattr(t, language) for k, t in rooms.countries.items()},
        "bodies": {k: getattr(body.title, language) for k, body in BODIES.items()},
    }
    return msgspec.json.encode(body)


async def openapi(_: Request) -> Response:
    return Response(openapi_json(), media_type="application/json")


async def asyncapi(_: Request) -> Response:
    return Response(asyncapi_json(), media_type="application/json")


async def healthz(_: Request) -> Response:
    """The process answers."""
    return Response("ok", media_type="text/plain")


async def readyz(request: Request) -> Response:
    """The lounge can take messages: the database answers and nothing in the background is down."""
    lounge = _lounge(request)
    faults = dict(lounge.faults)
    try:
        await lounge.watch()
    except StorageError as error:
        faults["database"] = str(error)
    health = Health(
        status="not ready" if faults else "ok",
        bench=lounge.settings.bench,
        demo=lounge.settings.demo,
        faults=faults if faults and _is_local(request) else UNSET,
        warnings=(lounge.anchors.warnings or UNSET) if _is_local(request) else UNSET,
    )
    return answer(health, 503 if faults else 200)


async def metrics(request: Request) -> Response:
    """Prometheus text, for loopback or whoever holds the metrics token."""
    if not (_is_local(request) or _has_metrics_token(request)):
        raise Refusal(Code.FORBIDDEN, "refusal.metrics")
    return Response(request.state.metrics.text(), media_type="text/plain; version=0.0.4")


# -- errors --------------------------------------------------------------------------------------


async def refused(request: Request, error: Exception) -> Response:
    """A refusal as JSON, in the language that the client asks for."""
    assert isinstance(error, Refusal)
    status = 401 if isinstance(error, Unrecognised) else _STATUS[error.code]
    body: dict[str, object] = {
        "code": error.code,
        "message": say(error.key, language_of(request), **error.values),
    }
    headers = {"cache-control": "no-store"}
    if error.asks:
        body["asks"] = error.asks
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    content = msgspec.json.encode({"error": body})
    return Response(content, status, headers=headers, media_type="application/json")


async def unstored(request: Request, error: Exception) -> Response:
    log.warning("storage", path=request.scope.get("route_name"), fault=str(error))
    return await refused(request, Refusal(Code.STORAGE, "refusal.storage", retry_after=2))


async def failed(request: Request, error: Exception) -> Response:
    """What nobody foresaw: a mark to find it in the log by, and nothing else."""
    mark = secrets.token_hex(4)
    log.error("request failed", mark=mark, fault=type(error).__name__, exc_info=error)
    return await refused(request, Refusal(Code.INTERNAL, "refusal.internal", mark=mark))


async def gone(_: HTTPConnection, __: Exception) -> None:
    """Whoever asked has left in the middle of it: nobody to answer, and no fault to log."""


async def not_there(request: Request, error: Exception) -> Response:
    """No such address, or not with this method."""
    response = await refused(request, Refusal(Code.NOT_FOUND, "refusal.no_such_page"))
    if isinstance(error, HTTPException):
        response.status_code = error.status_code
        response.headers.update(error.headers or {})
    return response


def language_of(connection: HTTPConnection) -> str:
    """English unless French is asked for first."""
    wanted = connection.headers.get("accept-language", "").lower()
    return "fr" if wanted.startswith("fr") else "en"


# -- privates ------------------------------------------------------------------------------------


def _lounge(connection: HTTPConnection) -> Lounge:
    lounge: Lounge = connection.state.lounge
    return lounge


def _number(request: Request, name: str) -> int | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 16:
        raise Refusal(Code.INVALID, "refusal.number", field=name)
    return int(value)


def _is_local(request: Request) -> bool:
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return request.client is not None and request.client.host in LOOPBACK and not forwarded


def _has_metrics_token(request: Request) -> bool:
    path: Path | None = _lounge(request).settings.metrics_token_file
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if path is None or not path.exists():
        return False
    return secrets.compare_digest(path.read_bytes().strip(), given)


routes = [
    Route("/api/rooms", list_rooms, methods=["GET"]),
    Route("/api/rooms/{room:path}/pin", pin_room, methods=["PUT"]),
    Route("/api/rooms/{room:path}/events", see_events, methods=["GET"]),
    Route("/api/search", search, methods=["POST"]),
    Route("/words/{language}.json", words, methods=["GET"]),
    Route("/api/openapi.json", openapi, methods=["GET"]),
    Route("/api/asyncapi.json", asyncapi, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
