"""A lounge to talk to, and doctors who talk: real server, real sockets, every frame checked.

`open_house` serves the application on a random port; `Guest` is a client that holds each frame, sent and
received, against the published schema and keeps it for the leak test.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import httpx2
import msgspec
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lounge.clock import now_ms
from lounge.doctors import digest_of, new_token
from lounge.opening import Lounge, count_crowd
from lounge.settings import Settings, from_environment
from storage import due, visits
from tests.schema import check_command, check_frame
from tests.templates import laid
from web import wire
from web.app import build
from web.porch import BOUNDS, Bounds, Porch
from web.worker import config_for

PATIENCE_SECONDS = 30

CAST: dict[str, dict[str, Any]] = {
    "ana": {"country": "CA", "specialty": "cardiology"},
    "ben": {"country": "US", "specialty": "emergency-medicine"},
    "chiara": {"country": "GB", "specialty": "neurology"},
    "denis": {
        "country": "CA",
        "specialty": "family-medicine",
        "grade": "generalist",
        "language": "fr",
    },
    "moira": {"country": "GB", "specialty": "internal-medicine", "roles": ["moderator"]},
    "dan": {"country": "US", "specialty": "general-surgery", "verified": False},
}


@dataclass(slots=True)
class House:
    """A lounge that is served. Doctors are added as tests name them."""

    lounge: Lounge
    settings: Settings
    port: int
    porch: Porch
    doctors: dict[str, str] = field(default_factory=dict)
    guests: list[Guest] = field(default_factory=list)
    passes: dict[str, str] = field(default_factory=dict)
    """A token that each doctor's guests share: nobody may have more than twenty."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def doctor(self, name: str, **other: Any) -> str:
        """The e-mail of a doctor of the cast, added on first use."""
        email = self.doctors.get(name)
        if email is None:
            email = self.doctors[name] = f"{name}.{secrets.token_hex(4)}@example.test"
            traits = {"verified": True, **CAST.get(name, CAST["ana"]), **other}
            await self.lounge.doctors.add(
                email=email, name=f"Dr {name.title()} Canaryfeather", **traits
            )
        return email

    async def token(self, name: str) -> str:
        """A bearer token of that doctor."""
        return (await self.tokens([name]))[0]

    async def tokens(self, names: list[str]) -> list[str]:
        """Many at once."""
        rows, secrets_ = [], []
        for name in names:
            doctor_id = await self.lounge.doctors.id_of(await self.doctor(name))
            assert doctor_id
            secret = new_token()
            rows.append((secrets.token_urlsafe(9), digest_of(secret), doctor_id, "test"))
            secrets_.append(secret)
        async with self.lounge.identity_database.writing() as connection:
            await visits.add_tokens(connection, rows, now_ms())
        return secrets_

    async def guest(self, name: str, *rooms: str, **other: Any) -> Guest:
        """A doctor connected, with these rooms joined."""
        if name not in self.passes:
            self.passes[name] = await self.token(name)
        guest = await Guest.connect(self.port, self.passes[name], **other)
        self.guests.append(guest)
        for room in rooms:
            await guest.join(room)
        return guest

    async def fill_crowd(self) -> None:
        """Enough colleagues that the cast's badges pass the guard."""
        for name, traits in CAST.items():
            for n in range(5):
                await self.doctor(f"{name}-colleague-{n}", **{**traits, "verified": True})
        self.lounge.personas.crowd = await count_crowd(
            self.lounge.doctors, self.lounge.rooms, self.settings
        )

    async def come_due(self, subject: str) -> None:
        """Do now whatever is to be done about something later."""
        async with self.lounge.database.reading() as connection:
            waiting = await due.waiting(connection, subject)
        handle = {**self.lounge.dues.handle, **self.lounge.oncall.dues.handle}
        for each in waiting:
            await handle[each.kind](each)

    async def moderate(self, act: str, room: str, seq: int, **terms: Any) -> None:
        """By a moderator who speaks nowhere: an act about that entry, because of `other` unless said."""
        await self.doctor("mara", **CAST["moira"])
        terms = {"reason": "other", "cid": new_cid(), **terms}
        await (await self.guest("mara")).ask("moderate", act=act, room=room, seq=seq, **terms)

    def http(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """A client for the HTTP routes."""
        if token:
            headers["authorization"] = f"Bearer {token}"
        return http_client(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def open_house(
    folder: Path, redis_url: str, bounds: Bounds = BOUNDS, **changes: Any
) -> AsyncIterator[House]:
    """The lounge on a free port of 127.0.0.1, its stores in `folder` unless `changes` say otherwise."""
    listener = sockets.socket()
    listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 128 * 1024)  # as `lounge serve` does
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = replace(
        from_environment({"LOUNGE_DATA": str(folder), "LOUNGE_NEWCOMER_HOURS": "0"}),
        redis_url=redis_url,
        origins=(f"http://127.0.0.1:{port}", f"http://localhost:{port}"),
        **changes,
    )
    await laid(settings)
    app = build(settings, bounds)
    server = uvicorn.Server(config_for(app, settings))
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started or serving.done())
    if serving.done():
        serving.result()
    assert app.opened is not None
    house = House(app.opened, settings, port, app.porch)
    try:
        yield house
    finally:
        for guest in house.guests:
            await guest.socket.close()
            if guest.trouble:
                raise guest.trouble
        server.should_exit = True
        await serving
        listener.close()


class Refused(AssertionError):  # noqa: N818 - an answer, not a fault
    """An error frame where an answer was expected."""

    def __init__(self, frame: dict[str, Any]) -> None:
        super().__init__(frame)
        self.frame = frame
        self.code: str = frame["code"]


