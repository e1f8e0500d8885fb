"""Bad input on the socket: each gets its code, and the neighbours go on talking.

Every test here runs beside two healthy doctors in the same room; after it one speaks and the other hears.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket as sockets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import msgspec
import pytest
from sqlalchemy import update
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from lounge.limits import FRAME_BYTES, IN_FLIGHT, TEXT_CODE_POINTS
from storage.schema import room as room_table
from tests.backends import addresses
from tests.stores import BOTH
from tests.support import PATIENCE_SECONDS, Guest, House, Refused, new_cid, open_house, until
from web import connection as connections
from web import protocol, wire
from web.socket import SocketPipe

ROOM = "specialty/cardiology"
OTHER_ROOM = "specialty/neurology"
COOKIE = "lounge_session"
MOST_WAITING_BYTES = 256 * 1024
"""What one client that does not read may cost in memory."""

COMMANDS: dict[str, dict[str, Any]] = {
    "join": {"room": ROOM, "since": 0, "last": "x"},
    "leave": {"room": ROOM},
    "say": {"room": ROOM, "cid": "c" * 16, "text": "words", "reply_to": 1, "as": "anonymous"},
    "edit": {"room": ROOM, "seq": 1, "cid": "c" * 16, "text": "words"},
    "redact": {"room": ROOM, "seq": 1, "cid": "c" * 16, "reason": "why"},
    "react": {"room": ROOM, "seq": 1, "cid": "c" * 16, "emoji": "👍", "on": True},
    "report": {"room": ROOM, "seq": 1, "cid": "c" * 16, "kind": "other", "note": "why"},
    "history": {"room": ROOM, "before": 9, "limit": 5},
    "read": {"room": ROOM, "seq": 1},
    "search": {"q": "words", "room": ROOM, "limit": 5, "cursor": "x"},
    "ping": {},
}
"""Each command as it ought to be, so that tests can spoil one field at a time."""

OPTIONAL = {"since", "last", "reply_to", "as", "reason", "note", "before", "limit", "cursor"}
OPTIONAL_ROOM = {"search"}


@pytest.fixture(scope="module", params=BOTH)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    async with addresses(request) as urls, open_house(folder, redis_url, **urls) as house:
        yield house


@pytest.fixture(scope="module")
async def circle(house: House) -> Iterator[Guest]:
    """Ten healthy doctors in turn: so many that none of them speaks too often."""
    guests = [await house.guest(_somebody(), ROOM, msgpack=n % 2 == 1) for n in range(10)]
    return cycle(guests)


@pytest.fixture(autouse=True)
async def neighbours(circle: Iterator[Guest]) -> AsyncIterator[None]:
    """They are left in peace: after each test the one is heard by the next, without a hole."""
    yield
    ben, chiara = next(circle), next(circle)
    said = await ben.say(ROOM, "Still here?")
    heard = await chiara.reaches(ROOM, said["seq"])
    seqs = [event["seq"] for event in heard]
    assert seqs == list(range(seqs[0], said["seq"] + 1))
    assert heard[-1]["text"] == "Still here?"


@pytest.fixture
async def mallory(house: House) -> Guest:
    """A doctor nobody knows yet, so that no test spends another's limits."""
    return await house.guest(_somebody(), ROOM)


# -- frames that are none ------------------------------------------------------------------------


