"""Joining as a browser sees it: applying, confirming, waiting, and the registrar's desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from lounge.credentials.joining import Joining
from lounge.doctors import Doctors, Unrecognised
from lounge.errors import REVOKED, Refusal
from lounge.house import TEXTS
from lounge.limits import Limits
from lounge.settings import Settings
from storage.database import Database
from tests.credentials import ANA, Desk, Said, desk_of, institution, register
from tests.stores import Stores, doctor_by, open_stores, wipe
from tests.support import Guest, http_client, open_house, until
from web import accounts, applications, registrar
from web.pages import SecurityHeaders

SITE = "http://localhost:8000"
FORM = {name: getattr(ANA, name) for name in ANA.__struct_fields__ if name != "region"}
PDF = b"%PDF-1.7 made up"


@dataclass
class House:
    """What these routes need of the lounge."""

    settings: Settings
    doctors: Doctors
    joining: Joining
    limits: Limits
    identity_database: Database
    database: Database


class With:
    """The routes alone, with refusals as JSON."""

    def __init__(self, desk: Desk) -> None:
        stores, joining = desk.stores, desk.joining
        limits = Limits(lifted=False)
        self._house = House(
            stores.settings, desk.doctors, joining, limits, stores.identity, stores.lounge
        )
        routes = [*accounts.routes, *applications.routes, *registrar.routes]
        self._app = SecurityHeaders(
            Starlette(routes=routes, exception_handlers={Refusal: _refused})
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"lounge": self._house}
        await self._app(scope, receive, send)


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    status = 401 if isinstance(refusal, Unrecognised) else 400
    return JSONResponse({"key": refusal.key}, status)


@pytest.fixture(scope="module")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("applications")) as stores:
        yield stores


@pytest.fixture
async def desk(sqlite: Stores) -> AsyncIterator[Desk]:
    await wipe(sqlite)
    desk = desk_of(sqlite)
    yield desk
    desk.doctors.close()


@pytest.fixture
async def visitor(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(desk) as visitor:
        yield visitor


def client(desk: Desk, **headers: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=With(desk))
    return http_client(transport=transport, base_url=SITE, headers={"origin": SITE, **headers})


async def joined(desk: Desk, visitor: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Apply, read the letter, type the code: what the session says."""
    form = {**FORM, **changes}
    assert (await visitor.post("/api/applications", json=form)).status_code == 202
    await desk.postman.carry()
    body = {"email": form["email"], "code": desk.letters.code(form["email"])}
    answer = await visitor.post("/api/applications/confirm", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_applying_confirming_and_accepting_opens_the_rooms(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    desk.sources["a"].finding, desk.sources["b"].finding = register(), institution()
    me = await joined(desk, visitor)
    assert (me["verified"], me["missing"]) == (True, ["acceptance"])
    house = (await visitor.get("/api/house")).json()
    assert (house["officers"], house["unmaskings"]) == ([], 0)
    answer = await visitor.post("/api/application/accept", json={"version": house["texts"]})
    assert answer.status_code == 204
    assert "missing" not in (await visitor.get("/api/session")).json()


async def test_screens_that_have_changed_are_accepted_anew(
    desk: Desk, visitor: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.sources["a"].finding, desk.sources["b"].finding = register(), institution()
    await joined(desk, visitor)
    first, changed = {"version": TEXTS}, {"version": TEXTS + 1}
    assert (await visitor.post("/api/application/accept", json=first)).status_code == 204
    for module in ("lounge.doctors", "lounge.house", "lounge.credentials.applications"):
        monkeypatch.setattr(f"{module}.TEXTS", TEXTS + 1)
    assert (await visitor.get("/api/session")).json()["missing"] == ["acceptance"]
    assert (await visitor.get("/api/application")).json()["accepted"] is False
    late = await visitor.post("/api/application/accept", json=first)
    assert late.json()["key"] == "application.texts"
    assert (await visitor.post("/api/application/accept", json=changed)).status_code == 204
    assert "missing" not in (await visitor.get("/api/session")).json()


async def test_the_answer_is_the_same_for_an_e_mail_that_is_known(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    await joined(desk, visitor)
    async with client(desk) as other:
        answers = [
            await other.post("/api/applications", json=FORM | {"email": email})
            for email in (ANA.email, "nobody@heart.example")
        ]
    known, unknown = ((each.status_code, each.content) for each in answers)
    assert known == unknown == (202, b"{}")
    lengths = {len(each.headers["set-cookie"]) for each in answers}
    assert len(lengths) == 1


async def test_who_waits_reads_how_it_stands_why_and_what_to_do(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    desk.sources["a"].finding = register()
    assert (await joined(desk, visitor))["missing"] == ["verification"]
    seen = (await visitor.get("/api/application")).json()
    assert (seen["state"], seen["reason"]) == ("checking", "public_only")
    assert (seen["body"], seen["licence_hint"]) == ("us.npi", "…93")
    assert {step["id"]: step["done"] for step in seen["steps"]} == {
        "email": True,
        "person": False,
        "licence": True,
        "private": False,
    }
    assert [step["next"] for step in seen["steps"] if not step["done"]] == [
        "step.person",
        "step.private",
    ]
    verdicts = {each["source"]: each["verdict"] for each in seen["findings"]}
    assert verdicts == {"number": "agrees", "register": "agrees"}
    assert (await visitor.get("/api/house")).json()["key"] == "refusal.not_verified"


async def test_an_application_is_corrected_and_examined_again(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    await joined(desk, visitor, licence=None, body=None)
    wrong = {"body": "us.npi", "licence": "1234567890"}
    answer = await visitor.patch("/api/application", json=wrong)
    assert answer.json()["key"] == "standing.licence_check_digit"
    answer = await visitor.patch("/api/application", json=wrong | {"licence": "1234567893"})
    assert answer.json()["licence_hint"] == "…93"
    desk.sources["a"].finding, desk.sources["b"].finding = register(), institution()
    assert (await visitor.post("/api/application/examine")).json()["state"] == "verified"


async def test_asking_all_sources_again_and_again_is_slowed_down(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    await joined(desk, visitor)
    answers = [await visitor.post("/api/application/examine") for _ in range(7)]
    assert [each.status_code for each in answers] == [200] * 6 + [400]
    assert answers[-1].json()["key"] == "refusal.rate_limited"


async def test_a_document_goes_to_the_registrar_and_to_nobody_else(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    desk.sources["a"].finding = register()
    await joined(desk, visitor)
    path = "/api/application/documents/licence%20é.pdf"
    kind = {"content-type": "application/pdf"}
    assert (await visitor.put(path, content=PDF, headers=kind)).status_code == 204
    long = await visitor.put(path, content=PDF + bytes(5 * 1024 * 1024), headers=kind)
    assert long.json()["key"] == "document.too_long"
    (paper,) = (await visitor.get("/api/application")).json()["documents"]
    assert (paper["name"], paper["bytes"]) == ("licence é.pdf", len(PDF))
    assert (await visitor.get("/api/registrar/applications")).json()["key"] == (
        "refusal.not_registrar"
    )
    async with client(desk, authorization=f"Bearer {await _registrar(desk)}") as registrar:
        (line,) = (await registrar.get("/api/registrar/applications")).json()["applications"]
        one = f"/api/registrar/applications/{line['id']}"
        sheet = (await registrar.get(one)).json()
        assert (sheet["email"], sheet["licence"]) == (ANA.email, ANA.licence)
        read = await registrar.get(f"{one}/documents/licence%20é.pdf")
        assert (read.content, read.headers["content-type"]) == (PDF, "application/pdf")
        assert read.headers["content-disposition"] == (
            "attachment; filename*=UTF-8''licence%20%C3%A9.pdf"
        )
        assert read.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'; sandbox" in read.headers.get_list("content-security-policy")
        verdict = {"verdict": "verified", "reason": "registrar", "version": sheet["version"]}
        assert (await registrar.post(one, json=verdict)).status_code == 204
        assert (await registrar.get(one)).json()["key"] == "application.unknown"
    assert (await visitor.get("/api/session")).json()["verified"] is True


async def test_vouching_answers_the_same_for_a_stranger(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    await joined(desk, visitor)
    refused = await visitor.post("/api/vouchers", json={"email": "ben@heart.example"})
    assert refused.json()["key"] == "refusal.not_verified"
    async with client(desk, authorization=f"Bearer {await _registrar(desk)}") as rhea:
        for email in (ANA.email, "nobody@heart.example"):
            answer = await rhea.post("/api/vouchers", json={"email": email})
            assert (answer.status_code, answer.content) == (202, b"{}")


async def test_nothing_is_changed_from_another_site(
    desk: Desk, visitor: httpx2.AsyncClient
) -> None:
    await joined(desk, visitor)
    evil = {"origin": "http://evil.test"}
    for method, path, body in (
        ("POST", "/api/applications", FORM),
        ("POST", "/api/applications/confirm", {"email": ANA.email, "code": "A"}),
        ("PATCH", "/api/application", {"name": "Mallory"}),
        ("POST", "/api/application/examine", None),
        ("POST", "/api/application/accept", {"version": 1}),
        ("PUT", "/api/application/documents/a.pdf", None),
        ("DELETE", "/api/application/documents/a.pdf", None),
        ("POST", "/api/vouchers", {"email": ANA.email}),
        (
            "POST",
            "/api/registrar/applications/x",
            {"verdict": "verified", "reason": "x", "version": "x"},
        ),
    ):
        answer = await visitor.request(method, path, json=body, headers=evil)
        assert answer.json()["key"] == "session.origin", path


async def _registrar(desk: Desk) -> str:
    """Rhea's bearer token."""
    await desk.doctors.add(
        email="rhea@heart.example",
        name="Rhea",
        country="CA",
        specialty="cardiology",
        roles=["registrar"],
        verified=True,
    )
    rhea = await doctor_by(desk.stores, "rhea@heart.example")
    _, token = await desk.doctors.add_token(rhea.id, "test")
    return token


# -- the whole lounge ----------------------------------------------------------------------------


async def test_a_letter_is_sent_rooms_open_and_a_suspension_closes_the_socket(
    tmp_path: Path, redis_url: str
) -> None:
    async with open_house(tmp_path, redis_url) as house:
        said = [Said("a", register()), Said("b", institution())]
        house.lounge.applications.sources = said
        async with house.http(origin=house.url) as ana:
            assert (await ana.post("/api/applications", json=FORM)).status_code == 202
            await until(lambda: list((tmp_path / "outbox").glob("*.eml")) != [])
            (file,) = (tmp_path / "outbox").glob("*.eml")
            code = re.findall(r"^\w{4}-\w{4}$", file.read_text(), re.M)[0]
            body = {"email": ANA.email, "code": code}
            assert (await ana.post("/api/applications/confirm", json=body)).is_success
            assert (await ana.get("/api/rooms")).status_code == 403
            await ana.post("/api/application/accept", json={"version": 1})
            assert (await ana.get("/api/rooms")).status_code == 200
            cookie = "; ".join(f"{name}={value}" for name, value in ana.cookies.items())
        guest = await Guest.connect(house.port, headers={"Cookie": cookie, "Origin": house.url})
        house.guests.append(guest)
        await guest.join("specialty/cardiology")
        who = await house.lounge.doctors.id_of(ANA.email)
        assert who is not None
        said[0].finding = register("disagrees", "licence_suspended")
        await house.lounge.applications.examine(who)
        assert await guest.closed() == REVOKED
