"""A doctor's own account over HTTP: signing in and out, sessions, tokens, the demonstration's cast.

No answer holds anything that names the doctor, not even to herself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import demo
from lounge.doctors import (
    HALF_MS,
    LASTING,
    OWN,
    PLAIN,
    SHARED,
    Doctors,
    SecondStep,
    Unrecognised,
    Visit,
    new_secret,
)
from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.policy import may_moderate
from lounge.settings import Settings
from web.visitor import (
    address_of,
    cookie_name,
    device_cookie,
    device_secret,
    half_cookie,
    half_secret,
    is_secure,
    refuse_foreign_origin,
    require_act,
    require_origin,
    require_visit,
    session_secret,
    who,
)

LONGEST_BODY_BYTES = 8 * 1024
_NO_STORE = {"cache-control": "no-store"}
_LONGEST_PASSWORD = 1_000

Email = Annotated[str, Meta(max_length=254)]
Secret = Annotated[str, Meta(max_length=_LONGEST_PASSWORD)]


class SignIn(Struct, frozen=True):
    """`shared`: whether others use this computer. Who does not say gets a session of 12 hours."""

    email: Email
    password: Secret
    shared: bool | UnsetType = UNSET


class NewPassword(Struct, frozen=True):
    """`code` is the one-time code that `lounge doctor add` prints."""

    email: Email
    code: Annotated[str, Meta(max_length=100)]
    password: Secret


class Language(Struct, frozen=True):
    language: Annotated[str, Meta(max_length=2)]


class NewToken(Struct, frozen=True):
    label: Annotated[str, Meta(min_length=1, max_length=60)]


class Choice(Struct, frozen=True):
    """One of the demonstration's cast."""

    id: Annotated[str, Meta(max_length=60)]


class Self(Struct, frozen=True):
    """What a doctor is told about herself; `missing` only while she may not enter rooms.

    `shared`: she is on a computer that others use, and nothing may be kept there.
    """

    language: str
    roles: list[str]
    verified: bool
    demo: bool
    missing: list[str] | UnsetType = UNSET
    shared: Literal[True] | UnsetType = UNSET


class SessionLine(Struct, frozen=True):
    id: str
    created: str
    seen: str
    current: bool
    label: str
    kind: Literal["plain", "shared", "own"]


class SessionList(Struct, frozen=True):
    sessions: list[SessionLine]


class TokenLine(Struct, frozen=True):
    id: str
    label: str
    created: str
    used: str | None


class TokenList(Struct, frozen=True):
    tokens: list[TokenLine]


class TokenShown(Struct, frozen=True):
    """The only time that the token itself is shown."""

    id: str
    token: str


class CastLine(Struct, frozen=True):
    id: str
    country: str
    specialty: str
    grade: str
    language: str
    roles: list[str]
    verified: bool


class CastList(Struct, frozen=True):
    cast: list[CastLine]


B = TypeVar("B", bound=Struct)


async def sign_in(request: Request) -> Response:
    refuse_foreign_origin(request)
    body = await read_body(request, SignIn)
    kind, device = kind_of(body.shared), new_secret()
    try:
        visit, secret = await _doctors(request).sign_in(
            body.email,
            body.password,
            label=label_of(request),
            address=address_of(request),
            replacing=session_secret(request),
            kind=kind,
            device=device,
        )
    except SecondStep as step:
        return await _halfway(request, step)
    return entered(request, visit, secret, kind, device)


async def see_session(request: Request) -> Response:
    """Who is signed in. A session that only waits to be unlocked is refused with what it `asks`."""
    visit = await who(request)
    if visit is None:
        proofs = request.state.lounge.accounts.proofs
        owner = await proofs.locked(session_secret(request), device_secret(request))
        if owner is None:
            raise Unrecognised
        raise Unrecognised("session.locked", asks=await proofs.ways(owner))
    return answer(self_of(request, visit))


async def change_session(request: Request) -> Response:
    visit = await require_act(request)
    body = await read_body(request, Language)
    await _doctors(request).set_language(visit.doctor.id, body.language)
    doctor = replace(visit.doctor, language=body.language)
    return answer(self_of(request, replace(visit, doctor=doctor)))


