"""A byte search over everything that leaves the house for what names a doctor, or repeats what was said.

Doctors with names found nowhere else spend an evening at a real server: they speak, correct, take back,
report, search, fail, sign in and out. Then every place that anything was written to is searched.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email.policy
import fcntl
import json
import random
import re
import secrets
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis
from stdnum import luhn
from websockets.exceptions import ConnectionClosed

from lounge.doctors import digest_of
from lounge.oncall.policy import DEFAULT
from lounge.titles import SPECIALTIES
from storage.schema import LOUNGE
from tests import support
from tests.backends import addresses
from tests.byte_search import found_in
from tests.journeys import served
from tests.journeys.served import Served
from tests.journeys.service import put_role
from tests.processes import running
from tests.stores import SQLITE_FIRST
from tests.support import PATIENCE_SECONDS, Guest, http_client, letters, new_cid
from web.valkey import EmbeddedValkey

ROOM = "specialty/cardiology"
ROOMS = [f"specialty/{slug}" for slug in sorted(SPECIALTIES) if slug != "cardiology"][:24]
PUBLIC = ("/", "/healthz", "/readyz", "/metrics", "/api/openapi.json", "/words/fr.json")
OWN = ("session", "sessions", "tokens", "rooms", "reports", "roles", "available", "reach")


@dataclass(slots=True)
class Doctor:
    """A canary: each of her traits is found nowhere else."""

    mark: str = field(default_factory=lambda: f"zq{letters()}")
    id: str = ""
    code: str = ""
    token: str = ""
    cookie: str = ""
    licence: str = ""

    @property
    def email(self) -> str:
        return f"{self.mark}.mail@clinic.invalid"

    @property
    def name(self) -> str:
        return f"Doctor {self.mark.title()} Canari"

    @property
    def password(self) -> str:
        return f"{self.mark}-password"

    @property
    def secrets(self) -> dict[str, str]:
        """What names her or opens her door; `mark` is part of her name, mail and password."""
        session = self.cookie.partition("=")[2]
        found = {"mark": self.mark, "name": self.name, "id": self.id, "code": self.code}
        return found | {"token": self.token, "session": session, "licence": self.licence}


@dataclass(slots=True)
class Evening:
    """What was secret, what was said, and every byte that came out, by where."""

    doctors: list[Doctor] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    outputs: dict[str, bytes] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    own: dict[int, bytes] = field(default_factory=dict)
    """What a doctor took away of her own data, by her number."""

    def says(self, what: str) -> str:
        """A text of two words that nobody else says."""
        words = f"mot{letters()} phrase{letters()}"
        self.said[what] = words
        return words

    @property
    def who(self) -> dict[str, str]:
        return {
            f"{trait} of doctor {n}": value
            for n, doctor in enumerate(self.doctors)
            for trait, value in doctor.secrets.items()
            if value
        }

    @property
    def gone(self) -> dict[str, str]:
        """What was taken back, hidden, or never taken in."""
        gone = ("hidden", "taken back", "corrected")
        return {what: self.said[what] for what in gone} | self.held

    @property
    def held(self) -> dict[str, str]:
        """What the guard kept out, by the door it came to."""
        return {what: said for what, said in self.said.items() if what.startswith("held")}


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def evening(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Evening]:
    folder = tmp_path_factory.mktemp("leaks")
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        async with addresses(request) as databases, _monitored(valkey.url) as commands:
            environ = served.on_postgres(databases) if databases else {}
            with contextlib.contextmanager(running)() as run:
                server = Served(run, folder, REDIS_URL=valkey.url, **environ)
                yield await _spend(server, databases.get("database_url"), valkey.url, commands)
    finally:
        await valkey.stop()


def test_nothing_that_names_a_doctor_or_opens_her_door_is_found_anywhere(evening: Evening) -> None:
    assert len(evening.who) == 25
    assert found_in(evening.outputs, evening.who) == []


def test_what_was_said_is_in_no_log_in_no_metric_and_nowhere_on_redis(evening: Evening) -> None:
    assert len(evening.said) == 17 + len(evening.held) - 1
    names = ("log", "metrics", "redis keys", "redis values", "redis commands")
    places = {name: evening.outputs[name] for name in names}
    assert found_in(places, evening.said) == []


def test_what_was_taken_back_or_held_is_on_no_disk(evening: Evening) -> None:
    on_disk = {name: data for name, data in evening.outputs.items() if name.startswith("lounge")}
    assert found_in(on_disk, evening.gone) == []


def test_what_was_held_or_only_examined_is_found_nowhere_at_all(evening: Evening) -> None:
    """Neither in stores, index and WAL, nor on Redis, nor in logs, nor in a frame or an answer to anybody."""
    assert len(evening.held) == 13
    assert found_in(evening.outputs, evening.held) == []


def test_a_letter_names_nobody_beyond_the_line_that_says_to_whom_it_goes(evening: Evening) -> None:
    assert len(evening.mails) >= 1
    for number, mail in enumerate(evening.mails):
        address = mail["To"]
        inside = {"mail": mail.get_content().encode(), "subject": mail["Subject"].encode()}
        recipient = next(each for each in evening.doctors if each.email == address)
        known = {k: v for k, v in evening.who.items() if v != recipient.code}  # that is for her
        assert found_in(inside, known) == [], number


def test_ones_own_data_says_nothing_of_anybody_else(evening: Evening) -> None:
    for number, data in evening.own.items():
        assert found_in({"own": data}, {"mark": evening.doctors[number].mark})
        others = {k: v for k, v in evening.who.items() if not k.endswith(f"doctor {number}")}
        assert found_in({"own data": data}, others) == []
        secret = {k: evening.doctors[number].secrets[k] for k in ("token", "session")}
        assert found_in({"own data": data}, secret) == []


def test_the_search_reaches_every_place(evening: Evening) -> None:
    """Each output holds something that must be there, so an empty one cannot pass for a clean one."""
    spoken = {"spoken": evening.said["spoken"]}
    for name in ("lounge store", "frames", "http"):  # hints on Redis are sealed
        assert found_in({name: evening.outputs[name]}, spoken), name
    for name, word in (
        ("log", b"command failed"),
        ("log", b"commit failed"),
        ("metrics", b'lounge_commands_total{answer="ok",op="say"}'),
        ("redis keys", b":room:specialty/cardiology"),
        ("redis keys", b":room:me/"),
        ("redis keys", b":here:"),
        ("redis values", b":here:"),
        ("redis commands", b'"PUBLISH" "lounge:'),
        ("lounge store", b"lounge_version"),
        ("http headers", b"content-security-policy"),
        ("export", b'"kind":"say"'),
        ("http", b'"licence_hint"'),
    ):
        assert word in evening.outputs[name], (name, word)


@pytest.mark.parametrize("name", [" Canaryfeather", ".x1@example.test"])
def test_a_frame_that_names_a_doctor_fails_whichever_test_it_reached(name: str) -> None:
    """Each frame of each test is read for the cast's names; those of a formal page alone are told to two."""
    told = {"op": "event", "kind": "notice", "notice": "page_formal", "name": f"Ana{name}"}
    support.check_unnamed(told)
    support.check_unnamed({"op": "event", "kind": "say", "text": "Ana"})
    with pytest.raises(AssertionError, match="names a doctor"):
        support.check_unnamed({**told, "notice": "page_taken"})