NO_FRAMES = {
    "words": "hello",
    "nothing": "",
    "null": "null",
    "a number": "7",
    "a list": '[{"op":"ping","ref":1}]',
    "cut short": '{"op":"ping","ref":1',
    "two in one": '{"op":"ping","ref":1}{"op":"ping","ref":2}',
    "a ref that is missing": '{"op":"ping"}',
    "a ref that is null": '{"op":"ping","ref":null}',
    "a ref that is true": '{"op":"ping","ref":true}',
    "a ref that is a fraction": '{"op":"ping","ref":1.5}',
    "a ref that is a list": '{"op":"ping","ref":[1]}',
    "a ref of 65 characters": json.dumps({"op": "ping", "ref": "r" * 65}),
    "a ref beyond 2^53": json.dumps({"op": "ping", "ref": 2**53 + 1}),
    "a ref of 5,000 digits": '{"op":"ping","ref":' + "9" * 5_000 + "}",
    "a lone surrogate": '{"op":"search","ref":1,"q":"\\ud800"}',
    "a lone low surrogate": '{"op":"search","ref":1,"q":"x\\udc00x"}',
    "a surrogate in the ref": '{"op":"ping","ref":"\\ud800"}',
    "a surrogate in a key": '{"op":"ping","ref":1,"\\udfff":1}',
    "brackets without end": "[" * 60_000,
    "braces without end": '{"a":' * 10_000,
}


@pytest.mark.parametrize("frame", NO_FRAMES.values(), ids=NO_FRAMES)
async def test_a_frame_that_is_none_is_answered_as_one(mallory: Guest, frame: str) -> None:
    told = await _told(mallory, frame)
    assert (told["ref"], told["code"]) == (None, "bad_frame")
    await mallory.ask("ping")


@pytest.mark.parametrize("msgpack", [False, True])
async def test_nesting_without_end_harms_nobody(house: House, msgpack: bool) -> None:
    mallory = await house.guest(_somebody(), msgpack=msgpack)
    if msgpack:
        nested: Any = b"\x83\xa2op\xa4ping\xa3ref\x07\xa1x" + b"\x91" * 30_000 + b"\xc0"
    else:
        nested = '{"op":"ping","ref":7,"x":' + "[" * 20_000 + "]" * 20_000 + "}"
    mallory._ops[7] = "ping"
    before = len(mallory.frames)
    await mallory.socket.send(nested)
    answer = await mallory.sees(lambda f: f["op"] in ("ok", "error"), since=before)
    assert answer["op"] == "ok" or answer["code"] == "bad_frame"
    await mallory.ask("ping")


async def test_ten_frames_that_are_none_close_the_connection(mallory: Guest) -> None:
    for _ in range(9):
        await _told(mallory, "hello")
    for _ in range(20):  # understood, though refused: these do not count
        assert (await _told(mallory, '{"op":"dance","ref":1}'))["code"] == "unknown_op"
        assert (await _told(mallory, '{"op":"join","ref":1}'))["code"] == "invalid"
    await mallory.ask("ping")
    await mallory.socket.send("hello")
    assert await mallory.closed() == 4510
    assert len([f for f in mallory.frames if f.get("code") == "bad_frame"]) == 10


async def test_bytes_on_the_json_subprotocol_close_1003(mallory: Guest) -> None:
    await mallory.socket.send(b'{"op":"ping","ref":1}')
    assert await mallory.closed() == 1003


async def test_text_on_the_msgpack_subprotocol_closes_1003(house: House) -> None:
    mallory = await house.guest(_somebody(), msgpack=True)
    await mallory.socket.send('{"op":"ping","ref":1}')
    assert await mallory.closed() == 1003


async def test_64_kib_are_taken_and_one_byte_more_closes_1009(mallory: Guest) -> None:
    mallory._ops["full"] = "ping"
    full = '{"op":"ping","ref":"full","x":"%s"}'
    full %= "x" * (FRAME_BYTES - len(full) + 2)
    await mallory.socket.send(full)
    await mallory.answer("full")
    await mallory.socket.send(full + " ")
    assert await mallory.closed() == 1009


async def test_a_frame_in_pieces_is_counted_whole(mallory: Guest) -> None:
    _write(mallory, _masked(0x01, b'"' + b"x" * 40_000))
    _write(mallory, _masked(0x80, b"x" * 40_000))
    assert await mallory.closed() == 1009


