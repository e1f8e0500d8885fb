"""Another house's sign-in: the provider of a package, which asks for PKCE and can be shut.

`python -m tests.other_house` says its port and serves until it is ended. `PUT /shut` and `DELETE /shut`
make it away and bring it back; people are made as the package has it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from oidc_provider_mock import app  # type: ignore[import-untyped]
from werkzeug.serving import make_server

Environ = dict[str, Any]
Start = Callable[..., Any]


class Gate:
    """Before the provider: a code is only changed into a token by whoever has asked for it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._challenges: set[str] = set()
        self._is_shut = False

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/shut":
            self._is_shut = method == "PUT"
            return _answer(start, "204 No Content")
        if self._is_shut:
            return _answer(start, "503 Service Unavailable")
        if path == "/oauth2/authorize":
            asked = parse_qs(environ["QUERY_STRING"])
            if asked.get("code_challenge_method") != ["S256"]:
                return _answer(start, "400 Bad Request", b'{"error": "invalid_request"}')
            self._challenges.add(asked["code_challenge"][0])
        if path == "/oauth2/token" and not self._is_owed(environ):
            return _answer(start, "400 Bad Request", b'{"error": "invalid_grant"}')
        told: Iterable[bytes] = self._inner(environ, start)
        return told

    def _is_owed(self, environ: Environ) -> bool:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = parse_qs(body.decode())
        if form["grant_type"] != ["authorization_code"]:
            return True
        digest = hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=") in self._challenges


def _answer(start: Start, status: str, body: bytes = b"") -> list[bytes]:
    start(status, [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]


def main() -> None:
    logging.disable(logging.ERROR)
    server = make_server("127.0.0.1", 0, Gate(app()), threaded=True)
    print(f"It serves at {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