@pytest.mark.parametrize("form", ["plain", "json", "hex", "base64", "quoted", "utf-16", "digest"])
def test_a_leak_would_be_found(form: str) -> None:
    """The search itself can fail: it finds a planted secret however it is written."""
    doctor = Doctor()
    leaky = {
        "plain": f'{{"event":"signed in","who":"{doctor.email}"}}'.encode(),
        "json": json.dumps({"name": doctor.name}).encode(),
        "hex": b"\\x" + doctor.name.encode().hex().encode(),
        "base64": base64.b64encode(b"ab" + doctor.mark.encode() + b"c"),
        "quoted": quote(doctor.email).encode(),
        "utf-16": doctor.name.encode("utf-16-le"),
        "digest": b"\0" + digest_of(doctor.mark) + b"\0",
    }[form]
    assert found_in({"log": b"before " + leaky + b" after", "other": b"quiet"}, doctor.secrets)
    assert found_in({"other": b"quiet"}, doctor.secrets) == []


# -- the evening ---------------------------------------------------------------------------------


async def _spend(
    server: Served, database: str | None, redis_url: str, commands: bytearray
) -> Evening:
    evening = Evening()
    ana, moira, dan = evening.doctors = [Doctor(), Doctor(), Doctor()]
    await _add(server, ana, "--specialty", "cardiology", "--verified")
    await _add(server, moira, "--specialty", "neurology", "--verified", "--role", "moderator")
    await _add(server, dan, "--specialty", "general-surgery")
    await server.start()
    async with _keeping(server, evening) as http:
        for doctor in evening.doctors:
            await _sign_in(http, doctor)
        await _apply(server, evening, http)
        guests = await _talk(server, evening, http)
        for doctor in evening.doctors:
            doctor.id = await _id_of(server, doctor)
        evening.outputs["lounge store while open"] = await _settled(server, evening, database)
        await _go_wrong(server, evening, database, guests[0])
        evening.outputs["metrics"] = (await http.get("/metrics")).content
        evening.outputs["export"] = (await server.lounge("export", ROOM)).encode()
        here = await _with_leases(redis_url)
        await _leave(server, evening, http, guests)
        evening.outputs["redis values"] = here + await _dumped(redis_url)
    assert server.process
    server.process.signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.exit_code) == 0
    for file in sorted((server.folder / "outbox").glob("*.eml")):
        letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        evening.mails.append(letter)
    evening.outputs["log"] = "\n".join(server.process.said).encode()
    evening.outputs["lounge store"] = await _stored(server, database)
    evening.outputs["frames"] = b"\n".join(
        json.dumps(frame, ensure_ascii=False).encode() for each in guests for frame in each.frames
    )
    evening.outputs["http"] = b"\n".join(evening.bodies)
    evening.outputs["redis commands"] = bytes(commands)
    evening.outputs["redis keys"] = b"\n".join(_keys(bytes(commands)))
    return evening


