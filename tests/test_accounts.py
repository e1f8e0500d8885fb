"""The HTTP door of a doctor's account, as a browser and as a program see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lounge import demo
from lounge.accounts import Accounts
from lounge.doctors import Doctors, Unrecognised
from lounge.errors import Refusal
from lounge.events import rfc3339
from lounge.settings import Settings
from storage.database import Database
from tests.stores import START, Stores, add_ana, open_stores
from tests.support import http_client
from web.accounts import browser_of, routes

SITE = "http://localhost:8000"
EMAIL, PASSWORD = "ana@clinic.test", "correct horse"
AS_ANA = {"email": EMAIL, "password": PASSWORD}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class House:
    """What these routes need of the lounge."""

    settings: Settings
    doctors: Doctors
    identity_database: Database
    accounts: Accounts


class With:
    """The routes alone, with refusals as JSON: the account apart from all the rest."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._app: ASGIApp = Starlette(routes=routes, exception_handlers={Refusal: _refused})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"lounge": self._house}
        await self._app(scope, receive, send)


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    status = 401 if isinstance(refusal, Unrecognised) else 400
    return JSONResponse({"code": refusal.code, "key": refusal.key}, status)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as stores:
        yield stores


@pytest.fixture
async def house(stores: Stores) -> AsyncIterator[House]:
    doctors = stores.doctors()
    code = await add_ana(doctors)
    await doctors.set_password(EMAIL, code, PASSWORD, address="")
    yield House(stores.settings, doctors, stores.identity, stores.accounts(doctors))
    doctors.close()


def client(house: House, site: str = SITE, **headers: str) -> httpx2.AsyncClient:
    """A browser without cookies yet; `origin` is what its page came from."""
    headers = {"origin": site, "user-agent": FIREFOX, **headers}
    transport = httpx2.ASGITransport(app=With(house))
    return http_client(transport=transport, base_url=site, headers=headers)


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that nobody has signed in with."""
    async with client(house) as visitor:
        yield visitor


@pytest.fixture
async def ana(visitor: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Ana's browser, signed in."""
    assert (await visitor.post("/api/session", json=AS_ANA)).status_code == 200
    return visitor


async def test_ana_signs_in_and_out(visitor: httpx2.AsyncClient) -> None:
    assert (await visitor.get("/api/session")).status_code == 401
    entered = await visitor.post("/api/session", json=AS_ANA)
    me = {"language": "en", "roles": ["doctor"], "verified": True, "demo": False}
    assert (entered.status_code, entered.json()) == (200, me)
    assert (await visitor.get("/api/session")).json() == me
    left = await visitor.delete("/api/session")
    assert left.status_code == 204
    assert '"cookies"' in left.headers["clear-site-data"]
    assert (await visitor.get("/api/session")).status_code == 401


async def test_the_cookie_is_for_this_site_and_no_script(visitor: httpx2.AsyncClient) -> None:
    cookie = (await visitor.post("/api/session", json=AS_ANA)).headers["set-cookie"]
    name, *traits = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("lounge_session=")
    assert {"httponly", "samesite=strict", "path=/"} <= set(traits)
    assert "secure" not in traits


async def test_under_https_the_cookie_is_bound_to_its_host(house: House) -> None:
    house.settings = replace(house.settings, origins=("https://lounge.test",))
    async with client(house, "https://lounge.test") as visitor:
        cookie = (await visitor.post("/api/session", json=AS_ANA)).headers["set-cookie"]
        assert cookie.startswith("__Host-lounge_session=")
        assert "secure" in cookie.lower()
        assert "domain" not in cookie.lower()
        assert (await visitor.get("/api/session")).status_code == 200


async def test_signing_in_again_ends_the_session_before(ana: httpx2.AsyncClient) -> None:
    before = ana.cookies["lounge_session"]
    await ana.post("/api/session", json=AS_ANA)
    assert ana.cookies["lounge_session"] != before
    old = await ana.get("/api/session", headers={"cookie": f"lounge_session={before}"})
    assert old.status_code == 401


async def test_an_unverified_doctor_is_told_what_is_missing(
    house: House, visitor: httpx2.AsyncClient
) -> None:
    code = await add_ana(house.doctors, email="dan@clinic.test", verified=False)
    await visitor.post(
        "/api/password", json={"email": "dan@clinic.test", "code": code, "password": PASSWORD}
    )
    answer = await visitor.post("/api/session", json={**AS_ANA, "email": "dan@clinic.test"})
    assert answer.json()["verified"] is False
    assert answer.json()["missing"] == ["verification"]


async def test_ana_changes_her_language(ana: httpx2.AsyncClient) -> None:
    changed = await ana.patch("/api/session", json={"language": "fr"})
    assert changed.json()["language"] == "fr"
    assert (await ana.get("/api/session")).json()["language"] == "fr"
    assert (await ana.patch("/api/session", json={"language": "de"})).status_code == 400


async def test_ana_sees_and_ends_her_sessions(house: House, ana: httpx2.AsyncClient) -> None:
    async with client(house, **{"user-agent": "curl/8"}) as other:
        await other.post("/api/session", json=AS_ANA)
        lines = (await ana.get("/api/sessions")).json()["sessions"]
        assert {line["label"] for line in lines} == {"Firefox on Linux", "Other"}
        (here,) = [line for line in lines if line["current"]]
        (there,) = [line for line in lines if not line["current"]]
        assert (here["label"], here["created"]) == ("Firefox on Linux", rfc3339(START))
        assert (await ana.delete(f"/api/sessions/{there['id']}")).status_code == 204
        assert (await other.get("/api/session")).status_code == 401
    assert (await ana.delete("/api/sessions/unknown")).json()["code"] == "not_found"


