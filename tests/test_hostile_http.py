"""Bad input on the HTTP routes: the documented error and nothing else, headers on everything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from lounge.errors import Code
from lounge.limits import SAYS
from lounge.search import Search
from tests.backends import addresses
from tests.hostile.attack import COOKIE, GARBAGE_CURSORS
from tests.stores import SQLITE_FIRST
from tests.support import House, new_cid, open_house
from web import accounts, api, pages, schemas, streams
from web.accounts import LONGEST_BODY_BYTES
from web.version import VERSION

ROOM = "specialty/cardiology"
EVENTS = f"/api/rooms/{ROOM}/events"

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/session"): {"email": "nobody@example.test", "password": "not hers"},
    ("PATCH", "/api/session"): {"language": "en"},
    ("POST", "/api/password"): {
        "email": "nobody@example.test",
        "code": "none",
        "password": "long enough",
    },
    ("POST", "/api/tokens"): {"label": "program"},
    ("PUT", f"/api/rooms/{ROOM}/pin"): {"pinned": True},
    ("POST", "/api/search"): {"q": "words", "room": ROOM, "limit": 5, "cursor": "x"},
    ("POST", "/api/reports/none/close"): {"outcome": "upheld", "act": "warn"},
    ("POST", "/api/reports/none/notes"): {"text": "Seen before."},
    ("POST", "/api/appeals/none/close"): {"outcome": "lifted"},
    ("PUT", "/api/duty"): {"minutes": 30},
    ("PUT", "/api/available"): {"minutes": 60},
    ("POST", "/api/page"): {"room": "page/" + "A" * 22, "act": "accept", "formal": True},
    ("POST", "/api/roles/none/members"): {"agrees": True},
    ("POST", "/api/roles/none/changes"): {"kind": "until", "ends": "2030-01-01T08:00:00Z"},
}
"""Each route that takes a body, with one that it understands."""

OPTIONAL = {"room", "limit", "cursor", "formal", "agrees", "act"}
CHANGING = [
    *(
        route
        for route in BODIES
        if route[1] not in ("/api/session", "/api/password", "/api/search")
    ),
    ("PATCH", "/api/session"),
    ("DELETE", "/api/session"),
    ("DELETE", "/api/sessions/none"),
    ("DELETE", "/api/tokens/none"),
]
"""What changes something by a session: a page from elsewhere must not get there."""

NO_BODIES = {
    "nothing": b"",
    "words": b"hello",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "cut short": b'{"a":',
    "bad utf-8": b'{"q":"\xff\xfe","email":"\xff"}',
    "a lone surrogate": b'{"q":"\\ud800","label":"\\ud800","language":"\\ud800"}',
    "brackets without end": b"[" * 8_000,
    "braces without end": b'{"a":' * 1_500,
    "nesting in an unknown field": b'{"x":' + b"[" * 4_000 + b"]" * 4_000 + b"}",
}


on_both = pytest.mark.parametrize("house", SQLITE_FIRST, indirect=True, scope="module")


@pytest.fixture(scope="module")
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    """On SQLite, but for the tests whose input reaches a database."""
    folder = tmp_path_factory.mktemp("hostile-http")
    async with addresses(request) as urls, open_house(folder, redis_url, **urls) as house:
        yield house


@pytest.fixture
async def site(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Our own page in the browser of a moderator who has not been here before."""
    name = f"moderator-{new_cid()}"
    await house.doctor(name, roles=["moderator"])
    async with house.http(cookie=await _cookie(house, name), origin=house.url) as site:
        yield site


@pytest.fixture(autouse=True)
async def still_served(house: House, site: httpx2.AsyncClient) -> AsyncIterator[None]:
    """Whatever was sent, the next request is answered."""
    yield
    assert (await site.get("/api/session")).status_code == 200


@pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))
async def test_a_body_that_is_none_is_invalid(
    site: httpx2.AsyncClient, route: tuple[str, str]
) -> None:
    for name, body in NO_BODIES.items():
        answer = await site.request(*route, content=body, headers=_JSON)
        assert _refused(answer, 400) == "invalid", name
    answer = await site.request(*route, content=b" " * (LONGEST_BODY_BYTES + 1), headers=_JSON)
    assert _refused(answer, 400) == "too_long"


@pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))
async def test_a_body_of_another_kind_is_invalid(
    site: httpx2.AsyncClient, route: tuple[str, str]
) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {"content-type": kind}
        answer = await site.request(*route, content=b"{}", headers=headers)
        assert _refused(answer, 400) == "invalid", kind