async def test_bad_utf_8_closes_1007(mallory: Guest) -> None:
    await mallory.socket.send(b'{"op":"ping","ref":"\xff"}', text=True)
    assert await mallory.closed() == 1007


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x81\x05hello", id="not masked"),
        pytest.param(b"\xc1\x80\0\0\0\0", id="a reserved bit"),
        pytest.param(b"\x83\x80\0\0\0\0", id="a reserved opcode"),
        pytest.param(b"\x09\x80\0\0\0\0", id="a ping in pieces"),
        pytest.param(b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, id="a ping of 126 bytes"),
        pytest.param(b"\x80\x80\0\0\0\0", id="the end of nothing"),
    ],
)
async def test_what_is_no_websocket_closes_1002(mallory: Guest, frame: bytes) -> None:
    _write(mallory, frame)
    assert await mallory.closed() == 1002


# -- msgpack -------------------------------------------------------------------------------------


MSGPACK_NONE = {
    "nothing": b"",
    "the byte that is none": b"\xc1",
    "an array": b"\x91\x01",
    "an extension": b"\xd4\x05\x01",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "a map of 2^32 pairs": b"\xdf\xff\xff\xff\xff",
    "an array of 2^32": b"\xdd\xff\xff\xff\xff",
    "a text of 2^32": b"\xdb\xff\xff\xff\xff",
    "a map with a list as key": b"\x82\xa2op\xa4ping\x91\x81\x01\x01\x01",
    "trailing bytes": b"\x82\xa2op\xa4ping\xa3ref\x01\x00",
    "a ref of 2^64 - 1": b"\x82\xa2op\xa4ping\xa3ref\xcf" + b"\xff" * 8,
    "a ref that is a timestamp": b"\x82\xa2op\xa4ping\xa3ref\xd6\xff\x00\x00\x00\x00",
    "a ref that is an extension": b"\x82\xa2op\xa4ping\xa3ref\xd4\x05\x01",
    "a ref that is not a number": b"\x82\xa2op\xa4ping\xa3ref\xcb\x7f\xf8\0\0\0\0\0\0",
    "a ref that is bytes": b"\x82\xa2op\xa4ping\xa3ref\xc4\x01a",
    "a surrogate in the ref": b"\x82\xa2op\xa4ping\xa3ref\xa3\xed\xa0\x80",
    "bad utf-8 in the op": b"\x82\xa2op\xa4pin\xff\xa3ref\x01",
    "keys that are numbers": b"\x82\x01\xa4ping\x02\x01",
    "brackets without end": b"\x91" * 60_000,
}


@pytest.mark.parametrize("frame", MSGPACK_NONE.values(), ids=MSGPACK_NONE)
async def test_msgpack_that_is_no_frame_is_answered_as_one(house: House, frame: bytes) -> None:
    mallory = await house.guest(_somebody(), msgpack=True)
    told = await _told(mallory, frame)
    assert (told["ref"], told["code"]) == (None, "bad_frame")
    await mallory.ask("ping")


@pytest.mark.parametrize(
    "room",
    [
        pytest.param(b"\xcf" + b"\xff" * 8, id="2^64 - 1"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="a timestamp"),
        pytest.param(b"\xd4\x05\x01", id="an extension"),
        pytest.param(b"\xc4\x05world", id="bytes"),
        pytest.param(b"\xcb\x7f\xf8\0\0\0\0\0\0", id="not a number"),
    ],
)
async def test_msgpack_of_a_wrong_type_is_invalid(house: House, room: bytes) -> None:
    mallory = await house.guest(_somebody(), msgpack=True)
    told = await _told(mallory, b"\x83\xa2op\xa4join\xa3ref\x07\xa4room" + room)
    assert (told["ref"], told["code"]) == (7, "invalid")


