"""The published documents: every frame and every route stands in them, and nothing else passes."""

from __future__ import annotations

import ast
import copy
import math
import string
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from starlette.routing import Route

from lounge import consults, guard
from lounge.errors import RESTART, Code
from lounge.events import rfc3339
from lounge.settings import from_environment
from lounge.words import LANGUAGES, catalogue
from presence.bands import Held
from tests.oncall import id_of, role
from tests.schema import check_command, check_frame, shape_of
from tests.support import House, new_cid, open_house
from web import connection, pages, schemas, wire
from web.app import build

ROOT = Path(__file__).parents[1]
ROOM = "specialty/cardiology"


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame as the server sent it, and what each ref of its connection had asked."""

    frame: dict[str, Any]
    asked: dict[Any, str]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("schema"), redis_url) as house:
        await house.fill_crowd()
        yield house


@pytest.fixture(scope="module")
async def evening(house: House) -> dict[str, Sample]:
    """One frame of every kind, by its name in the document: provoked, not made up."""
    guests = await _spend_an_evening(house)
    return {
        shape_of(frame, guest._ops): Sample(frame, guest._ops)
        for guest in guests
        for frame in guest.frames
    }


async def test_every_frame_that_the_document_lists_is_provoked(evening: dict[str, Sample]) -> None:
    assert set(evening) == {shape.__name__ for shape in schemas.SERVER_FRAMES}


async def test_an_extra_field_is_outside_the_schema(evening: dict[str, Sample]) -> None:
    for name, sample in evening.items():
        assert _passes(sample.frame, sample.asked), name
        assert not _passes({**sample.frame, "doctor": "extra"}, sample.asked), name


async def test_an_extra_field_deep_inside_is_outside_the_schema(evening: dict[str, Sample]) -> None:
    says = evening["SayEvent"]
    spoken = copy.deepcopy(says.frame)
    spoken["by"]["badge"]["email"] = "extra"
    assert not _passes(spoken, says.asked)
    past = evening["Past"]
    page = copy.deepcopy(past.frame)
    page["events"][0]["doctor"] = "extra"
    assert not _passes(page, past.asked)


async def test_a_missing_field_is_outside_the_schema(evening: dict[str, Sample]) -> None:
    documented = schemas.asyncapi()["components"]["schemas"]
    tried = 0
    for name, sample in evening.items():
        for field in set(documented[name]["required"]) - {"op", "kind", "ref"}:
            rest = {key: value for key, value in sample.frame.items() if key != field}
            assert not _passes(rest, sample.asked), f"{name} did without {field}"
            tried += 1
    assert tried > len(evening)


@pytest.mark.parametrize("op", wire.COMMANDS)
def test_a_command_without_its_ref_is_outside_the_schema(op: str) -> None:
    with pytest.raises(ValidationError):
        check_command({"op": op})


@pytest.mark.parametrize("name", ["asyncapi", "openapi"])
async def test_the_documents_are_served_and_are_json_schema(house: House, name: str) -> None:
    async with house.http() as anybody:
        answer = await anybody.get(f"/api/{name}.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert [ref for ref in _references(document) if not _leads(document, ref)] == []


def test_every_command_and_frame_type_is_in_the_wires_document() -> None:
    messages = schemas.asyncapi()["components"]["messages"]
    expected = {shape.__name__ for shape in (*wire.COMMANDS.values(), *schemas.SERVER_FRAMES)}
    assert set(messages) == expected
    structs = {name for name in vars(wire) if _is_frame(getattr(wire, name))}
    assert structs - expected == {"Command", "Answer"}


def test_every_route_is_documented_and_every_documented_route_is_there(tmp_path: Path) -> None:
    documented = {
        (method.upper(), path)
        for path, methods in schemas.openapi()["paths"].items()
        for method in methods
    }
    there = {
        (method, each.path.replace(":path", ""))
        for each in build(from_environment({"LOUNGE_DATA": str(tmp_path)})).routes
        if isinstance(each, Route) and each.endpoint is not pages.shell
        for method in (each.methods or set()) - {"HEAD"}
    }
    assert documented == there
    shells = [each for each in pages.routes if isinstance(each, Route)]
    assert {each.endpoint for each in shells} == {pages.shell, pages.service_worker, pages.away}


async def test_every_answer_is_as_the_document_says(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    said = await ana.say(ROOM, "Documented, and found by its words.")
    place = {"room": ROOM, "seq": said["seq"], "cid": new_cid(), "kind": "other"}
    await ana.ask("report", **place, note="For the moderators' list.")
    gets = ["session", "sessions", "tokens", "rooms", f"rooms/{ROOM}/events?after=0&limit=200"]
    async with house.http(await house.token("ana")) as doctor:
        for path in gets:
            _check(await doctor.get(f"/api/{path}"), "get", f"/api/{path}")
        found = await doctor.post("/api/search", json={"q": "documented"})
        assert found.json()["hits"]
        _check(found, "post", "/api/search")
        for path in ("passkeys", "factors", "face", "screen-name", "told"):
            _check(await doctor.get(f"/api/{path}"), "get", f"/api/{path}")
        named = await doctor.patch("/api/screen-name", json={"name": "Heron at Dusk"})
        _check(named, "patch", "/api/screen-name")
        _check(await doctor.put("/api/face", json={"as": "screen"}), "put", "/api/face")
        id = (await ana.reaches(ROOM, said["seq"]))[-1]["by"]["id"]
        page = await doctor.get(f"/api/rooms/{ROOM}/personas/{id}")
        _check(page, "get", f"/api/rooms/{ROOM}/personas/{{id}}")
        _check(await doctor.get("/readyz"), "get", "/readyz")
        _check(await doctor.get("/api/reports"), "get", "/api/reports", 403)
    async with house.http(cookie=await _cookie(house, "ana"), origin=house.url) as browser:
        made = await browser.post("/api/tokens", json={"label": "documented"})
        _check(made, "post", "/api/tokens", 201)
        _check(await browser.post("/api/totp"), "post", "/api/totp")
        codes = await browser.post("/api/recovery-codes")
        _check(codes, "post", "/api/recovery-codes", 201)
    async with house.http(await house.token("moira")) as moderator:
        reports = await moderator.get("/api/reports")
        assert reports.json()["reports"]
        _check(reports, "get", "/api/reports")
        one = reports.json()["reports"][0]["id"]
        path = "/api/reports/{id}"
        claimed = await moderator.post(f"/api/reports/{one}/claim")
        _check(claimed, "post", f"{path}/claim")
        noted = await moderator.post(f"/api/reports/{one}/notes", json={"text": "Seen before."})
        assert noted.status_code == 204
        for what in ("notes", "context"):
            _check(await moderator.get(f"/api/reports/{one}/{what}"), "get", f"{path}/{what}")
        _check(await moderator.get("/api/appeals"), "get", "/api/appeals")
        _check(await moderator.get("/api/waived"), "get", "/api/waived")
        _check(await moderator.get("/api/duty"), "get", "/api/duty")
        on = await moderator.put("/api/duty", json={"minutes": 30})
        _check(on, "put", "/api/duty")
        assert (await moderator.delete("/api/duty")).status_code == 204


async def test_every_answer_about_roles_is_as_the_document_says(house: House) -> None:
    keeper = await id_of(house, "ana")
    id = await role(house, {"primary": ["ana"], "secondary": ["ben"]}, keeper=keeper)
    path, ends = "/api/roles/{id}", rfc3339(int(time.time() * 1000) + 3_600_000)
    async with house.http(await house.token("ana")) as ana:
        _check(await ana.get("/api/roles"), "get", "/api/roles")
        made = await ana.post(f"/api/roles/{id}/changes", json={"kind": "until", "ends": ends})
        _check(made, "post", f"{path}/changes", 201)
        seen = await ana.get(f"/api/roles/{id}")
        assert seen.json()["changes"]
        _check(seen, "get", path)
        late = {"version": 7, "rota": seen.json()["rota"], "policy": seen.json()["policy"]}
        refused = await ana.put(f"/api/roles/{id}", json=late)
        assert refused.json()["error"]["code"] == "frozen"
        _check(await ana.post("/api/rota/feed"), "post", "/api/rota/feed", 201)
    async with house.http(await house.token("chiara")) as chiara:
        _check(await chiara.get(f"/api/roles/{id}"), "get", path)


# -- the words -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raised:
    """A refusal as the code writes it: `key` may be a pattern where a part is computed."""

    code: str
    key: str
    values: frozenset[str]
    place: str

    @property
    def keys(self) -> list[str]:
        head, star, tail = self.key.partition("*")
        if not star:
            return [self.key]
        return [each for each in catalogue() if each.startswith(head) and each.endswith(tail)]


def test_every_refusal_has_its_words_in_both_languages() -> None:
    refusals = list(_refusals())
    assert len(refusals) > 40
    for refusal in refusals:
        assert refusal.keys, f"{refusal.place}: no words for {refusal.key}"
        for key in refusal.keys:
            for language in LANGUAGES:
                wanted = {name for _, name, _, _ in string.Formatter().parse(_words(key, language))}
                left = wanted - {None} - refusal.values
                assert not left, f"{refusal.place}: {key} [{language}] wants {left}"


def test_every_code_is_said_by_somebody() -> None:
    said = {refusal.code for refusal in _refusals()}
    assert {code.name for code in Code} == said


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "jane@example.org"),
        ("phone", "call +1 416 555 0123"),
        ("file_number", "MRN: 123456"),
        ("patient_number", "NHS 943 476 5919"),
        ("account_number", "policy no. 4471829"),
        ("device_number", "serial number 4471829"),
        ("plate", "plate AB-123-CD"),
        ("url", "http://10.0.0.7/chart"),
        ("address", "at 12 Elm Street"),
        ("postcode", "in H2X 1Y4"),
        ("birth_date", "born 12 March 1950"),
        ("date", "on 12 March 2024"),
        ("age", "aged 93"),
        ("name", "Mrs Tremblay is here"),
        ("social_number", "SSN 536-90-4399"),
        ("handle", "twitter @janesmith"),
        ("biometric", "iris scan 99383"),
        ("unread", "1234567 b " * 201),
    ],
)
def test_every_reason_to_hold_a_text_has_its_words(kind: str, text: str) -> None:
    (span,) = guard.examine(text).spans
    assert span.kind == kind
    assert all(_words(span.why, language) for language in LANGUAGES)


def test_a_refusal_without_words_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('raise Refusal(Code.BUSY, "refusal.nowhere", retry_after=1, most=3)')
    (refusal,) = _refusals_in(module)
    assert (refusal.code, refusal.key) == ("BUSY", "refusal.nowhere")
    assert refusal.key not in catalogue()
    assert refusal.values == {"most"}


# -- privates ------------------------------------------------------------------------------------


async def _cookie(house: House, name: str) -> str:
    """A browser's session of that doctor, just opened."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    return f"lounge_session={secret}"