async def test_ana_makes_a_token_that_a_program_uses_without_origin(
    house: House, ana: httpx2.AsyncClient
) -> None:
    made = await ana.post("/api/tokens", json={"label": "replay"})
    assert made.status_code == 201
    secret, id = made.json()["token"], made.json()["id"]
    listed = await ana.get("/api/tokens")
    assert [line["label"] for line in listed.json()["tokens"]] == ["replay"]
    assert secret not in listed.text
    async with client(house, authorization=f"Bearer {secret}") as program:
        del program.headers["origin"]
        assert (await program.get("/api/session")).json()["verified"]
        assert (await program.patch("/api/session", json={"language": "fr"})).status_code == 200
        assert (await ana.delete(f"/api/tokens/{id}")).status_code == 204
        assert (await program.get("/api/session")).status_code == 401


async def test_a_bad_token_is_not_saved_by_a_good_cookie(ana: httpx2.AsyncClient) -> None:
    for bad in ("Bearer nonsense", "Basic YTpi", "Bearer", ""):
        answer = await ana.get("/api/session", headers={"authorization": bad})
        assert answer.status_code == 401


BAD_ORIGINS = [
    "null",
    "http://localhost",
    "http://localhost:8001",
    "https://localhost:8000",
    "http://LOCALHOST:8000",
    "http://localhost:8000/",
    "http://localhost:8000.evil.test",
    "http://evil.test",
    "http://localhost:8000@evil.test",
    "http://evil.test/http://localhost:8000",
    "http://xn--lcalhost-4pb:8000",
    "",
]
CHANGES = [
    ("PATCH", "/api/session"),
    ("DELETE", "/api/session"),
    ("DELETE", "/api/sessions/x"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/x"),
]


async def test_no_other_origin_signs_anybody_in(visitor: httpx2.AsyncClient) -> None:
    for origin in BAD_ORIGINS:
        answer = await visitor.post("/api/session", json=AS_ANA, headers={"origin": origin})
        assert answer.json()["key"] == "session.origin", origin
        assert "set-cookie" not in answer.headers


async def test_a_cookie_changes_nothing_without_an_allowed_origin(ana: httpx2.AsyncClient) -> None:
    del ana.headers["origin"]
    for origin in [*BAD_ORIGINS, None]:
        for method, path in CHANGES:
            headers = {} if origin is None else {"origin": origin}
            answer = await ana.request(method, path, headers=headers, json={})
            assert answer.json()["key"] == "session.origin", (method, path, origin)


async def test_two_origins_are_none(ana: httpx2.AsyncClient) -> None:
    answer = await ana.delete(
        "/api/session", headers=[("origin", SITE), ("origin", "http://evil.test")]
    )
    assert answer.json()["key"] == "session.origin"


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (json.dumps(AS_ANA).encode(), "text/plain", "invalid"),
        (b"{", "application/json", "invalid"),
        (b"[]", "application/json", "invalid"),
        (b'{"email": "ana@clinic.test"}', "application/json", "invalid"),
        (b'{"email": 1, "password": "x"}', "application/json", "invalid"),
        (b'{"email": "\xff", "password": "x"}', "application/json", "invalid"),
        (b" " * 9_000 + json.dumps(AS_ANA).encode(), "application/json", "too_long"),
    ],
)
async def test_a_body_that_is_not_right_is_refused(
    visitor: httpx2.AsyncClient, content: bytes, kind: str, code: str
) -> None:
    answer = await visitor.post("/api/session", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_no_answer_names_the_doctor_or_may_be_kept(
    stores: Stores, ana: httpx2.AsyncClient
) -> None:
    for path in ("/api/session", "/api/sessions", "/api/tokens"):
        answer = await ana.get(path)
        assert answer.headers["cache-control"] == "no-store"
        for secret in ("ana@", "Ana", (await _ids(stores))):
            assert secret not in answer.text


async def test_without_demo_there_is_no_cast(visitor: httpx2.AsyncClient) -> None:
    assert (await visitor.get("/api/demo")).json()["code"] == "not_found"
    answer = await visitor.post("/api/demo", json={"id": "cardiologist"})
    assert answer.json()["code"] == "not_found"


async def test_in_a_demo_one_click_signs_in(tmp_path: Path) -> None:
    async with open_stores(tmp_path / "demo") as stores:
        await demo.fill(stores.identity, now=START)
        doctors = stores.doctors()
        settings = replace(stores.settings, demo=True)
        house = House(settings, doctors, stores.identity, stores.accounts(doctors))
        async with client(house) as visitor:
            cast = (await visitor.get("/api/demo")).json()["cast"]
            assert [member["verified"] for member in cast].count(False) == 1
            for member in cast:
                answer = await visitor.post("/api/demo", json={"id": member["id"]})
                me: dict[str, Any] = answer.json()
                assert me["demo"] is True
                assert me["roles"] == member["roles"]
                assert (await visitor.get("/api/session")).json() == me
            assert (await visitor.post("/api/demo", json={"id": "who"})).status_code == 400
            foreign = {"origin": "http://evil.test"}
            answer = await visitor.post("/api/demo", json={"id": cast[0]["id"]}, headers=foreign)
            assert answer.json()["key"] == "session.origin"
        doctors.close()


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari on iOS",
        ),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("", "Other"),
    ],
)
def test_a_session_is_labelled_by_family_only(user_agent: str, label: str) -> None:
    assert browser_of(user_agent) == label


async def _ids(stores: Stores) -> str:
    async with stores.identity.reading() as connection:
        return str((await connection.exec_driver_sql("SELECT id FROM doctor")).scalar_one())