async def test_of_a_key_given_twice_one_counts_and_there_is_one_answer(house: House) -> None:
    for msgpack, frame in (
        (True, b"\x83\xa2op\xa4ping\xa3ref\x07\xa3ref\x08"),
        (False, '{"op":"ping","ref":7,"ref":8}'),
    ):
        mallory = await house.guest(_somebody(), msgpack=msgpack)
        mallory._ops[8] = "ping"
        await mallory.socket.send(frame)
        await mallory.answer(8)
        await mallory.ask("ping")
        assert [f["ref"] for f in mallory.frames if f["op"] == "ok"] == [8, 1]


# -- fields --------------------------------------------------------------------------------------


async def test_an_unknown_op_is_named_so(mallory: Guest) -> None:
    for op in ("dance", "", "Say", "say ", "__class__", None, 1, ["say"]):
        told = await _told(mallory, json.dumps({"op": op, "ref": "r"}))
        assert (told["ref"], told["code"]) == ("r", "unknown_op")
    assert (await _told(mallory, '{"ref":"r"}'))["code"] == "unknown_op"


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_missing_field_is_invalid(mallory: Guest, op: str) -> None:
    for field in COMMANDS[op].keys() - OPTIONAL:
        if field == "room" and op in OPTIONAL_ROOM:
            continue
        rest = {key: value for key, value in COMMANDS[op].items() if key != field}
        told = await _told(mallory, json.dumps({"op": op, "ref": field, **rest}))
        assert (told["ref"], told["code"]) == (field, "invalid")


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_field_of_a_wrong_type_is_invalid(mallory: Guest, op: str) -> None:
    for field, right in COMMANDS[op].items():
        for wrong in _spoiled(right):
            spoiled = {"op": op, "ref": field, **COMMANDS[op], field: wrong}
            told = await _told(mallory, json.dumps(spoiled))
            assert (told["ref"], told["code"]) == (field, "invalid"), spoiled


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_nul_is_invalid_wherever_it_stands(mallory: Guest, op: str) -> None:
    for field, right in COMMANDS[op].items():
        if isinstance(right, str):
            spoiled = {"op": op, "ref": field, **COMMANDS[op], field: right + "\0"}
            told = await _told(mallory, json.dumps(spoiled))
            assert (told["ref"], told["code"]) == (field, "invalid")


async def test_lengths_count_code_points(mallory: Guest) -> None:
    command = {"op": "say", "ref": "long", "room": ROOM, "cid": new_cid()}
    mallory._ops["long"] = "say"
    longest = json.dumps({**command, "text": "𝛼" * TEXT_CODE_POINTS}, ensure_ascii=False)
    await mallory.socket.send(longest)
    said = await mallory.answer("long")
    heard = await mallory.reaches(ROOM, said["seq"])
    assert heard[-1]["text"] == "𝛼" * TEXT_CODE_POINTS
    told = await mallory.refused("say", room=ROOM, cid=new_cid(), text="a" * 8_001)
    assert told["code"] == "too_long"
    place = {"room": ROOM, "seq": said["seq"], "cid": new_cid()}
    assert (await mallory.refused("edit", **place, text="a" * 8_001))["code"] == "too_long"


@pytest.mark.parametrize("length", [15, 65])
async def test_a_client_id_has_16_to_64_characters(mallory: Guest, length: int) -> None:
    command = {"op": "say", "ref": 1, "room": ROOM, "cid": "c" * length, "text": "x"}
    assert (await _told(mallory, json.dumps(command)))["code"] == "invalid"


async def test_unknown_fields_are_ignored(mallory: Guest) -> None:
    extra = {"doctor": "somebody else", "by": {"name": "x"}, "at": 0, "id": "mine", "": None}
    command = {"op": "say", "ref": "extra", "room": ROOM, "cid": new_cid(), "text": "plain"}
    mallory._ops["extra"] = "say"
    await mallory.socket.send(json.dumps(command | extra))
    said = await mallory.answer("extra")
    heard = (await mallory.reaches(ROOM, said["seq"]))[-1]
    assert heard["text"] == "plain"
    assert heard["id"] == said["id"] != "mine"