async def _spend_an_evening(house: House) -> list[Any]:
    """Ana, Ben and Moira do, between them, everything that a frame can come of."""
    ana = await house.guest("ana", ROOM, "me")
    moira = await house.guest("moira", ROOM)
    said = await ana.say(ROOM, "One.")
    other = await ana.say(ROOM, "Another.", reply_to=said["seq"])
    place = {"room": ROOM, "seq": said["seq"]}
    await ana.ask("edit", **place, cid=new_cid(), text="One, corrected.")
    await moira.ask("react", **place, cid=new_cid(), emoji="👍", on=True)
    await moira.ask("report", **place, cid=new_cid(), kind="other", note="Look at this.")
    hiding = {"room": ROOM, "seq": other["seq"], "cid": new_cid(), "reason": "Not for here."}
    gone = await moira.ask("redact", **hiding)
    await ana.reaches(ROOM, gone["seq"])
    await ana.hears("event", room="me", kind="notice")
    await ana.ask("read", **place)
    await ana.ask("search", q="corrected")
    await ana.ask("history", room=ROOM, after=0)
    await ana.ask("examine", text="Stable.")
    await ana.ask("ping")
    seen = await ana.ask("preview", room=ROOM)
    await ana.ask("face", room=ROOM, **{"as": "anonymous"})
    await ana.ask("retire", room=ROOM, cid=new_cid())
    await moira.ask("ignore", room=ROOM, persona=seen["by"]["id"], on=True)
    await ana.refused("join", room="nowhere")
    ben = await house.guest("ben")
    await ben.join(ROOM, since=1000)
    await ben.hears("event", room=ROOM, kind="tombstone")
    await house.lounge.news.roster._board.put({ROOM: Held(1, math.inf)})  # many are there
    await ana.hears("presence", room=ROOM)
    await _vote(house, ana, moira)
    await _talk_privately(ana, ben, place)
    await _put_a_case(house, ana, ben)
    await _opine(ana, ben, moira)
    await _page(house, ana, ben)
    await _moderate(house, ana, ben, moira)
    await ben.ask("leave", room=ROOM)
    await ana.say(ROOM, "News for later.")
    await ben.hears("rooms")
    await connection.farewell(RESTART, 0)
    assert {await guest.closed() for guest in (ana, ben, moira)} == {4012}
    return [ana, ben, moira]