async def sign_out(request: Request) -> Response:
    """Also what is locked: whoever comes next to a shared computer ends what she finds there."""
    if await who(request) is None:
        require_origin(request)
        if not await _doctors(request).end_left_behind(session_secret(request)):
            raise Unrecognised
    else:
        await _doctors(request).sign_out(await require_act(request))
    response = Response(status_code=204, headers=_NO_STORE)
    clear_site(request, response)
    return response


async def set_password(request: Request) -> Response:
    refuse_foreign_origin(request)
    body = await read_body(request, NewPassword)
    await _doctors(request).set_password(
        body.email, body.code, body.password, address=address_of(request)
    )
    return nothing()


async def list_sessions(request: Request) -> Response:
    visit = await require_visit(request)
    lines = [
        SessionLine(
            id=each.id,
            created=rfc3339(each.created),
            seen=rfc3339(each.seen),
            current=each.id == visit.session,
            label=each.label,
            kind=each.kind,  # type: ignore[arg-type]
        )
        for each in await _doctors(request).sessions(visit.doctor.id)
    ]
    return answer(SessionList(lines))


async def end_session(request: Request) -> Response:
    visit = await require_act(request)
    await _doctors(request).end_session(visit.doctor.id, path_id(request))
    return nothing()


async def list_tokens(request: Request) -> Response:
    visit = await require_visit(request)
    lines = [
        TokenLine(
            id=each.id,
            label=each.label,
            created=rfc3339(each.created),
            used=None if each.used is None else rfc3339(each.used),
        )
        for each in await _doctors(request).tokens(visit.doctor.id)
    ]
    return answer(TokenList(lines))


async def add_token(request: Request) -> Response:
    visit = await require_act(request)
    body = await read_body(request, NewToken)
    await request.state.lounge.accounts.proofs.require_fresh(visit)
    id, token = await _doctors(request).add_token(visit.doctor.id, body.label)
    return answer(TokenShown(id, token), status=201)


async def end_token(request: Request) -> Response:
    visit = await require_act(request)
    await _doctors(request).end_token(visit.doctor.id, path_id(request))
    return nothing()


async def see_cast(request: Request) -> Response:
    _require_demo(request)
    return answer(CastList([_cast_line(member) for member in demo.CAST]))


async def enter_as_cast(request: Request) -> Response:
    _require_demo(request)
    require_origin(request)
    member = demo.member((await read_body(request, Choice)).id)
    visit, secret = await _doctors(request).enter_as(
        await demo.doctor_id(request.state.lounge.identity_database, member),
        label=label_of(request),
        replacing=session_secret(request),
    )
    return entered(request, visit, secret)


routes = [
    Route("/api/session", sign_in, methods=["POST"]),
    Route("/api/session", see_session, methods=["GET"]),
    Route("/api/session", change_session, methods=["PATCH"]),
    Route("/api/session", sign_out, methods=["DELETE"]),
    Route("/api/password", set_password, methods=["POST"]),
    Route("/api/sessions", list_sessions, methods=["GET"]),
    Route("/api/sessions/{id}", end_session, methods=["DELETE"]),
    Route("/api/tokens", list_tokens, methods=["GET"]),
    Route("/api/tokens", add_token, methods=["POST"]),
    Route("/api/tokens/{id}", end_token, methods=["DELETE"]),
    Route("/api/demo", see_cast, methods=["GET"]),
    Route("/api/demo", enter_as_cast, methods=["POST"]),
]


async def read_body(request: Request, shape: type[B], most: int = LONGEST_BODY_BYTES) -> B:
    """A JSON body of at most `most` bytes. Raises Refusal `invalid` or `too_long`."""
    body = await read_bytes(request, most)
    try:
        decoded = msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # never the decoder's own words: they may quote the body
        raise Refusal(Code.INVALID, "request.invalid") from None
    for name in decoded.__struct_fields__:  # one database takes a NUL and the other does not
        if isinstance(value := getattr(decoded, name), str) and "\0" in value:
            raise Refusal(Code.INVALID, "refusal.nul", field=name)
    return decoded