async def test_only_the_anonymous_face_is_there_yet(mallory: Guest) -> None:
    for face in ("screen", "named"):
        told = await mallory.refused("say", room=ROOM, cid=new_cid(), text="x", **{"as": face})
        assert told["code"] == "forbidden"


# -- rooms ---------------------------------------------------------------------------------------


async def test_a_room_that_is_not_there_is_not_found(house: House, mallory: Guest) -> None:
    chiara = await house.guest(_somebody(), "me")
    (private,) = [name for name in house.lounge.hub.names() if name.startswith("me/")][-1:]
    assert chiara.socket.close_code is None
    for room in (
        *("nowhere", "World", "world/", "specialty/", "specialty/alchemy", "country/zz"),
        *("country/CA", "../world", "world\n", "consult/1", "house/none", "bench/1", "me/"),
        *("specialty/cardiology ", "specialty//cardiology", "%", "*", private),
    ):
        told = await mallory.refused("join", room=room)
        assert told["code"] == "not_found", room
        told = await mallory.refused("history", room=room, after=0)
        assert told["code"] == "not_found", room
        assert (await mallory.refused("search", q="x", room=room))["code"] == "not_found", room


async def test_whoever_has_not_joined_can_do_nothing_there(mallory: Guest) -> None:
    target = {"room": OTHER_ROOM, "seq": 1, "cid": new_cid()}
    for op, fields in (
        ("say", {"room": OTHER_ROOM, "cid": new_cid(), "text": "x"}),
        ("edit", {**target, "text": "x"}),
        ("redact", target),
        ("react", {**target, "emoji": "👍", "on": True}),
        ("report", {**target, "kind": "other"}),
        ("read", {"room": OTHER_ROOM, "seq": 1}),
        ("leave", {"room": OTHER_ROOM}),
    ):
        assert (await mallory.refused(op, **fields))["code"] == "not_joined", op
    assert (await mallory.ask("history", room=OTHER_ROOM, after=0))["head"] == 0


async def test_nobody_speaks_in_their_own_log(house: House) -> None:
    mallory = await house.guest(_somebody(), "me")
    told = await mallory.refused("say", room="me", cid=new_cid(), text="x")
    assert told["code"] == "forbidden"


async def test_what_is_not_there_is_not_found(mallory: Guest) -> None:
    said = await mallory.say(ROOM, "here")
    reaction = {"room": ROOM, "seq": said["seq"], "cid": new_cid(), "emoji": "👍", "on": True}
    reacted = await mallory.ask("react", **reaction)
    for seq in (reacted["seq"], reacted["seq"] + 1000, 2**53):  # a reaction is no target
        target = {"room": ROOM, "seq": seq}
        for op, fields in (
            ("edit", {"text": "x"}),
            ("redact", {}),
            ("react", {"emoji": "👍", "on": True}),
        ):
            told = await mallory.refused(op, **target, cid=new_cid(), **fields)
            assert told["code"] == "not_found", op
        told = await mallory.refused("say", room=ROOM, cid=new_cid(), text="x", reply_to=seq)
        assert told["code"] == "not_found"
    nowhere = {"room": ROOM, "seq": 2**53, "cid": new_cid(), "kind": "other"}
    assert (await mallory.refused("report", **nowhere))["code"] == "not_found"


async def test_only_the_author_changes_what_was_said(house: House, mallory: Guest) -> None:
    ana = await house.guest(_somebody(), ROOM)
    said = await ana.say(ROOM, "mine")
    place = {"room": ROOM, "seq": said["seq"]}
    assert (await mallory.refused("edit", **place, cid=new_cid(), text="x"))["code"] == "forbidden"
    assert (await mallory.refused("redact", **place, cid=new_cid()))["code"] == "forbidden"
    again = await mallory.ask("history", room=ROOM, around=said["seq"], limit=1)
    assert again["events"][0]["text"] == "mine"