async def _vote(house: House, ana: Any, moira: Any) -> None:
    asked = {"question": "Which first?", "choices": ["CT", "MRI"], "cid": new_cid()}
    poll = {"room": ROOM, "seq": (await ana.ask("poll", room=ROOM, **asked))["seq"]}
    await moira.ask("vote", **poll, choices=[1], cid=new_cid())
    await moira.ask("tally", **poll)
    event = await ana.hears("event", room=ROOM, seq=poll["seq"])
    await house.come_due(event["id"])
    await ana.hears("event", room=ROOM, kind="poll.count")
    closed = await ana.ask("poll_close", **poll, cid=new_cid())
    await ana.reaches(ROOM, closed["seq"])


async def _put_a_case(house: House, ana: Any, ben: Any) -> None:
    asked = {"question": "Lyse or wait?", "specialties": ["cardiology"], "age": "60-79"}
    case = (await ana.ask("consult", **asked, cid=new_cid()))["consult"]
    await ben.hears("event", room=ROOM, kind="consult.card", consult=case)
    await ana.join(case)
    await ben.join(case)
    await ben.ask("looking", room=case, on=True)
    was = await house.lounge.consults.find(case)
    assert was is not None
    told = consults.state(was, opinions=1)
    cards = await house.lounge.consults.updates(was, told)
    await house.lounge.house_acts.do(was.room_id, [consults.update(told)], [], cards)
    await ana.hears("event", room=ROOM, kind="consult.update")


