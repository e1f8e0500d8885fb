"""The shell that every page is, and the browser's files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from mimetypes import guess_type
from pathlib import Path
from string import Template

import msgspec
from rcssmin import cssmin
from rjsmin import jsmin
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from lounge.opening import Lounge
from lounge.words import catalogue
from web.api import language_of
from web.version import VERSION

Squeezer = Callable[[str], str]
_SQUEEZERS: dict[str, Squeezer] = {".js": jsmin, ".css": cssmin}
HERE = Path(__file__).parent
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; font-src 'none'; manifest-src 'self'; base-uri 'none'; "
        "worker-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types worker"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_SHELL = Template((HERE / "templates" / "shell.html").read_text("utf-8"))
_AWAY = Template((HERE / "templates" / "away.html").read_text("utf-8"))
_WORKER = "service-worker.js"


async def shell(request: Request) -> Response:
    """One page for every address: it holds nothing but its language and links to its files."""
    lounge: Lounge = request.state.lounge
    page = _SHELL.substitute(
        lang=language_of(request),
        demo="demo" if lounge.settings.demo else "",
        version=VERSION,
    )
    return Response(page, media_type="text/html", headers={"cache-control": "no-cache"})


async def away(_: Request) -> Response:
    """What the browser keeps, to show it where there is no network: who is on call, and the numbers."""
    page = _AWAY.substitute(version=VERSION)
    return Response(page, media_type="text/html", headers={"cache-control": "no-cache"})


async def service_worker(request: Request) -> Response:
    """The service worker. It begins with a version that differs whenever a file of the browser does."""
    body, tag = _worker()
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="text/javascript")


@cache
def _worker() -> tuple[bytes, str]:
    held = hashlib.sha256(msgspec.json.encode(catalogue()))
    for path in sorted((HERE / "static").rglob("*.*")):
        held.update(path.read_bytes())
    version = f"{VERSION}+{held.hexdigest()[:16]}"
    body, _ = _squeezed(HERE / "static" / _WORKER, jsmin)
    return f"const VERSION='{version}';\n".encode() + body, f'"{version}"'


class Files(StaticFiles):
    """The browser's files; their addresses hold the version, yet each is asked about again.

    Scripts and styles go out without comments and indentation: what runs is what we edit, line by line.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        squeeze = _SQUEEZERS.get(Path(path).suffix)
        if squeeze is None:
            response = await super().get_response(path, scope)
        else:
            response = self._squeezed(path, squeeze, Request(scope))
        response.headers["cache-control"] = "no-cache"
        return response

    def _squeezed(self, path: str, squeeze: Squeezer, request: Request) -> Response:
        full_path, found = self.lookup_path(path)
        if found is None:
            raise HTTPException(status_code=404)
        body, tag = _squeezed(Path(full_path), squeeze)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(body, headers={"etag": tag}, media_type=guess_type(path)[0])


@cache
def _squeezed(path: Path, squeeze: Squeezer) -> tuple[bytes, str]:
    body = squeeze(path.read_text("utf-8")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


class SecurityHeaders:
    """Puts the security headers on every HTTP answer."""

    def __init__(self, app: object) -> None:
        self._app = app
        self._headers = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # type: ignore[operator]
            return

        async def with_headers(message: object) -> None:
            if message["type"] == "http.response.start":  # type: ignore[index]
                message["headers"] = [*message["headers"], *self._headers]  # type: ignore[index]
            await send(message)  # type: ignore[arg-type]

        await self._app(scope, receive, with_headers)  # type: ignore[operator]


routes: list[BaseRoute] = [
    Mount(f"/static/{VERSION}", Files(directory=HERE / "static"), name="static"),
    Route("/worker.js", service_worker, methods=["GET"]),
    Route("/away", away, methods=["GET"]),
    *(
        Route(path, shell, methods=["GET"])
        for path in (
            "/",
            "/rooms/{room:path}",
            "/search",
            "/account",
            "/moderation",
            "/consults",
            "/case",
            "/page",
            "/oncall",
            "/apply",
            "/registrar",
        )
    ),
]