async def test_history_keeps_to_its_limits(mallory: Guest) -> None:
    ask = {"op": "history", "ref": 1, "room": ROOM}
    for wrong in ({"limit": 0}, {"limit": 201}, {"before": -1}, {"around": 2**60}):
        told = await _told(mallory, json.dumps({**ask, "after": 0, **wrong}))
        assert told["code"] == "invalid", wrong
    for both in ({}, {"before": 9, "after": 0}, {"before": 9, "around": 3}):
        assert (await mallory.refused("history", room=ROOM, **both))["code"] == "invalid"
    said = await mallory.say(ROOM, "the last")
    for nowhere in ({"before": 0}, {"before": 1}, {"after": 2**53}, {"after": said["seq"]}):
        past = await mallory.ask("history", room=ROOM, **nowhere)
        assert (past["events"], past["head"]) == ([], said["seq"])
    page = await mallory.ask("history", room=ROOM, after=0, limit=200)
    assert [event["seq"] for event in page["events"]] == list(range(1, said["seq"] + 1))[:200]


async def test_a_search_cursor_that_is_not_ours_is_invalid(mallory: Guest) -> None:
    for cursor in GARBAGE_CURSORS:
        told = await mallory.refused("search", q="here", cursor=cursor)
        assert told["code"] == "invalid", cursor


async def test_a_search_without_a_word_is_invalid(mallory: Guest) -> None:
    for q in ("", " ", "?!", "\u200b", "́", "%_*", '"'):
        assert (await mallory.refused("search", q=q))["code"] == "invalid", q
    for q in ("a" * 500, "x " * 250, "' OR 1=1 --", '"NEAR(" AND NOT *', "naïve:col ^x", "𝛼 β"):
        assert (await mallory.ask("search", q=q))["hits"] == [], q


# -- client ids, limits --------------------------------------------------------------------------


async def test_a_client_id_stands_for_one_act(mallory: Guest) -> None:
    cid = new_cid()
    said = await mallory.say(ROOM, "first", cid=cid)
    place = {"room": ROOM, "seq": said["seq"], "cid": cid}
    for op, fields in (
        ("say", {"room": ROOM, "cid": cid, "text": "other"}),
        ("say", {"room": ROOM, "cid": cid, "text": "first", "reply_to": said["seq"]}),
        ("edit", {**place, "text": "first"}),
        ("redact", place),
        ("react", {**place, "emoji": "👍", "on": True}),
        ("report", {**place, "kind": "other"}),
    ):
        assert (await mallory.refused(op, **fields))["code"] == "cid_conflict", op
    assert (await mallory.say(ROOM, "first", cid=cid))["seq"] == said["seq"]


async def test_more_than_32_in_flight_are_busy_and_the_32_are_answered(
    house: House, mallory: Guest
) -> None:
    said = await mallory.say(ROOM, "hold on")
    reaction = {"room": ROOM, "seq": said["seq"], "emoji": "👍"}
    async with _nobody_commits(house):
        refs = [
            await mallory.send("react", **reaction, cid=new_cid(), on=n % 2 == 0)
            for n in range(IN_FLIGHT)
        ]
        more = await mallory.refused("ping")
        assert more["code"] == "busy"
        assert more["retry_after"] > 0
        assert not [f for f in mallory.frames if f.get("ref") in refs]
    seqs = [(await mallory.answer(ref))["seq"] for ref in refs]
    assert sorted(set(seqs)) == seqs
    await mallory.ask("ping")


async def test_a_limit_says_when_to_come_back_and_a_retry_passes_it(mallory: Guest) -> None:
    cid = new_cid()
    first = await mallory.say(ROOM, "first", cid=cid)
    refused = None
    for n in range(200):
        try:
            await mallory.say(ROOM, f"and another {n}")
        except Refused as refusal:
            refused = refusal.frame
            break
    assert refused is not None
    assert n >= 19
    assert refused["code"] == "rate_limited"
    assert 0 < refused["retry_after"] <= 10
    again = await mallory.say(ROOM, "first", cid=cid)
    assert (again["seq"], again["id"], again["duplicate"]) == (first["seq"], first["id"], True)
    other = await mallory.refused("say", room=ROOM, cid=cid, text="other")
    assert other["code"] == "cid_conflict"