class Guest:
    """A client that follows docs/protocol.md: JSON unless `msgpack`."""

    def __init__(self, socket: ClientConnection, msgpack: bool) -> None:
        self.socket = socket
        self.msgpack = msgpack
        self.frames: list[dict[str, Any]] = []
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.welcome: dict[str, Any] = {}
        self._ref = 0
        self._ops: dict[Any, str] = {}
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.trouble: Exception | None = None

    @classmethod
    async def connect(
        cls, port: int, token: str | None = None, *, msgpack: bool = False, **other: Any
    ) -> Guest:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        subprotocol = wire.MSGPACK if msgpack else wire.JSON
        socket = await connect(
            f"ws://127.0.0.1:{port}/ws",
            additional_headers=headers | other.pop("headers", {}),
            subprotocols=[subprotocol],  # type: ignore[list-item]
            compression=None,
            **other,
        )
        guest = cls(socket, msgpack)
        guest._reader = asyncio.create_task(guest._read())
        guest.welcome = await guest.hears("welcome")
        return guest

    async def send(self, op: str, **fields: Any) -> int:
        """Send a command without waiting; returns its ref."""
        self._ref += 1
        command = {"op": op, "ref": self._ref, **fields}
        check_command(command)
        self._ops[self._ref] = op
        encoded = msgspec.msgpack.encode(command) if self.msgpack else json.dumps(command)
        await self.socket.send(encoded)
        return self._ref

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its ok; raises Refused."""
        return await self.answer(await self.send(op, **fields))

    async def answer(self, ref: Any) -> dict[str, Any]:
        """The answer to an earlier command."""
        frame = await self.sees(lambda f: f.get("ref") == ref and f["op"] in ("ok", "error"))
        if frame["op"] == "error":
            raise Refused(frame)
        return frame

    async def refused(self, op: str, **fields: Any) -> dict[str, Any]:
        """The error that a command is answered with."""
        try:
            answer = await self.ask(op, **fields)
        except Refused as refused:
            return refused.frame
        raise AssertionError(f"{op} was not refused: {answer}")

    async def join(self, room: str, **fields: Any) -> dict[str, Any]:
        """Join and wait until live."""
        before = len(self.frames)
        answer = await self.ask("join", room=room, **fields)
        await self.sees(lambda f: f["op"] == "live" and f["room"] == room, since=before)
        return answer

    async def say(self, room: str, text: str, **fields: Any) -> dict[str, Any]:
        fields.setdefault("cid", new_cid())
        return await self.ask("say", room=room, text=text, **fields)

    async def hears(self, op: str, **fields: Any) -> dict[str, Any]:
        """The first frame, already seen or still to come, with these values."""
        return await self.sees(
            lambda f: f["op"] == op and all(f.get(k) == v for k, v in fields.items())
        )

    async def sees(
        self, wanted: Callable[[dict[str, Any]], bool], since: int = 0
    ) -> dict[str, Any]:
        """As `hears`, by any rule, among the frames from number `since` on."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            while True:
                for frame in self.frames[since:]:
                    if wanted(frame):
                        return frame
                since = len(self.frames)
                assert self._reader is not None
                if self.trouble:
                    raise self.trouble
                if self._reader.done():
                    raise AssertionError(f"closed with {self.socket.close_code}, not seen")
                await self._news.wait()

    async def reaches(self, room: str, seq: int) -> list[dict[str, Any]]:
        """The room's events so far, once the one with `seq` is among them."""
        await self.hears("event", room=room, seq=seq)
        return self.events[room]

    async def closed(self) -> int:
        """Wait for the server's close; returns its code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.socket.wait_closed()
        assert self.socket.close_code is not None
        return self.socket.close_code

    async def _read(self) -> None:
        try:
            async for data in self.socket:
                assert isinstance(data, bytes) is self.msgpack
                frame = _decoded(data)
                check_frame(frame, self._ops)
                check_unnamed(frame)
                if frame["op"] == "event":
                    self.events.setdefault(frame["room"], []).append(frame)
                await self._keep(frame)
        except ConnectionClosed:
            return
        except Exception as error:  # noqa: BLE001 - a frame outside the schema, raised to the test
            self.trouble = error
        finally:
            async with self._news:
                self._news.notify_all()

    async def _keep(self, frame: dict[str, Any]) -> None:
        async with self._news:
            self.frames.append(frame)
            self._news.notify_all()


def check_unnamed(frame: dict[str, Any]) -> None:
    """No doctor is named in it; but the two of a formal page are, to each other."""
    if frame.get("notice") == "page_formal":
        return
    text = json.dumps(frame, ensure_ascii=False).lower()
    assert not any(each in text for each in _NAMED), f"a frame names a doctor: {text}"


def _decoded(data: str | bytes) -> dict[str, Any]:
    decode = msgspec.msgpack.decode if isinstance(data, bytes) else msgspec.json.decode
    frame: dict[str, Any] = decode(data)  # type: ignore[arg-type]
    return frame


def http_client(**settings: Any) -> httpx2.AsyncClient:
    """A client for plain HTTP: one that is to know the world's authorities reads them for 0.07 s."""
    return httpx2.AsyncClient(verify=False, **settings)


def letters(count: int = 10) -> str:
    """Letters that nobody else has: digits by lot the guard may take for a telephone or a record."""
    return "".join(secrets.choice(ascii_lowercase) for _ in range(count))


def new_cid() -> str:
    """A client id as docs/protocol.md wants it."""
    return secrets.token_urlsafe(18)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0)
            await asyncio.sleep(0.01)


def _no_signals() -> Any:
    """Signals belong to the test runner."""
    return nullcontext()


_NAMED = ("canaryfeather", "@example.test")
"""What every doctor of the cast is called, and where her mail goes."""