async def _add(server: Served, doctor: Doctor, *traits: str) -> None:
    who = ("--email", doctor.email, "--name", doctor.name, "--country", "CA")
    if "LOUNGE_DATABASE_URL" in server.environ:
        await server.lounge("upgrade")
    doctor.code = (await server.lounge("doctor", "add", *who, *traits)).strip()


async def _sign_in(http: httpx2.AsyncClient, doctor: Doctor) -> None:
    """Her password set by her code; one wrong try; then in, with a token for her programs."""
    mail = {"email": doctor.email}
    body = {**mail, "code": doctor.code, "password": doctor.password}
    assert (await http.post("/api/password", json=body)).status_code == 204
    assert (await http.post("/api/password", json=body)).status_code == 403
    wrong = await http.post("/api/session", json={**mail, "password": f"{doctor.mark} wrong"})
    assert wrong.status_code == 401
    entered = await http.post("/api/session", json={**mail, "password": doctor.password})
    assert entered.status_code == 200
    doctor.cookie = entered.headers["set-cookie"].partition(";")[0]
    made = await http.post("/api/tokens", json={"label": "p"}, headers={"cookie": doctor.cookie})
    doctor.token = made.json()["token"]


async def _talk(server: Served, evening: Evening, http: httpx2.AsyncClient) -> list[Guest]:
    """Everything that is said and done in rooms, by each way in."""
    ana, moira, dan, *_ = evening.doctors
    browser = {"cookie": ana.cookie, "origin": server.url}
    a = await Guest.connect(server.port, headers=browser)
    m = await Guest.connect(server.port, moira.token, msgpack=True)
    d = await Guest.connect(server.port, dan.token)
    await a.join(ROOM)
    await a.join("me")
    await m.join(ROOM)
    assert (await d.refused("join", room=ROOM))["code"] == "forbidden"
    spoken = await a.say(ROOM, evening.says("spoken"))
    for what in ("taken back", "hidden"):
        said = await a.say(ROOM, evening.says(what))
        place = {"room": ROOM, "seq": said["seq"]}
        text = evening.says("corrected") if what == "hidden" else "other words"
        await a.ask("edit", **place, cid=new_cid(), text=text)
        report = {**place, "cid": new_cid(), "kind": "other", "note": evening.says("noted")}
        await m.ask("report", **report)
        who, why = (m, evening.says("reason")) if what == "hidden" else (a, None)
        await who.ask("redact", **place, cid=new_cid(), **({"reason": why} if why else {}))
    await m.say(ROOM, evening.says("answered"), reply_to=spoken["seq"])
    await m.ask("react", room=ROOM, seq=spoken["seq"], cid=new_cid(), emoji="👍", on=True)
    await _hold(evening, http, a, spoken["seq"])
    await a.hears("event", room="me", kind="notice", notice="hidden")
    assert (await m.ask("search", q=evening.said["spoken"]))["hits"]
    await a.ask("search", q=evening.says("sought"))
    await a.ask("history", room=ROOM, after=0)
    await a.ask("read", room=ROOM, seq=spoken["seq"])
    await a.ask("leave", room=ROOM)
    await a.join(ROOM)
    await _talk_alone(evening, a, m, spoken["seq"])
    await _page(server, evening, a, m)
    for room in ROOMS:  # one of so many leases is told of soon
        await a.join(room)
        await m.join(room)
    await _browse(http, evening, spoken["seq"])
    return [a, m, d]