# -- clients that do not read --------------------------------------------------------------------


async def test_a_client_that_never_reads_is_dropped_and_nobody_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/pathology"
    speakers = [await house.guest(_somebody(), room) for _ in range(6)]
    async with _stalled(house) as (stalled, connection):
        await stalled.send(json.dumps({"op": "join", "ref": 1, "room": room}))
        live = house.lounge.hub.live(room)
        assert live is not None
        await until(lambda: len(live.cursors) == len(speakers) + 1)
        monkeypatch.setattr(protocol, "STALLED_SECONDS", 1.0)
        waiting = 0
        for n in range(15):
            for speaker in speakers:
                await speaker.say(room, f"{n:04}" + "x" * 7_000)
                waiting = max(waiting, _line(connection).waiting_bytes())
        count = 15 * len(speakers)
        for speaker in speakers:
            heard = await speaker.reaches(room, count)
            assert [event["seq"] for event in heard] == list(range(1, count + 1))
        assert 0 < waiting <= MOST_WAITING_BYTES
        await until(lambda: connection not in connections.OPEN)
        assert len(live.cursors) == len(speakers)


async def test_a_client_that_asks_and_never_reads_takes_little_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/radiology"
    speakers = [await house.guest(_somebody(), room) for _ in range(3)]
    for _ in range(10):
        for speaker in speakers:
            await speaker.say(room, "x" * 8_000)
    async with _stalled(house) as (stalled, connection):
        asking = [
            json.dumps({"op": "history", "ref": n, "room": room, "after": 0, "x": "x" * 99})
            for n in range(IN_FLIGHT)
        ]
        monkeypatch.setattr(protocol, "STALLED_SECONDS", 1.0)
        stalled.transport.write(b"".join(_masked(0x81, frame.encode()) for frame in asking))
        waiting = 0

        def dropped() -> bool:
            nonlocal waiting
            waiting = max(waiting, _line(connection).waiting_bytes())
            return connection not in connections.OPEN

        await until(dropped)
        assert 0 < waiting <= MOST_WAITING_BYTES


# -- the door ------------------------------------------------------------------------------------


async def test_nobody_enters_without_a_session(house: House) -> None:
    assert await _status(house) == 401
    assert await _status(house, authorization="Bearer") == 401
    assert await _status(house, authorization="Bearer nonsense") == 401
    assert await _status(house, authorization="Basic bm9ib2R5Og==") == 401
    assert await _status(house, origin=house.url) == 401
    assert await _status(house, origin=house.url, cookie=f"{COOKIE}=nonsense") == 401
    token = await house.token("ana")
    assert await _status(house, query=f"?token={token}&access_token={token}") == 401
    assert await _status(house, authorization=f"Bearer {token}") == 101


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://127.0.0.1", "http://127.0.0.1:1", "http://evil.example"),
        *("https://{here}", "HTTP://{here}", "http://{here}/", "http://{here}.evil.example"),
        *("http://evil.example/http://{here}", "http://{here}@evil.example", "{here}", " "),
    ],
)
async def test_a_wrong_origin_is_refused_even_with_a_session(house: House, origin: str) -> None:
    cookie = await _cookie(house)
    origin = origin.replace("{here}", house.url.removeprefix("http://"))
    assert await _status(house, origin=origin, cookie=cookie) == 403
    assert await _status(house, origin=origin) == 403


async def test_a_session_without_an_origin_is_refused(house: House) -> None:
    cookie = await _cookie(house)
    assert await _status(house, cookie=cookie) == 403
    assert await _status(house, cookie=cookie, origin=house.url) == 101