async def _opine(ana: Any, ben: Any, moira: Any) -> None:
    asked = {"question": "What is it?", "specialties": ["cardiology"], "cid": new_cid()}
    room = (await ana.ask("consult", **asked))["consult"]
    for guest, label in ((ana, "Angina"), (ben, "STEMI"), (moira, "Heart attack")):
        await guest.join(room)
        await guest.ask("opine", room=room, ranked=[label], cid=new_cid())
    await moira.ask("unopine", room=room, cid=new_cid())
    await moira.ask("opine", room=room, ranked=["Heart attack"], why="Troponin.", cid=new_cid())
    await moira.ask("opinions", room=room)
    await ana.ask("unseal", room=room, cid=new_cid())
    one = {"into": "STEMI", "labels": ["Heart attack"], "cid": new_cid()}
    await ana.ask("merge", room=room, **one)
    await ana.hears("event", room=room, kind="consult.merge")
    said = await ben.say(room, "Troponin again in three hours.")
    gone = await moira.say(room, "Lyse him.")
    await moira.ask("redact", room=room, seq=gone["seq"], cid=new_cid())
    await moira.hears("event", room=room, kind="withdraw")
    await ana.ask("receipt", room=room, seq=said["seq"], cid=new_cid())
    decided = {"did": "Admitted him.", "helped": [said["seq"]], "cid": new_cid()}
    await ana.ask("decide", room=room, **decided)
    await ana.ask("outcome", room=room, text="He went home.", cid=new_cid())
    await ana.hears("event", room=room, kind="consult.outcome")


