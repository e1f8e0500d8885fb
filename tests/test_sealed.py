"""A crawl of every output while opinions are sealed: nobody finds a ballot, or what the ballots come to.

Four doctors commit in marks found nowhere else, on a *today* case, on a *now* case and in a poll. Then
everybody looks everywhere: every frame, every command that reads, every GET route there is, search, export,
notices, mail, logs, metrics, Redis. After the close the same marks are found, so the search can fail.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

import httpx2
import pytest
import structlog
from redis.asyncio import Redis
from starlette.routing import Route

from lounge.exporting import export
from storage.schema import LOUNGE
from tests.byte_search import found_in
from tests.support import Guest, House, Refused, new_cid, open_house
from tests.test_leaks import _monitored
from web import app as application
from web.valkey import EmbeddedValkey

ROOM = "specialty/cardiology"
VOTERS = ("chiara", "denis", "eve", "frank")
LOOKING = ("ana", "ben", "moira", "dan", "chiara")
WATCHERS = ("ana", "ben", "moira", "dan")
"""Ana opened it; Ben is in the rooms and commits to nothing; Dan is not verified."""
SAME_FOR_ALL = ("/api/openapi.json", "/api/asyncapi.json", "/words/{language}.json")
TOTALS = frozenset({"pool", "cells", "single", "weight", "counts", "whys", "ranked", "opinions"})
"""What an answer is made of; `opinions` where it is not the number that all are told."""
NUMBERS = frozenset({"opinions", "votes"})


@dataclass(slots=True)
class Evening:
    """What each committed to, and all that came out, by whose it is and where."""

    house: House
    marks: dict[str, str] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    poll: int = 0
    outputs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    shown: list[Any] = field(default_factory=list)
    """The refs of what the author of the *now* case asked of it."""

    def of_others(self, name: str) -> dict[str, str]:
        """What `name` must not find."""
        return {who: mark for who, mark in self.marks.items() if who != name}

    def add(self, whose: str, where: str, data: bytes) -> None:
        kept = self.outputs.setdefault(whose, {})
        kept[where] = kept.get(where, b"") + b"\n" + data


@pytest.fixture(scope="module")
async def evening(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Evening]:
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        async with _monitored(valkey.url) as commands:
            folder = tmp_path_factory.mktemp("sealed")
            async with open_house(folder, valkey.url) as house:
                yield await _spend(house, valkey.url, commands)
    finally:
        await valkey.stop()


# -- sealed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*WATCHERS, *VOTERS, "everybody"])
async def test_nobody_finds_anybody_elses_ballot_anywhere(evening: Evening, name: str) -> None:
    assert evening.outputs[name]
    hers = {where: data for where, data in evening.outputs[name].items() if where != "now, author"}
    assert found_in(hers, evening.of_others(name)) == []


@pytest.mark.parametrize("name", [*WATCHERS, *VOTERS])
async def test_nobody_is_told_what_the_ballots_come_to(evening: Evening, name: str) -> None:
    told = [
        f"{where}: {path}"
        for where, data in evening.outputs[name].items()
        if where not in ("now, author", "own")
        for document in _documents(data)
        for path in _totals(document)
    ]
    assert told == []


async def test_the_author_of_a_now_case_reads_each_opinion_at_once_and_nobody_else_does(
    evening: Evening,
) -> None:
    hers = {"now": evening.outputs["ana"]["now, author"]}
    assert len({each.split(" ")[0] for each in found_in(hers, evening.marks)}) == len(VOTERS)


async def test_how_many_are_in_is_told_in_steps_and_not_as_they_come(evening: Evening) -> None:
    """The row of the next step waits; until it is done all are told of none."""
    for name in (*WATCHERS, *VOTERS):
        for where, data in evening.outputs[name].items():
            numbers = [n for each in _documents(data) for n in _numbers(each)]
            assert set(numbers) <= ({0, 1} if where == "own" else {0}), (
                name,
                where,
            )  # her own vote
    async with evening.house.lounge.database.reading() as connection:
        due = (await connection.execute(LOUNGE.tables["due"].select())).all()
    waiting = {row.subject: row.at for row in due if row.kind in ("consult.count", "poll.count")}
    assert set(evening.cases.values()) <= waiting.keys()
    assert all(at % 30_000 == 0 for at in waiting.values())


async def test_a_ballot_in_sql_has_neither_time_nor_persona(evening: Evening) -> None:
    async with evening.house.lounge.database.reading() as connection:
        rows = (await connection.execute(LOUNGE.tables["ballot"].select())).all()
        personas = (await connection.execute(LOUNGE.tables["persona"].select())).all()
    assert len(rows) == 3 * len(VOTERS)
    ids = {bytes(row.id) for row in personas}
    for row in rows:
        assert bytes(row.key) not in ids
        assert not any(id in bytes(row.body) for id in ids)
        assert not re.search(rb"\d{10,}", bytes(row.body))  # no moment
    assert len(ids) == 3  # Ana's in the two cases and beside the poll; no ballot brought one


async def test_after_the_close_all_of_it_is_found(evening: Evening) -> None:
    """The crawl reaches what there is: an empty one would pass for a sealed one."""
    ana, ben = evening.guests["ana"], evening.guests["ben"]
    for room in evening.cases.values():
        await ana.ask("unseal", room=room, cid=new_cid())
        revealed = await ben.hears("event", room=room, kind="consult.reveal")
        assert revealed["opinions"] == len(VOTERS)
    seen = {"frames": json.dumps(ben.frames, ensure_ascii=False).encode()}
    assert len({each.split(" ")[0] for each in found_in(seen, evening.marks)}) == len(VOTERS)
    assert any(_totals(frame) for frame in ben.frames)


# -- who commits ---------------------------------------------------------------------------------


async def _spend(house: House, redis_url: str, commands: bytearray) -> Evening:
    evening = Evening(house)
    with _logged() as logged, _untold(house):
        await _commit(evening)
        await _look_everywhere(evening)
    evening.add("everybody", "log", logged())
    evening.add("everybody", "redis commands", bytes(commands))
    evening.add("everybody", "redis values", await _dumped(redis_url))
    evening.add("everybody", "mail", _mailed(house))
    return evening


async def _commit(evening: Evening) -> None:
    house = evening.house
    for name in (*WATCHERS, *VOTERS):
        evening.guests[name] = guest = await house.guest(name)
        await guest.ask("ping")  # or whoever joins nothing is shown out when this takes long
        if name != "dan":
            await guest.join(ROOM)
            await guest.join("me")
    await _wish_for_mail(house)
    ana = evening.guests["ana"]
    for urgency in ("today", "now"):
        asked = {"question": f"What is this, {urgency}?", "urgency": urgency, "enough": 50}
        specialties = ["cardiology", "neurology"]
        case = await ana.ask("consult", **asked, specialties=specialties, cid=new_cid())
        evening.cases[urgency] = case["consult"]
    choices = ["this", "that", "neither"]
    poll = {"room": ROOM, "question": "Which of them?", "choices": choices, "shown": "closed"}
    evening.poll = (await ana.ask("poll", **poll, cid=new_cid()))["seq"]
    for name in WATCHERS + VOTERS:
        if name != "dan":
            for room in evening.cases.values():
                await evening.guests[name].join(room)
    for name in VOTERS:
        await _opine(evening, name)


async def _opine(evening: Evening, name: str) -> None:
    """Her own words, and one label that they all have, so that there is a total of it."""
    guest, mark = evening.guests[name], _mark()
    evening.marks[name] = mark
    for room in evening.cases.values():
        ranked = [f"{mark} fever", "Pericarditis", f"{mark} other"]
        await guest.ask("opine", room=room, ranked=ranked, why=f"{mark} because", cid=new_cid())
    await guest.ask("vote", room=ROOM, seq=evening.poll, choices=[0], cid=new_cid())


def _mark() -> str:
    """In letters: digits might look like a patient's, or like a moment."""
    return "zq" + "".join(secrets.choice(ascii_lowercase) for _ in range(14))