async def test_an_ended_session_closes_4501_and_enters_nowhere(house: House) -> None:
    headers = {"cookie": await _cookie(house), "origin": house.url}
    ana = await Guest.connect(house.port, headers=headers)
    await ana.join(ROOM)
    async with house.http(**headers) as browser:
        assert (await browser.delete("/api/session")).status_code == 204
        assert await ana.closed() == 4501
        assert (await browser.get("/api/session")).status_code == 401
    assert await _status(house, **headers) == 401


# -- privates ------------------------------------------------------------------------------------


def packed(*values: Any) -> str:
    """A search cursor with these inside."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).decode()


GARBAGE_CURSORS = [
    *("", "!", "AAAA", "é" * 9, "=" * 9, "x" * 200),
    *(packed(), packed(1, 2), packed(1, 2, 3, 4), packed("a", "b", "c"), packed([], {}, None)),
    *(packed(2**64 - 1, 1, 1), packed(1, 2**63, 1), packed(1, 1, -(2**63)), packed(1, 2**40, 1)),
    *(packed(float("inf"), 1, 1), packed(float("nan"), 1, 1), packed("9" * 100, 1, 1)),
]


@asynccontextmanager
async def _nobody_commits(house: House) -> AsyncIterator[None]:
    """What is said meanwhile waits: this holds what the writer needs."""
    async with house.lounge.database.raw_writing() as connection:
        await connection.execute(update(room_table).values(says=room_table.c.says))
        yield


@asynccontextmanager
async def _stalled(house: House) -> AsyncIterator[tuple[ClientConnection, connections.Connection]]:
    """A doctor whose client takes the welcome and nothing more, through the smallest of buffers."""
    before = set(connections.OPEN)
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", house.port))
    token = await house.token(_somebody())
    async with connect(
        f"ws://127.0.0.1:{house.port}/ws",
        sock=line,
        max_queue=1,
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        close_timeout=0.1,
    ) as client:
        assert json.loads(await client.recv())["op"] == "welcome"
        client.transport.pause_reading()
        (connection,) = set(connections.OPEN) - before
        ours = _line(connection).transport.get_extra_info("socket")
        ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        yield client, connection
        client.transport.abort()


def _line(connection: connections.Connection) -> protocol.Socket:
    pipe = connection._pipe
    assert isinstance(pipe, SocketPipe)
    return pipe._socket


async def _told(guest: Guest, frame: str | bytes) -> dict[str, Any]:
    """The error that a raw frame is answered with."""
    before = len(guest.frames)
    await guest.socket.send(frame)
    return await guest.sees(lambda f: f["op"] == "error", since=before)


async def _status(house: House, *, query: str = "", **headers: str) -> int:
    """What a handshake with these headers is answered with."""
    try:
        async with connect(
            f"ws://127.0.0.1:{house.port}/ws{query}",
            additional_headers=headers,
            subprotocols=[wire.JSON],  # type: ignore[list-item]
            open_timeout=PATIENCE_SECONDS,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def _cookie(house: House) -> str:
    """A session of Ana's, as a browser sends it."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("ana"))
    assert doctor_id
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    return f"{COOKIE}={secret}"


def _spoiled(right: Any) -> Iterator[Any]:
    """Values of other types than `right`, and numbers out of bounds."""
    yield from ([], {}, [right], {"x": right})
    if isinstance(right, str):
        yield from (1, True, 1.5)
    elif isinstance(right, bool):
        yield from (1, "true", None)
    else:
        yield from ("1", True, 1.5, -1, 2**53 + 1, 2**64, -(2**70))


def _write(guest: Guest, frame: bytes) -> None:
    """Past the client's own protocol, which would not send such a thing."""
    guest.socket.transport.write(frame)


def _masked(first: int, payload: bytes) -> bytes:
    """A client's frame of 126 to 65,535 bytes, masked with zeros."""
    return bytes((first, 0xFE)) + len(payload).to_bytes(2) + b"\0\0\0\0" + payload


def _somebody() -> str:
    return f"somebody-{new_cid()}"