@on_both
@pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))
async def test_a_spoiled_field_is_invalid(site: httpx2.AsyncClient, route: tuple[str, str]) -> None:
    right = BODIES[route]
    for field in right:
        rest = {key: value for key, value in right.items() if key != field}
        if field not in OPTIONAL:
            assert _refused(await site.request(*route, json=rest), 400) == "invalid", field
        for wrong in (*_NOTHINGS, 1.5, 10**30, "x" * 1_001):
            answer = await site.request(*route, json={**rest, field: wrong})
            assert _refused(answer, 400) == "invalid", (field, wrong)


@on_both
@pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))
async def test_a_nul_is_refused_wherever_it_stands(
    site: httpx2.AsyncClient, route: tuple[str, str]
) -> None:
    for field, right in BODIES[route].items():
        if isinstance(right, str):
            spoiled = {**BODIES[route], field: right[:20] + "\0"}
            answer = await site.request(*route, json=spoiled)
            assert _refused(answer, 400) == "invalid", field


@on_both
@pytest.mark.parametrize(
    "query",
    [
        *("", "before=1&after=1", "before=1&around=1", "limit=5"),
        *("after=-1", "after=", "after=x", "after=1.5", "after=1e3", "after=0x1", "after=+1"),
        *("after=%D9%A1", "after=%00", "after=%FF", "after=12345678901234567", "after= 1"),
        *("after=0&limit=x", "after=0&limit=-1"),
    ],
)
async def test_a_number_that_is_none_is_invalid(site: httpx2.AsyncClient, query: str) -> None:
    assert _refused(await site.get(f"{EVENTS}?{query}"), 400) == "invalid"


@on_both
async def test_a_page_of_the_past_keeps_to_its_limits(
    house: House, site: httpx2.AsyncClient
) -> None:
    ana = await house.guest("ana", ROOM)
    for n in range(3):
        await ana.say(ROOM, f"{n}")
    for query, seqs in (
        ("after=0&limit=2", [1, 2]),
        ("after=0&limit=9999", [1, 2, 3]),
        ("before=3", [1, 2]),
        ("before=0", []),
        ("after=9999999999999999", []),
        ("around=2&limit=1", [2]),
    ):
        past = (await site.get(f"{EVENTS}?{query}")).json()
        assert [event["seq"] for event in past["events"]] == seqs, query
        assert past["head"] == 3


@on_both
async def test_what_is_not_there_is_not_found(house: House, site: httpx2.AsyncClient) -> None:
    await house.guest("chiara", "me")
    private = [name for name in house.lounge.hub.names() if name.startswith("me/")][-1]
    for room in ("nowhere", "..%2f..%2fetc", "world%00", "%ff", "country/CA", private):
        assert _refused(await site.get(f"/api/rooms/{room}/events?after=0"), 404)
        assert _refused(await site.put(f"/api/rooms/{room}/pin", json={"pinned": True}), 404)
    for method, path in (
        *(("GET", "/nowhere"), ("GET", "/api"), ("GET", "/words/de.json"), ("GET", "/api/demo")),
        *(("DELETE", "/api/tokens/%00"), ("DELETE", "/api/sessions/none")),
        *(("GET", f"/static/{VERSION}/../app.py"), ("GET", f"/static/{VERSION}/%2e%2e/app.py")),
        ("POST", "/api/demo"),
    ):
        assert _refused(await site.request(method, path, json={"id": "moderator"}), 404)
    for method, path in (("TRACE", "/"), ("PROPFIND", "/api/rooms"), ("PUT", "/")):
        assert _refused(await site.request(method, path), 405)


@on_both
async def test_a_search_cursor_that_is_not_ours_is_invalid(site: httpx2.AsyncClient) -> None:
    for cursor in GARBAGE_CURSORS:
        answer = await site.post("/api/search", json={"q": "x", "cursor": cursor})
        assert _refused(answer, 400 if len(cursor) < 201 else 404) == "invalid", cursor


async def test_too_many_searches_are_told_when_to_come_back(house: House) -> None:
    async with house.http(await house.token("impatient")) as impatient:
        for _ in range(200):
            answer = await impatient.post("/api/search", json={"q": "x"})
            if answer.status_code != 200:
                break
    assert _refused(answer, 429) == "rate_limited"
    wait = answer.json()["error"]["retry_after"]
    assert 0 < wait <= SAYS.get_expiry()
    assert int(answer.headers["retry-after"]) >= 1


# -- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "{here}/", "{here}, x"])
async def test_a_page_from_elsewhere_changes_nothing(house: House, origin: str | None) -> None:
    headers = {"cookie": await _cookie(house, "moira")}
    if origin is not None:
        headers["origin"] = origin.replace("{here}", house.url)
    async with house.http(**headers) as elsewhere:
        for route in CHANGING:
            answer = await elsewhere.request(*route, json=BODIES.get(route))
            assert _refused(answer, 403) == "forbidden", route
        assert (await elsewhere.get("/api/session")).status_code == 200