async def _moderate(house: House, ana: Any, ben: Any, moira: Any) -> None:
    room, house_acts = "world", house.lounge.house_acts
    await ana.join(room)
    await ben.join(room)
    said = await ana.say(room, "Disputed.")
    pin = {"room": room, "act": "pin", "seq": said["seq"], "cid": new_cid()}
    await moira.ask("moderate", **pin)
    await moira.ask("board", on=True)
    await ana.say(room, "And on it goes.")
    await moira.hears("board")
    await moira.ask("board", on=False)
    await house.moderate("slow", room, said["seq"], seconds=1)
    await house.moderate("slow", room, said["seq"], seconds=0)
    await house.moderate("hide", room, said["seq"])
    await house.moderate("restore", room, said["seq"])
    seat = await house.lounge.conversation.seat_above(_NOBODY, room)
    plan = house.lounge.moderating.hiding.caution(seat, said["seq"], 3, ["No longer given."])
    assert plan.draft is not None
    await house_acts.do(seat.number, [plan.draft], plan.steps)
    asked = {"question": "Which?", "specialties": ["cardiology"], "cid": new_cid()}
    case = (await ana.ask("consult", **asked))["consult"]
    await ana.join(case)
    await house.moderate("close", case, 1)
    await ana.hears("event", room=case, kind="mod.close")
    await ana.hears("event", room=room, kind="mod.caution")


async def _page(house: House, ana: Any, ben: Any) -> None:
    asked = {"role": await role(house, {"primary": ["ana"]}), "urgency": "now", "text": "STEMI?"}
    room = (await ben.ask("page", **asked, cid=new_cid()))["room"]
    await ana.hears("event", room="me", notice="page", about=room)
    await ben.join(room)
    await ana.ask("page_mark", room=room, mark="seen")
    await ana.ask("page_answer", room=room, accept=True, cid=new_cid())
    case = {"question": "STEMI?", "specialties": ["cardiology"], "page": room, "cid": new_cid()}
    await ben.ask("consult", **case)
    await ben.hears("event", room=room, kind="page.widened")
    await ana.ask("page_end", room=room, cid=new_cid())
    await ben.ask("ask_now", specialty="cardiology", text="STEMI?", cid=new_cid())


async def _talk_privately(ana: Any, ben: Any, place: dict[str, Any]) -> None:
    talk = (await ben.ask("talk", **place, cid=new_cid()))["talk"]
    await ana.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    await ana.join(talk)
    await ben.join(talk)
    await ana.ask("seen", room=talk, seq=0)
    await ana.ask("writing", room=talk, on=True)
    await ben.hears("seen", room=talk)
    await ben.hears("writing", room=talk)
    await ana.ask("talk_end", room=talk, cid=new_cid())
    await ben.hears("event", room=talk, kind="end")


def _passes(frame: dict[str, Any], asked: dict[Any, str]) -> bool:
    try:
        check_frame(frame, asked)
    except ValidationError:
        return False
    return True


_NOBODY: Any = None
"""Whoever acts, where nobody asks who it is."""


def _is_frame(value: Any) -> bool:
    """A struct of the wire that is sent by itself, not inside another."""
    return isinstance(value, type) and (
        issubclass(value, wire.Command | wire.Answer)
        or "op" in getattr(value, "__struct_fields__", ())
    )


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _leads(document: Any, reference: str) -> bool:
    """Whether a "#/a/b" leads somewhere in the document."""
    node = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def _check(answer: Any, method: str, path: str, status: int = 200) -> None:
    """The body is what the document promises for that route and status."""
    assert answer.status_code == status, answer.text
    document = schemas.openapi()
    path = path.partition("?")[0].replace(ROOM, "{room}")
    responses = document["paths"][path][method]["responses"]
    response = responses.get(str(status), responses["default"])
    shape = response["content"]["application/json"]["schema"]
    Draft202012Validator({**shape, "components": document["components"]}).validate(answer.json())


def _words(key: str, language: str) -> str:
    return catalogue()[key][language]


def _refusals() -> Iterator[Raised]:
    for package in ("lounge", "web"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from _refusals_in(path)


def _refusals_in(path: Path) -> Iterator[Raised]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="Refusal"), args=[ast.Attribute(attr=code), key], keywords=named
            ):
                values = frozenset(each.arg for each in named if each.arg) - _NOT_WORDS
                yield Raised(code, _pattern(key), values, f"{path.name}:{node.lineno}")
            case ast.Call(func=ast.Name(id="Refusal")):
                raise AssertionError(f"{path}:{node.lineno}: a Refusal that cannot be read")
            case ast.Call(func=ast.Name(id="Unrecognised"), args=[key]):
                yield Raised("FORBIDDEN", _pattern(key), frozenset(), f"{path.name}:{node.lineno}")


def _pattern(key: ast.expr) -> str:
    match key:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_pattern(each) for each in parts)
    return "*"


_NOT_WORDS = {"retry_after", "spans"}
