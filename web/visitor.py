"""Who is at the door: a browser with a session cookie, or a program with a bearer token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.requests import HTTPConnection

from lounge.doctors import Doctors, Unrecognised, Visit
from lounge.door import Door, Guest
from lounge.errors import Code, Refusal
from lounge.passkeys import Site
from lounge.settings import Settings

_PLAIN_COOKIE = "lounge_session"
_SECURE_COOKIE = "__Host-lounge_session"
_DEVICE, _HALF = "lounge_device", "lounge_half"
_APPLICATION = "lounge_application"


class _Lounge(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def doctors(self) -> Doctors: ...
    @property
    def door(self) -> Door: ...


async def who(connection: HTTPConnection) -> Visit | None:
    """The visit of a good bearer token or session cookie, else None. Raises StorageError.

    A request that carries a token is judged by the token alone.
    """
    doctors = _lounge(connection).doctors
    if "authorization" in connection.headers:
        token = bearer_of(connection.headers)
        return await doctors.by_token(token) if token else None
    secret = session_secret(connection)
    return await doctors.by_session(secret, device_secret(connection)) if secret else None


async def require_visit(connection: HTTPConnection) -> Visit:
    """For reading. Raises Unrecognised (401)."""
    visit = await who(connection)
    if visit is None:
        raise Unrecognised
    return visit


async def require_act(connection: HTTPConnection) -> Visit:
    """For changing something: a token, or a cookie together with an allowed Origin.

    Raises Unrecognised (401), or Refusal `forbidden` for the origin.
    """
    visit = await require_visit(connection)
    if visit.token is None:
        require_origin(connection)
    return visit


@asynccontextmanager
async def acting(connection: HTTPConnection) -> AsyncIterator[Guest]:
    """As `require_act`, and at the door until it is done: a body may take its time, and what is revoked
    meanwhile ends her.
    """
    door = _lounge(connection).door
    epoch = door.epoch
    guest = door.admit(await require_act(connection), lambda _: None, epoch)
    try:
        yield guest
    finally:
        door.part(guest)


def require_origin(connection: HTTPConnection) -> None:
    """Raises Refusal `forbidden` unless the Origin is there and allowed."""
    if not origin_allowed(connection, _lounge(connection).settings):
        raise Refusal(Code.FORBIDDEN, "session.origin")


def refuse_foreign_origin(connection: HTTPConnection) -> None:
    """As `require_origin`, but a program that sends none may sign in: browsers always do."""
    if "origin" in connection.headers:
        require_origin(connection)


def origin_allowed(connection: HTTPConnection, settings: Settings) -> bool:
    """True for exactly one Origin, the same letter by letter as one of LOUNGE_ORIGINS."""
    origins = connection.headers.getlist("origin")
    return len(origins) == 1 and origins[0] in settings.origins


def bearer_of(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def session_secret(connection: HTTPConnection) -> str | None:
    """What the session cookie of this scheme holds."""
    return connection.cookies.get(cookie_name(connection)) or None


def cookie_name(connection: HTTPConnection) -> str:
    """Under https the name itself forbids a cookie from another host or path, or over http."""
    return _SECURE_COOKIE if is_secure(connection) else _PLAIN_COOKIE


def device_secret(connection: HTTPConnection) -> str | None:
    """What a doctor's own device was given at sign-in: without it, its session's cookie is nothing."""
    return connection.cookies.get(device_cookie(connection)) or None


def half_secret(connection: HTTPConnection) -> str | None:
    """What waits for the second step of signing in."""
    return connection.cookies.get(half_cookie(connection)) or None


def device_cookie(connection: HTTPConnection) -> str:
    return f"__Host-{_DEVICE}" if is_secure(connection) else _DEVICE


def half_cookie(connection: HTTPConnection) -> str:
    return f"__Host-{_HALF}" if is_secure(connection) else _HALF


def application_cookie(connection: HTTPConnection) -> str:
    """What binds an application to the browser that sent it."""
    return f"__Host-{_APPLICATION}" if is_secure(connection) else _APPLICATION


def site_of(connection: HTTPConnection) -> Site:
    """Where the browser is, for passkeys. Raises Refusal `forbidden` for a foreign or no origin."""
    require_origin(connection)
    return Site(connection.headers["origin"])


def is_secure(connection: HTTPConnection) -> bool:
    return connection.url.scheme in ("https", "wss")


def address_of(connection: HTTPConnection) -> str:
    """The client's address, for counting only; never stored or logged as it is."""
    return connection.client.host if connection.client else ""


def _lounge(connection: HTTPConnection) -> _Lounge:
    lounge: _Lounge = connection.state.lounge
    return lounge
