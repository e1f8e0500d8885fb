"""Frames that are none, or not quite: each gets its code, and whoever sends on is let go."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect

from lounge.limits import FRAME_BYTES
from tests.hostile.attack import connection_of, line_of, masked, refusal_of, somebody, write
from tests.hostile.crowd import ROOM
from tests.support import Guest, House, new_cid
from web import logs, protocol

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
    told = await refusal_of(mallory, frame)
    assert (told["ref"], told["code"]) == (None, "bad_frame")
    await mallory.ask("ping")


@pytest.mark.parametrize("msgpack", [False, True])
async def test_nesting_without_end_harms_nobody(house: House, msgpack: bool) -> None:
    mallory = await house.guest(somebody(), msgpack=msgpack)
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
        await refusal_of(mallory, "hello")
    for _ in range(20):  # understood, though refused: these do not count
        assert (await refusal_of(mallory, '{"op":"dance","ref":1}'))["code"] == "unknown_op"
        assert (await refusal_of(mallory, '{"op":"join","ref":1}'))["code"] == "invalid"
    await mallory.ask("ping")
    await mallory.socket.send("hello")
    assert await mallory.closed() == 4510
    assert len([f for f in mallory.frames if f.get("code") == "bad_frame"]) == 10


async def test_bytes_on_the_json_subprotocol_close_1003(mallory: Guest) -> None:
    await mallory.socket.send(b'{"op":"ping","ref":1}')
    assert await mallory.closed() == 1003


async def test_text_on_the_msgpack_subprotocol_closes_1003(house: House) -> None:
    mallory = await house.guest(somebody(), msgpack=True)
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
    write(mallory, masked(0x01, b'"' + b"x" * 40_000))
    write(mallory, masked(0x80, b"x" * 40_000))
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
        pytest.param(masked(0x8B), id="a reserved control frame"),
        pytest.param(masked(0x88, b"\x03"), id="half a close code"),
        pytest.param(masked(0x88, (1005).to_bytes(2)), id="a close code that is never sent"),
        pytest.param(masked(0x88, (999).to_bytes(2)), id="a close code that is none"),
    ],
)
async def test_what_is_no_websocket_closes_1002(mallory: Guest, frame: bytes) -> None:
    write(mallory, frame)
    assert await mallory.closed() == 1002


async def test_bad_utf_8_is_one_line_of_the_log_without_a_word_of_it(house: House) -> None:
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logs.Formatter())
    handler.addFilter(logs.Seldom())
    logging.getLogger().addHandler(handler)
    try:
        for _ in range(5):
            mallory = await house.guest("mallory")
            await mallory.socket.send(b'{"op":"canary\xff"}', text=True)
            assert await mallory.closed() == 1007
    finally:
        logging.getLogger().removeHandler(handler)
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["fault"] == "UnicodeDecodeError"
    assert "canary" not in line


async def test_a_message_in_five_hundred_pieces_is_understood(mallory: Guest) -> None:
    mallory._ops["pieces"] = "ping"
    whole = json.dumps({"op": "ping", "ref": "pieces", "x": "x" * 500}).encode()
    write(mallory, masked(0x01) + b"".join(masked(0x00, bytes((each,))) for each in whole))
    write(mallory, masked(0x80))
    await mallory.answer("pieces")


@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_pieces_without_end_close_4029(mallory: Guest, piece: bytes) -> None:
    """65,535 of them, in one go: fewer than one byte too many, and not one message."""
    connection = connection_of(mallory)
    write(mallory, masked(0x01) + masked(0x00, piece) * 65_535)
    assert await mallory.closed() == 4029
    assert len(line_of(connection).frames) <= protocol.NOISE_FRAMES


async def test_compression_is_not_to_be_had(house: House) -> None:
    token = await house.token("mallory")
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(
        house.url.replace("http", "ws") + "/ws", additional_headers=headers
    ) as eager:
        assert eager.response is not None
        assert "Sec-WebSocket-Extensions" not in eager.response.headers


@pytest.mark.parametrize("msgpack", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u202egnihton", id="read from right to left"),
        pytest.param("a" + "\u0301\u0316" * 3_999, id="8,000 marks on one letter"),
        pytest.param("\x01\x07\x1b[2J\x7f\x85", id="control characters"),
        pytest.param("\ufeff\u200b\u2028\ufffe", id="what cannot be seen"),
    ],
)
async def test_odd_characters_are_only_characters(
    house: House, mallory: Guest, text: str, msgpack: bool
) -> None:
    """What a page makes of them is the page's to bound."""
    teller = await house.guest(somebody(), ROOM, msgpack=msgpack)
    said = await teller.say(ROOM, text)
    assert (await mallory.reaches(ROOM, said["seq"]))[-1]["text"] == text


async def test_ten_thousand_marks_are_too_long(mallory: Guest) -> None:
    told = await mallory.refused("say", room=ROOM, cid=new_cid(), text="a" + "\u0301" * 10_000)
    assert told["code"] == "too_long"


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
    mallory = await house.guest(somebody(), msgpack=True)
    told = await refusal_of(mallory, frame)
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
    mallory = await house.guest(somebody(), msgpack=True)
    told = await refusal_of(mallory, b"\x83\xa2op\xa4join\xa3ref\x07\xa4room" + room)
    assert (told["ref"], told["code"]) == (7, "invalid")


async def test_of_a_key_given_twice_one_counts_and_there_is_one_answer(house: House) -> None:
    for msgpack, frame in (
        (True, b"\x83\xa2op\xa4ping\xa3ref\x07\xa3ref\x08"),
        (False, '{"op":"ping","ref":7,"ref":8}'),
    ):
        mallory = await house.guest(somebody(), msgpack=msgpack)
        mallory._ops[8] = "ping"
        await mallory.socket.send(frame)
        await mallory.answer(8)
        await mallory.ask("ping")
        assert [f["ref"] for f in mallory.frames if f["op"] == "ok"] == [8, 1]
