"""Other houses that the lounge hands things to: a push service with its browser, a gateway."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from lounge.oncall.calls import Address
from tests.support import until


@dataclass(frozen=True, slots=True)
class Handed:
    """A request as it came; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Outsider:
    """Takes what is posted to it, and answers `status`, or nothing while it `hangs`."""

    port: int = 0
    status: int = 201
    handed: list[Handed] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """From now on nobody is answered, until this is over."""
        self.released.clear()

    async def takes(self, count: int) -> list[Handed]:
        """All so far, once there are so many."""
        await until(lambda: len(self.handed) >= count)
        return self.handed


@contextmanager
def outsider() -> Iterator[Outsider]:
    """On a free port of 127.0.0.1."""
    here = Outsider()
    here.released.set()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            here.handed.append(Handed(self.path, headers, body))
            here.released.wait()
            self.send_response(here.status)
            if 300 <= here.status < 400:
                self.send_header("location", f"{here.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    here.port = server.server_port
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield here
    finally:
        here.released.set()
        server.shutdown()
        server.server_close()
        serving.join()


class Browser:
    """What subscribes, and reads by RFC 8291 what was sent to it, with a library of its own."""

    def __init__(self, service: str) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = secrets.token_bytes(16)
        self.address = f"{service}/push/{secrets.token_urlsafe(16)}"

    @property
    def keys(self) -> dict[str, str]:
        point = self._private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {"p256dh": _text(point), "auth": _text(self._auth)}

    @property
    def subscription(self) -> Address:
        return Address(to=self.address, **self.keys, label="Firefox on Linux")

    def reads(self, handed: Handed) -> dict[str, Any]:
        """What its service worker is told."""
        plain = http_ece.decrypt(
            handed.body, private_key=self._private, auth_secret=self._auth, version="aes128gcm"
        )
        payload: dict[str, Any] = json.loads(plain)
        return payload


def new_secret() -> str:
    """As Standard Webhooks writes one."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def signed(key: str, body: bytes, *, id: str = "", at: float | None = None) -> dict[str, str]:
    """The headers of a gateway's webhook."""
    id = id or f"msg_{secrets.token_hex(8)}"
    now = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(key).sign(id, now, body.decode()),
    }


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
