"""Frames that are understood, with something wrong inside: each gets its error, and nothing happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lounge.limits import TEXT_CODE_POINTS
from tests.hostile.attack import GARBAGE_CURSORS, refusal_of, somebody
from tests.hostile.crowd import ROOM
from tests.stores import SQLITE_FIRST
from tests.support import Guest, House, new_cid

pytestmark = pytest.mark.parametrize("house", SQLITE_FIRST, indirect=True, scope="package")

OTHER_ROOM = "specialty/neurology"
PAGE = "page/" + "A" * 22
"""As the room of a page is called; there is none."""

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
    "face": {"room": ROOM, "as": "anonymous"},
    "preview": {"room": ROOM, "as": "anonymous"},
    "retire": {"room": ROOM, "as": "anonymous", "cid": "c" * 16},
    "ignore": {"room": ROOM, "persona": "p" * 22, "on": True},
    "reveal": {"room": ROOM, "seq": 1, "cid": "c" * 16},
    "page": {
        **{"role": "r" * 16, "urgency": "now", "text": "words", "cid": "c" * 16},
        **{"formal": True, "override": "why"},
    },
    "page_answer": {
        **{"room": PAGE, "accept": True, "cid": "c" * 16},
        **{"formal": True, "reason": "busy"},
    },
    "page_mark": {"room": PAGE, "mark": "seen"},
    "page_end": {"room": PAGE, "cid": "c" * 16},
    "ask_now": {"specialty": "cardiology", "text": "words", "cid": "c" * 16},
    "ping": {},
}
"""Each command as it ought to be, so that tests can spoil one field at a time."""

OPTIONAL = {"since", "last", "reply_to", "as", "reason", "note", "before", "limit", "cursor"}
OPTIONAL |= {"formal", "override"}
OPTIONAL_ROOM = {"search"}
NEEDED = {("face", "as")}
"""Fields that elsewhere are optional."""


# -- fields --------------------------------------------------------------------------------------


async def test_an_unknown_op_is_named_so(mallory: Guest) -> None:
    for op in ("dance", "", "Say", "say ", "__class__", None, 1, ["say"]):
        told = await refusal_of(mallory, json.dumps({"op": op, "ref": "r"}))
        assert (told["ref"], told["code"]) == ("r", "unknown_op")
    assert (await refusal_of(mallory, '{"ref":"r"}'))["code"] == "unknown_op"


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_missing_field_is_invalid(mallory: Guest, op: str) -> None:
    for field in COMMANDS[op]:
        if field in OPTIONAL and (op, field) not in NEEDED:
            continue
        if field == "room" and op in OPTIONAL_ROOM:
            continue
        rest = {key: value for key, value in COMMANDS[op].items() if key != field}
        told = await refusal_of(mallory, json.dumps({"op": op, "ref": field, **rest}))
        assert (told["ref"], told["code"]) == (field, "invalid")


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_field_of_a_wrong_type_is_invalid(mallory: Guest, op: str) -> None:
    for field, right in COMMANDS[op].items():
        for wrong in _spoiled(right):
            spoiled = {"op": op, "ref": field, **COMMANDS[op], field: wrong}
            told = await refusal_of(mallory, json.dumps(spoiled))
            assert (told["ref"], told["code"]) == (field, "invalid"), spoiled


@pytest.mark.parametrize("op", COMMANDS)
async def test_a_nul_is_invalid_wherever_it_stands(mallory: Guest, op: str) -> None:
    for field, right in COMMANDS[op].items():
        if isinstance(right, str):
            spoiled = {"op": op, "ref": field, **COMMANDS[op], field: right + "\0"}
            told = await refusal_of(mallory, json.dumps(spoiled))
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
    assert (await refusal_of(mallory, json.dumps(command)))["code"] == "invalid"


async def test_unknown_fields_are_ignored(mallory: Guest) -> None:
    extra = {"doctor": "somebody else", "by": {"name": "x"}, "at": 0, "id": "mine", "": None}
    command = {"op": "say", "ref": "extra", "room": ROOM, "cid": new_cid(), "text": "plain"}
    mallory._ops["extra"] = "say"
    await mallory.socket.send(json.dumps(command | extra))
    said = await mallory.answer("extra")
    heard = (await mallory.reaches(ROOM, said["seq"]))[-1]
    assert heard["text"] == "plain"
    assert heard["id"] == said["id"] != "mine"


async def test_nobody_speaks_by_a_screen_name_that_she_has_not(mallory: Guest) -> None:
    told = await mallory.refused("say", room=ROOM, cid=new_cid(), text="x", **{"as": "screen"})
    assert told["code"] == "forbidden"


# -- rooms ---------------------------------------------------------------------------------------


async def test_a_room_that_is_not_there_is_not_found(house: House, mallory: Guest) -> None:
    chiara = await house.guest(somebody(), "me")
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
    mallory = await house.guest(somebody(), "me")
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
    ana = await house.guest(somebody(), ROOM)
    said = await ana.say(ROOM, "mine")
    place = {"room": ROOM, "seq": said["seq"]}
    assert (await mallory.refused("edit", **place, cid=new_cid(), text="x"))["code"] == "forbidden"
    assert (await mallory.refused("redact", **place, cid=new_cid()))["code"] == "forbidden"
    again = await mallory.ask("history", room=ROOM, around=said["seq"], limit=1)
    assert again["events"][0]["text"] == "mine"


async def test_history_keeps_to_its_limits(mallory: Guest) -> None:
    ask = {"op": "history", "ref": 1, "room": ROOM}
    for wrong in ({"limit": 0}, {"limit": 201}, {"before": -1}, {"around": 2**60}):
        told = await refusal_of(mallory, json.dumps({**ask, "after": 0, **wrong}))
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


# -- privates ------------------------------------------------------------------------------------


def _spoiled(right: Any) -> Iterator[Any]:
    """Values of other types than `right`, and numbers out of bounds."""
    yield from ([], {}, [right], {"x": right})
    if isinstance(right, str):
        yield from (1, True, 1.5)
    elif isinstance(right, bool):
        yield from (1, "true", None)
    else:
        yield from ("1", True, 1.5, -1, 2**53 + 1, 2**64, -(2**70))