async def _wish_for_mail(house: House) -> None:
    """All of them would be told of everything."""
    body = {"mail": ["consult_opinion", "consult_question", "consult_closed"], "most": 50}
    for name in (*WATCHERS[:3], *VOTERS):
        async with house.http(house.passes[name]) as http:
            await http.put("/api/told", json=body)


# -- who looks -----------------------------------------------------------------------------------


async def _look_everywhere(evening: Evening) -> None:
    routes = list(_routes(evening.house))
    for name in LOOKING:
        await _ask_everything(evening, name)
        await _get_everything(evening, name, routes)
    for room in (ROOM, *evening.cases.values()):
        lines = [line async for line in export(evening.house.lounge.database, room)]
        evening.add("everybody", "export", b"\n".join(lines))
    for name, guest in evening.guests.items():
        frames = [frame for frame in guest.frames if frame["op"] != "welcome"]
        whose = _sorted_out(evening, name, frames)
        for where, kept in whose.items():
            evening.add(name, where, b"\n".join(_bytes(frame) for frame in kept))


def _sorted_out(
    evening: Evening, name: str, frames: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """What is hers to read apart: her own ballot, and what the author of a *now* case is shown."""
    found: dict[str, list[dict[str, Any]]] = {"frames": [], "own": [], "now, author": []}
    for frame in frames:
        if name == "ana" and frame.get("ref") in evening.shown:
            found["now, author"].append(frame)
        elif "own" in frame:
            found["own"].append(frame)
        else:
            found["frames"].append(frame)
    return found


async def _ask_everything(evening: Evening, name: str) -> None:
    """Every command that might tell something, and some that must fail."""
    guest = evening.guests[name]
    for room in (*evening.cases.values(), ROOM):
        for op, fields in (
            ("join", {"since": 0}),
            ("history", {"after": 0, "limit": 200}),
            ("history", {"around": 1}),
            ("search", {"q": "Pericarditis"}),
            ("opinions", {}),
            ("tally", {"seq": evening.poll}),
            ("tally", {"seq": 1}),
            ("receipt", {"seq": 1, "cid": new_cid()}),
            ("merge", {"into": "Pericarditis", "labels": ["fever"], "cid": new_cid()}),
            ("decide", {"did": "Nothing yet.", "cid": new_cid()}),
            ("outcome", {"text": "Too early.", "cid": new_cid()}),
        ):
            if not (name == "ana" and op in ("decide", "outcome")):
                answer = await _asked(guest, op, room=room, **fields)
                if (name, op, room) == ("ana", "opinions", evening.cases["now"]):
                    evening.shown.append(answer["ref"])
    if name in VOTERS:
        for room in evening.cases.values():
            again = {"ranked": ["Something else"], "cid": new_cid()}
            assert (await guest.refused("opine", room=room, **again))["code"] == "forbidden"
    elif name != "ana":
        for room in evening.cases.values():
            bad = {"ranked": ["Pericarditis", "pericarditis"], "cid": new_cid()}
            await guest.refused("opine", room=room, **bad)
    for mark in evening.of_others(name).values():
        assert (await _asked(guest, "search", q=mark)).get("hits", []) == []


async def _asked(guest: Guest, op: str, **fields: Any) -> dict[str, Any]:
    try:
        return await guest.ask(op, **fields)
    except Refused as refused:
        return refused.frame


async def _get_everything(evening: Evening, name: str, routes: Sequence[Route]) -> None:
    """Every GET route that there is, now and later, about each case and the poll."""
    subjects = [*evening.cases.values()]
    async with evening.house.http(evening.house.passes[name]) as http:
        for route in routes:
            if route.path in SAME_FOR_ALL and name != "ben":
                continue
            paths = {_filled(route.path, room, evening.poll) for room in subjects}
            for path in sorted(paths):
                await _got(evening, http, name, path)
        for room in (*subjects, ROOM):
            await _got(evening, http, name, f"/api/rooms/{room}/events?after=0&limit=200")
        follow = {
            "joins": [{"op": "join", "ref": 1, "room": room, "since": 0} for room in subjects]
        }
        body = {**follow, "poll": True, "welcome": True}
        answer = await http.post("/api/stream", json=body)
        evening.add(name, "stream", answer.content)


async def _got(evening: Evening, http: httpx2.AsyncClient, name: str, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code != 500, path
    told = "\n".join(f"{key}: {value}" for key, value in answer.headers.multi_items())
    evening.add(name, f"GET {path}", answer.content)
    evening.add(name, "headers", told.encode())


def _routes(house: House) -> Iterator[Route]:
    for route in application.build(house.settings).routes:
        if (
            isinstance(route, Route)
            and "GET" in (route.methods or ())
            and "/static" not in route.path
        ):
            yield route


def _filled(path: str, room: str, seq: int) -> str:
    """A path with every place in it filled; a consult by its whole slug or by what follows the stroke."""
    values = {"room": room, "room:path": room, "seq": str(seq), "seq:int": str(seq)}
    id = room.rpartition("/")[2]
    return re.sub(r"{([^}]*)}", lambda found: values.get(found[1], id), path)


# -- what is searched ----------------------------------------------------------------------------


def _documents(data: bytes) -> Iterator[Any]:
    """The JSON of it: whole, or line by line."""
    try:
        yield json.loads(data)
        return
    except ValueError:
        pass
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line.removeprefix(b"data: "))


def _totals(document: Any, path: str = "") -> Iterator[str]:
    """Where it holds anything that an answer is made of. A schema only names such fields."""
    if isinstance(document, dict):
        if "openapi" in document or "asyncapi" in document:
            return
        for key, value in document.items():
            is_number = key in NUMBERS and isinstance(value, int)
            if key in TOTALS and not is_number and value not in ([], {}, None):
                yield f"{path}.{key}"
            yield from _totals(value, f"{path}.{key}")
    elif isinstance(document, list):
        for n, each in enumerate(document):
            yield from _totals(each, f"{path}[{n}]")


def _numbers(document: Any) -> Iterator[int]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key in NUMBERS and isinstance(value, int):
                yield value
            yield from _numbers(value)
    elif isinstance(document, list):
        for each in document:
            yield from _numbers(each)


def _bytes(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, ensure_ascii=False).encode()


def _mailed(house: House) -> bytes:
    files = sorted((house.settings.data / "outbox").glob("*.eml"))
    return b"\n".join(file.read_bytes() for file in files) or b"none"


# -- what is written meanwhile -------------------------------------------------------------------


@contextlib.contextmanager
def _untold(house: House) -> Iterator[None]:
    """The step at which the number is told does not come while they look."""
    kinds = ("consult.count", "poll.count")
    away = {kind: house.lounge.dues.handle.pop(kind) for kind in kinds}
    yield
    house.lounge.dues.handle.update(away)


@contextlib.contextmanager
def _logged() -> Iterator[Callable[[], bytes]]:
    """Every line that was logged so far, ours and the libraries'; a fault without what it holds."""
    lines: list[str] = []
    keeping = logging.Handler(logging.INFO)
    keeping.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(keeping)
    try:
        with structlog.testing.capture_logs() as logged:
            yield lambda: "\n".join([*lines, *map(_line, logged)]).encode() or b"nothing"
    finally:
        logging.getLogger().removeHandler(keeping)


def _line(logged: MutableMapping[str, Any]) -> str:
    return repr({key: value for key, value in logged.items() if key != "exc_info"})


async def _dumped(redis_url: str) -> bytes:
    dumped = bytearray()
    async with Redis.from_url(redis_url) as redis:
        async for key in redis.scan_iter():
            dumped += key + b"\t" + (await redis.dump(key) or b"") + b"\n"
    return bytes(dumped)