async def _hold(evening: Evening, http: httpx2.AsyncClient, a: Guest, seq: int) -> None:
    """What leads to a patient, by every way in for words."""
    ana = evening.doctors[0]

    def words(door: str = "") -> str:
        return f"{evening.says(f'held {door}'.strip())}, write to {ana.email}, born 12 March 1950"

    case = {"specialties": ["neurology"], "question": "Lyse or wait?"}
    poll = {"room": ROOM, "question": "Which?", "choices": ["This", "That"]}
    place = {"room": ROOM, "seq": seq}
    doors: dict[str, tuple[str, dict[str, Any]]] = {
        "": ("say", {"room": ROOM, "text": words()}),
        "though waived": (
            "say",
            {"room": ROOM, "text": words("though waived"), "not_patient": True},
        ),
        "edit": ("edit", {**place, "text": words("edit")}),
        "reason": ("redact", {**place, "reason": words("reason")}),
        "note": ("report", {**place, "kind": "other", "note": words("note")}),
        "question": ("poll", {**poll, "question": words("question")}),
        "choice": ("poll", {**poll, "choices": ["This", words("choice")]}),
        "case": ("consult", {**case, "question": words("case")}),
        "findings": ("consult", {**case, "findings": words("findings")}),
        "ask": ("ask_now", {"specialty": "neurology", "text": words("ask")}),
    }
    for op, fields in doors.values():
        assert (await a.refused(op, cid=new_cid(), **fields))["code"] == "held_privacy", op
    name = f"Mrs {evening.says('held soft')}"
    soft = f"{name.title()} is well"
    evening.said["held soft"] = evening.said["held soft"].title()
    assert (await a.refused("say", room=ROOM, cid=new_cid(), text=soft))["code"] == "held_privacy"
    assert (await a.ask("examine", text=words("examined")))["spans"]
    body, headers = (
        {"name": f"{evening.says('held name')[:11]} 12 March 1950"},
        {"cookie": ana.cookie},
    )
    assert (await http.patch("/api/screen-name", json=body, headers=headers)).status_code == 403
    evening.said["held name"] = body["name"][:11]