async def read_bytes(request: Request, most: int) -> bytes:
    """A body that says it is JSON, unread. Raises Refusal `invalid` or `too_long`."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(Code.INVALID, "request.not_json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refusal(Code.TOO_LONG, "request.too_long")
    return bytes(body)


def path_id(request: Request, name: str = "id") -> str:
    """The id of that name in the path. Raises Refusal `not_found` for what no id can be."""
    id = str(request.path_params[name])
    if "\0" in id:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_page")
    return id


def path_seq(request: Request) -> int:
    """The seq in the path; what is no number of an entry is 0, at which there is none."""
    seq = str(request.path_params["seq"])
    return int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 16 else 0


def answer(body: Struct, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(body), status, headers=_NO_STORE, media_type="application/json"
    )


def nothing() -> Response:
    return Response(status_code=204, headers=_NO_STORE)


def browser_of(user_agent: str) -> str:
    """A coarse family such as "Firefox on Linux", by which its owner knows a session again."""
    browser = next((name for sign, name in _BROWSERS if re.search(sign, user_agent)), "Other")
    system = next((name for sign, name in _SYSTEMS if re.search(sign, user_agent)), None)
    return f"{browser} on {system}" if system else browser


# The order matters: most browsers name others too.
_BROWSERS = (
    (r"Edg", "Edge"),
    (r"OPR/", "Opera"),
    (r"SamsungBrowser", "Samsung Internet"),
    (r"Firefox|FxiOS", "Firefox"),
    (r"Chrom|CriOS", "Chrome"),
    (r"Safari", "Safari"),
)
_SYSTEMS = (
    (r"iPhone|iPad", "iOS"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"Mac OS X", "macOS"),
    (r"CrOS", "ChromeOS"),
    (r"Linux", "Linux"),
)


def label_of(request: Request) -> str:
    return browser_of(request.headers.get("user-agent", ""))


def kind_of(shared: bool | UnsetType) -> str:
    if shared is UNSET:
        return PLAIN
    return SHARED if shared else OWN


def entered(
    request: Request, visit: Visit, secret: str, kind: str = PLAIN, device: str = ""
) -> Response:
    """Who she is, and the cookies of her new session."""
    response = answer(self_of(request, visit))
    give_session(request, response, secret, kind, device)
    return response


def give_session(request: Request, response: Response, secret: str, kind: str, device: str) -> None:
    """The cookies of a new session, and of the device it is bound to."""
    traits = _cookie_traits(request)
    # a shared computer's browser forgets them when it is closed
    max_age = None if kind == SHARED else LASTING[kind] // 1000
    response.set_cookie(cookie_name(request), secret, max_age=max_age, **traits)
    if kind == OWN:
        response.set_cookie(device_cookie(request), device, max_age=max_age, **traits)
    if half_secret(request):
        response.delete_cookie(half_cookie(request), **traits)


async def _halfway(request: Request, step: SecondStep) -> Response:
    """A refusal that asks for the second step, and the cookie that waits for it."""
    refused = request.app.exception_handlers[Refusal]
    response: Response = await refused(request, step)
    traits = _cookie_traits(request)
    response.set_cookie(half_cookie(request), step.secret, max_age=HALF_MS // 1000, **traits)
    return response


def clear_site(request: Request, response: Response) -> None:
    """Nothing of hers stays in this browser."""
    response.headers["clear-site-data"] = '"cache", "cookies", "storage"'
    for name in (cookie_name(request), device_cookie(request), half_cookie(request)):
        response.delete_cookie(name, **_cookie_traits(request))


def _cookie_traits(request: Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": is_secure(request)}


def self_of(request: Request, visit: Visit) -> Self:
    settings: Settings = request.state.lounge.settings
    doctor = visit.doctor
    return Self(
        language=doctor.language,
        roles=sorted(doctor.roles | ({"moderator"} if may_moderate(doctor) else set())),
        verified=doctor.verified,
        demo=settings.demo,
        missing=list(doctor.missing) or UNSET,
        shared=True if visit.shared else UNSET,
    )


def _cast_line(member: demo.Member) -> CastLine:
    return CastLine(
        id=member.id,
        country=member.country,
        specialty=member.specialty,
        grade=member.grade,
        language=member.language,
        roles=sorted({"doctor", *member.roles}),
        verified=member.verified,
    )


def _require_demo(request: Request) -> None:
    if not request.state.lounge.settings.demo:
        raise Refusal(Code.NOT_FOUND, "demo.off")


def _doctors(request: Request) -> Doctors:
    doctors: Doctors = request.state.lounge.doctors
    return doctors