async def test_nobody_signs_in_from_elsewhere(house: House) -> None:
    async with house.http(origin="http://evil.example") as elsewhere:
        for path in ("/api/session", "/api/password"):
            answer = await elsewhere.post(path, json=BODIES["POST", path])
            assert _refused(answer, 403) == "forbidden"


async def test_every_route_but_the_public_ones_wants_a_session(house: House) -> None:
    public = {"/healthz", "/readyz", "/metrics", "/api/demo", "/api/password"}
    public |= {"/api/applications", "/api/applications/confirm"}
    public |= {"/api/openapi.json", "/api/asyncapi.json", "/words/{language}.json"}
    async with house.http(origin=house.url) as nobody:
        for method, path in _routes():
            if path in public or (method, path) == ("POST", "/api/session"):
                continue
            body = BODIES.get((method, _filled(path)), {})
            answer = await nobody.request(method, _filled(path), json=body)
            assert _refused(answer, 401) == "forbidden", (method, path)


@on_both
async def test_whoever_is_not_verified_reads_nothing(house: House) -> None:
    async with house.http(await house.token("dan")) as dan:
        for path in ("/api/rooms", f"{EVENTS}?after=0", "/api/rooms/me/events?after=0"):
            assert _refused(await dan.get(path), 403) == "forbidden"
        for path in ("/api/search", "/api/reports/none/close"):
            assert _refused(await dan.post(path, json=BODIES["POST", path]), 403) == "forbidden"
        pin = await dan.put(f"/api/rooms/{ROOM}/pin", json={"pinned": True})
        assert _refused(pin, 403) == "forbidden"
        assert (await dan.get("/api/session")).json()["missing"] == ["verification"]


async def test_metrics_are_for_this_machine_and_name_no_room(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    await ana.say(ROOM, "counted", cid=new_cid())
    async with house.http() as here:
        answer = await here.get("/metrics")
        assert answer.status_code == 200
        assert 'lounge_commands_total{answer="ok",op="say"}' in answer.text
        assert not re.search("cardiology|specialty|world|room=", answer.text)
        for header in ("x-forwarded-for", "forwarded"):
            away = await here.get("/metrics", headers={header: "127.0.0.1"})
            assert _refused(away, 403) == "forbidden"


# -- headers -------------------------------------------------------------------------------------


async def test_every_answer_has_the_security_headers(
    house: House, site: httpx2.AsyncClient
) -> None:
    asked = [(method, _filled(path)) for method, path in _routes()]
    asked += [("GET", each.path) for each in pages.routes if isinstance(each, Route)]
    asked += [("GET", f"/static/{VERSION}/app.js"), ("GET", "/static/nothing"), ("PUT", "/")]
    asked.remove(("DELETE", "/api/session"))
    for method, path in asked:
        answer = await site.request(method, path, json={})
        _has_security_headers(answer)


async def test_what_nobody_foresaw_says_nothing_and_has_the_headers_too(
    site: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("canary of a fault")

    monkeypatch.setattr(Search, "find", fails)
    answer = await site.post("/api/search", json={"q": "canary of a question"})
    assert _refused(answer, 500) == "internal"
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    _has_security_headers(answer)


async def test_an_error_is_told_in_the_language_that_is_asked_for(house: House) -> None:
    async with house.http() as anybody:
        english = await anybody.get("/api/session")
        french = await anybody.get("/api/session", headers={"accept-language": "fr-CA, en;q=0.5"})
    assert english.json()["error"]["code"] == french.json()["error"]["code"]
    assert english.json()["error"]["message"] != french.json()["error"]["message"]


# -- privates ------------------------------------------------------------------------------------

_NOTHINGS: tuple[Any, ...] = ([], {})
_JSON = {"content-type": "application/json"}


def _refused(answer: httpx2.Response, status: int) -> str:
    """The code of an error that is as the document says."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() <= {"code", "message", "retry_after"}
    Draft202012Validator(schemas.openapi()["components"]["schemas"]["Refused"]).validate(body)
    assert body["error"]["message"]
    return str(Code(body["error"]["code"]))


def _has_security_headers(answer: httpx2.Response) -> None:
    for name, value in pages.SECURITY_HEADERS.items():
        assert answer.headers.get_list(name) == [value], (answer.url, answer.status_code, name)
    assert "server" not in answer.headers


def _routes() -> list[tuple[str, str]]:
    return [
        (method, each.path.replace(":path", ""))
        for each in (*accounts.routes, *api.routes, *streams.routes)
        for method in sorted((each.methods or set()) - {"HEAD"})
    ]


def _filled(path: str) -> str:
    return path.format(room=ROOM, id="none", language="en")


async def _cookie(house: House, name: str) -> str:
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    return f"{COOKIE}={secret}"