async def _talk_alone(evening: Evening, a: Guest, m: Guest, seq: int) -> None:
    """Two who met in a room go on by themselves."""
    talk = (await m.ask("talk", room=ROOM, seq=seq, cid=new_cid()))["talk"]
    await a.hears("event", room="me", kind="notice", notice="talk_asked")
    await a.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    for guest in (a, m):
        await guest.join(talk)
    said = await a.say(talk, evening.says("said alone"))
    await m.reaches(talk, said["seq"])
    await m.ask("seen", room=talk, seq=said["seq"])
    await a.ask("writing", room=talk, on=True)


async def _page(server: Served, evening: Evening, a: Guest, m: Guest) -> None:
    """One pages the other, who has a role; they talk about it, and a second page is taken back."""
    service_name, number = evening.says("service"), f"+1807{random.randrange(10**6, 10**7)}"
    evening.said["number"] = number
    role = await put_role(
        server.environ.get("LOUNGE_IDENTITY_URL")
        or f"sqlite+aiosqlite:///{server.folder}/identity.db",
        {"primary": [await _id_of(server, evening.doctors[1])]},
        policy=DEFAULT,
        service=service_name,
        name=evening.says("role"),
        number=number,
    )
    await m.join("me")
    for what in ("paged", "withdrawn"):
        asked = {"role": role, "urgency": "now", "text": evening.says(what), "cid": new_cid()}
        room = (await a.ask("page", **asked))["room"]
        await m.hears("event", notice="page", about=room)
        await m.ask("page_mark", room=room, mark="seen")
        if what == "paged":
            await m.ask("page_answer", room=room, accept=True, cid=new_cid())
            for guest in (a, m):
                await guest.join(room)
            await m.say(room, evening.says("said when paged"))
        await a.ask("page_end", room=room, cid=new_cid())


async def _apply(server: Served, evening: Evening, http: httpx2.AsyncClient) -> None:
    """Somebody new asks to be let in, with a licence and a document, and may do so by a letter's code."""
    nina = Doctor()
    base = str(random.randrange(10**8, 2 * 10**8))
    nina.licence = base + luhn.calc_check_digit(f"80840{base}")
    form = {
        **{"email": nina.email, "name": nina.name, "password": nina.password, "language": "en"},
        **{"country": "US", "specialty": "cardiology", "grade": "specialist"},
        **{"body": "us.npi", "licence": nina.licence},
    }
    asked = await http.post("/api/applications", json=form)
    assert (asked.status_code, asked.content) == (202, b"{}")
    kept = {"cookie": asked.headers["set-cookie"].partition(";")[0]}
    nina.code = await _mailed(server)
    body = {"email": nina.email, "code": nina.code}
    entered = await http.post("/api/applications/confirm", json=body, headers=kept)
    assert entered.status_code == 200
    nina.cookie = _session_cookie(entered)
    evening.doctors.append(nina)
    by = {"cookie": nina.cookie}
    paper = f"%PDF-1.7 {nina.name} {nina.licence}".encode()
    path, kind = "/api/application/documents/diploma.pdf", {"content-type": "application/pdf"}
    assert (await http.put(path, content=paper, headers=by | kind)).status_code == 204
    assert (await http.get("/api/application", headers=by)).status_code == 200
    refused = await http.post("/api/application/examine", headers=by)
    assert refused.status_code in (200, 202)
    nina.token = secrets.token_hex(20)  # she has none yet: nothing to be found


def _session_cookie(answer: httpx2.Response) -> str:
    cookies = [value.partition(";")[0] for value in answer.headers.get_list("set-cookie")]
    return next(cookie for cookie in cookies if cookie.startswith("lounge_session="))


async def _mailed(server: Served) -> str:
    """The code in the newest letter that has one: others tell of what was done with accounts."""
    code, codes = re.compile(r"^\w{4}-\w{4}\r?$", re.M), list[str]()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not codes:
            await asyncio.sleep(0.05)
            files = sorted((server.folder / "outbox").glob("*.eml"))
            codes = [found for file in files for found in code.findall(file.read_text())]
    return codes[-1].strip()


async def _browse(http: httpx2.AsyncClient, evening: Evening, seq: int) -> None:
    """Every route, as each of them."""
    for doctor in evening.doctors:
        by = {"cookie": doctor.cookie}
        for name in OWN:
            await http.get(f"/api/{name}", headers=by)
        for room in (ROOM, "me"):
            await http.get(f"/api/rooms/{room}/events?after=0&limit=200", headers=by)
        await http.get(f"/api/rooms/{ROOM}/events?around={seq}", headers=by)
        await http.put(f"/api/rooms/{ROOM}/pin", json={"pinned": True}, headers=by)
        await http.post("/api/search", json={"q": evening.said["spoken"]}, headers=by)
        await http.patch("/api/session", json={"language": "fr"}, headers=by)
    own = await http.get("/api/own-data", headers={"cookie": evening.doctors[0].cookie})
    evening.own[0] = own.content
    evening.bodies.remove(own.content)  # that is hers: it is looked at by itself
    by = {"cookie": evening.doctors[1].cookie}
    for report in (await http.get("/api/reports", headers=by)).json()["reports"]:
        closed = {"outcome": "upheld"}
        for path in ("claim", "notes", "context"):
            await http.request(
                "POST" if path == "claim" else "GET",
                f"/api/reports/{report['id']}/{path}",
                headers=by,
            )
        await http.post(f"/api/reports/{report['id']}/close", json=closed, headers=by)
    for path in PUBLIC:
        await http.get(path)


async def _go_wrong(server: Served, evening: Evening, database: str | None, a: Guest) -> None:
    """Faults with her words in hand: a table that is gone, an entry that is broken, bad frames."""
    text = evening.says("failed")
    await _executed(server, database, "ALTER TABLE receipt RENAME TO receipt_away")
    assert (await a.refused("say", room=ROOM, cid=new_cid(), text=text))["code"] == "storage"
    await _executed(server, database, "ALTER TABLE receipt_away RENAME TO receipt")
    broken = f'{{"text": "{evening.said["spoken"]}", broken'
    was = "UPDATE entry SET body = {} WHERE seq = 1"
    await _executed(server, database, was.format(_blob(broken, database)))
    assert (await a.refused("history", room=ROOM, after=0))["code"] == "internal"
    right = json.dumps({"text": evening.said["spoken"]})
    await _executed(server, database, was.format(_blob(right, database)))
    for frame in (f'{{"op":"{text}","ref":1}}', f"{text}", f'{{"op":"join","ref":"{text}"}}'):
        await a.socket.send(frame)
    bad = await Guest.connect(server.port, evening.doctors[0].token)
    await bad.socket.send(text.encode() + b"\xff", text=True)
    assert await bad.closed() == 1007
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET /{evening.doctors[0].mark}\0 {text} HTTP/1.1\r\n\r\n".encode())
    await reader.read()
    writer.close()
    await a.ask("ping")


async def _leave(
    server: Served, evening: Evening, http: httpx2.AsyncClient, guests: list[Guest]
) -> None:
    """Signed out by herself, closed out by the operator; nobody comes back in."""
    ana, moira, *_ = evening.doctors
    assert (await http.delete("/api/session", headers={"cookie": ana.cookie})).status_code == 204
    assert await guests[0].closed() == 4501
    await server.lounge("doctor", "verify", moira.email, "--revoke")
    assert await guests[1].closed() == 4503
    assert (await http.get("/api/session", headers={"cookie": ana.cookie})).status_code == 401
    with contextlib.suppress(ConnectionClosed):
        await guests[2].socket.close()


# -- what came out -------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _keeping(server: Served, evening: Evening) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose every answer is kept. Two things may be told to their owner, once: a cookie and
    a new token.
    """
    heads: list[bytes] = []

    async def keep(answer: httpx2.Response) -> None:
        body = await answer.aread()
        if not (answer.request.url.path == "/api/tokens" and answer.status_code == 201):
            evening.bodies.append(body)
        told = [f"{k}: {v}" for k, v in answer.headers.multi_items() if k != "set-cookie"]
        heads.append("\n".join(told).encode())

    hooks: dict[str, Any] = {"response": [keep]}
    headers = {"origin": server.url}
    async with http_client(
        base_url=server.url, headers=headers, event_hooks=hooks, timeout=60
    ) as http:
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none by itself
        yield http
    evening.outputs["http headers"] = b"\n".join(heads)


async def _stored(server: Served, database: str | None) -> bytes:
    """The lounge side as it lies on disk: SQLite's files byte by byte, or all that PostgreSQL holds."""
    if database is None:
        files = sorted(server.folder.glob("lounge.db*"))
        return b"\n".join(file.read_bytes() for file in files)
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        names = [row["tablename"] for row in await connection.fetch(query)]
        assert set(LOUNGE.tables) <= set(names)
        rows = [(name, await connection.fetch(f'SELECT * FROM "{name}"')) for name in names]
    finally:
        await connection.close()
    return b"\n".join(
        b"\t".join([name.encode(), *map(_raw, row.values())])
        for name, found in rows
        for row in found
    )


async def _settled(server: Served, evening: Evening, database: str | None) -> bytes:
    """The same, once what was erased has left SQLite's write-ahead log too: within a second or so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while found_in({"store": (stored := await _stored(server, database))}, evening.gone):
            await asyncio.sleep(0.1)
    return stored


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def _id_of(server: Served, doctor: Doctor) -> str:
    """From the identity store, the only place that knows."""
    query = "SELECT id FROM doctor WHERE email = "
    url = server.environ.get("LOUNGE_IDENTITY_URL")
    if url is None:
        with contextlib.closing(sqlite3.connect(server.folder / "identity.db")) as identity:
            return str(identity.execute(query + "?", [doctor.email]).fetchone()[0])
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    found = await connection.fetchval(query + "$1", doctor.email)
    await connection.close()
    return str(found)


async def _executed(server: Served, database: str | None, statement: str) -> None:
    """By an operator with too many rights, beside the running server."""
    if database is not None:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()
        return
    with (server.folder / "lounge.db.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.closing(sqlite3.connect(server.folder / "lounge.db")) as lounge:
            lounge.execute("PRAGMA wal_autocheckpoint = 0")
            lounge.execute("PRAGMA secure_delete = ON")
            lounge.execute(statement)
            lounge.commit()


def _blob(text: str, database: str | None) -> str:
    written = text.encode().hex()
    return f"X'{written}'" if database is None else f"'\\x{written}'"


@contextlib.asynccontextmanager
async def _monitored(redis_url: str) -> AsyncIterator[bytearray]:
    """Every command that Valkey is given from now on, as MONITOR writes it."""
    commands = bytearray()
    reader, writer = await asyncio.open_unix_connection(redis_url.removeprefix("unix://"))
    writer.write(b"MONITOR\r\n")
    assert await reader.readline() == b"+OK\r\n"

    async def listen() -> None:
        while chunk := await reader.read(65_536):
            commands.extend(chunk)

    listening = asyncio.create_task(listen())
    yield commands
    writer.close()
    await listening


async def _with_leases(redis_url: str) -> bytes:
    """What Valkey holds while somebody is there, once one of the leases has been told of."""
    async with asyncio.timeout(3 * PATIENCE_SECONDS):
        while b":here:" not in (dumped := await _dumped(redis_url)):
            await asyncio.sleep(0.1)
    return dumped


async def _dumped(redis_url: str) -> bytes:
    """Every key that Valkey holds, and what it holds there."""
    async with Redis.from_url(redis_url) as redis:
        dumped = bytearray()
        async for key in redis.scan_iter():
            dumped += key + b"\t" + (await redis.dump(key) or b"") + b"\n"
            if await redis.type(key) == b"zset":
                dumped += b"\n".join(await redis.zrange(key, 0, -1)) + b"\n"  # type: ignore[arg-type]
        return bytes(dumped)


def _keys(commands: bytes) -> Iterator[bytes]:
    """Of each command its first argument: a key or a channel."""
    for found in re.finditer(rb'^\+[\d.]+ \[[^\]]*\] "\w+" "((?:[^"\\]|\\.)*)"', commands, re.M):
        yield found[1]
