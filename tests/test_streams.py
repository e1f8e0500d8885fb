"""Where WebSockets are blocked: the same frames, in the same order, over an event stream and over polls."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import pytest

import web.patience
import web.streams
from tests.backends import addresses
from tests.schema import check_frame
from tests.stores import SQLITE_FIRST
from tests.support import PATIENCE_SECONDS, House, new_cid, open_house, until
from web import connection

ROOM = "specialty/cardiology"
_ASKED = dict.fromkeys(range(50), "join")
OTHER = "world"


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    async with (
        addresses(request) as urls,
        open_house(tmp_path_factory.mktemp("streams"), redis_url, bench=True, **urls) as house,
    ):
        yield house


class Stream:
    """What comes over an event stream, frame by frame, each held against the schema."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.frames: list[dict[str, Any]] = []
        self._lines = answer.aiter_lines()

    async def until(self, op: str, **fields: Any) -> dict[str, Any]:
        """Read on to the first frame with these values."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                frame = await self.next()
                if frame["op"] == op and all(frame.get(k) == v for k, v in fields.items()):
                    return frame

    async def next(self) -> dict[str, Any]:
        async for line in self._lines:
            if line.startswith("data: "):
                self.frames.append(_checked(line))
                return self.frames[-1]
        raise EOFError

    def events(self, room: str) -> list[int]:
        return [f["seq"] for f in self.frames if f["op"] == "event" and f["room"] == room]


@asynccontextmanager
async def following(
    house: House, name: str, *joins: dict[str, Any], **other: Any
) -> AsyncIterator[Stream]:
    """A stream of these rooms."""
    token = await _token(house, name)
    body = {"joins": [{"op": "join", "ref": n, **join} for n, join in enumerate(joins)], **other}
    async with house.http(token) as client, client.stream("POST", "/api/stream", json=body) as got:
        assert got.status_code == 200, await got.aread()
        assert got.headers["content-type"] == "text/event-stream"
        yield Stream(got)


def ops(frames: list[dict[str, Any]]) -> list[str]:
    """What they are, in order; without the news of other rooms, which comes at its own times."""
    return [frame["op"] for frame in frames if frame["op"] != "rooms"]


async def poll(
    house: House, name: str, *joins: dict[str, Any], **other: Any
) -> list[dict[str, Any]]:
    """The frames of one poll."""
    token = await _token(house, name)
    body = {"joins": [{"op": "join", "ref": n, **join} for n, join in enumerate(joins)]}
    async with house.http(token) as client:
        got = await client.post("/api/stream", json={**body, "poll": True, **other})
    assert got.status_code == 200, got.text
    assert int(got.headers["content-length"]) == len(got.content)
    return [_checked(line) for line in got.text.splitlines() if line.startswith("data: ")]


async def command(house: House, name: str, op: str, **fields: Any) -> dict[str, Any]:
    """The frame that a command by POST is answered with."""
    async with house.http(await _token(house, name)) as client:
        got = await client.post("/api/commands", json={"op": op, "ref": 7, **fields})
    assert got.status_code == 200, got.text
    frame: dict[str, Any] = got.json()
    return frame


async def _token(house: House, name: str) -> str:
    if name not in house.passes:
        house.passes[name] = await house.token(name)
    return house.passes[name]


def _checked(line: str) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(line.removeprefix("data: "))
    check_frame(frame, _ASKED)
    return frame


async def test_a_stream_has_the_frames_that_a_socket_has(house: House) -> None:
    """Byte for byte, after `ok` with the ref, in order, then live, then what is new."""
    ben = await house.guest("ben", ROOM)
    first = await ben.say(ROOM, "Rate control or cardioversion at 30 hours?")
    async with following(house, "ana", {"room": ROOM, "since": 0}) as stream:
        joined = await stream.until("ok", ref=0)
        live = await stream.until("live", room=ROOM)
        assert stream.frames[0]["op"] == "welcome"
        assert live["head"] == joined["head"] == first["seq"]
        answer = await command(
            house, "ana", "say", room=ROOM, cid=new_cid(), text="Anticoagulated since when?"
        )
        assert (answer["op"], answer["ref"]) == ("ok", 7)
        heard = await stream.until("event", seq=answer["seq"])
    assert heard in await ben.reaches(ROOM, answer["seq"])
    assert stream.events(ROOM) == list(range(1, answer["seq"] + 1))


async def test_the_same_client_id_over_both_ways_makes_one_entry(house: House) -> None:
    ana = await house.guest("ana", OTHER)
    cid = new_cid()
    by_socket = await ana.say(OTHER, "Once only.", cid=cid)
    by_post = await command(house, "ana", "say", room=OTHER, cid=cid, text="Once only.")
    assert (by_post["seq"], by_post["id"]) == (by_socket["seq"], by_socket["id"])
    assert by_post["duplicate"] is True


async def test_two_streams_one_after_the_other_make_one_run(house: House) -> None:
    room = "specialty/neurology"
    ben = await house.guest("ben", room)
    for n in range(5):
        await ben.say(room, f"before {n}")
    async with following(house, "ana", {"room": room, "since": 0}) as stream:
        await stream.until("live", room=room)
        last = [frame for frame in stream.frames if frame["op"] == "event"][-1]
    for n in range(5):
        await ben.say(room, f"meanwhile {n}")
    resumed = {"room": room, "since": last["seq"], "last": last["id"]}
    async with following(house, "ana", resumed, {"room": OTHER}, welcome=False) as again:
        await again.until("live", room=room)
    assert ops(again.frames)[0] == "ok"
    assert stream.events(room) + again.events(room) == list(range(1, 11))


async def test_polls_give_what_is_new_and_end(house: House) -> None:
    room = "specialty/urology"
    ben = await house.guest("ben", room)
    await ben.say(room, "one")
    first = await poll(house, "ana", {"room": room, "since": 0})
    assert ops(first) == ["welcome", "ok", "event", "live"]
    event = next(frame for frame in first if frame["op"] == "event")
    cursor = {"room": room, "since": event["seq"], "last": event["id"]}
    waiting = asyncio.create_task(poll(house, "ana", cursor, welcome=False))
    live = house.lounge.hub.live(room)
    assert live is not None
    await until(lambda: len(live.cursors) == 2)
    await ben.say(room, "two")
    second = await waiting
    assert ops(second)[0] == "ok"
    assert [frame["seq"] for frame in second if frame["op"] == "event"] == [2]


async def test_a_poll_with_nothing_new_comes_back_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.streams, "POLL_SECONDS", 2.0)
    frames = await poll(house, "ana", {"room": "specialty/dermatology"}, welcome=False)
    assert [frame["op"] for frame in frames if frame["op"] in ("ok", "live")] == ["ok", "live"]


async def test_a_long_past_comes_in_polls_of_a_bounded_size(house: House) -> None:
    room = "specialty/haematology"
    ben = await house.guest("ben", room)
    for n in range(15):
        await ben.say(room, f"{n} " + "é" * 7_900)
    seqs: list[int] = []
    cursor: dict[str, Any] = {"since": 0}
    while len(seqs) < 15:
        frames = await poll(house, "ana", {"room": room, **cursor}, welcome=False)
        events = [frame for frame in frames if frame["op"] == "event"]
        assert 0 < len(events) < 15, "one poll is not to carry it all"
        seqs += [event["seq"] for event in events]
        cursor = {"since": events[-1]["seq"], "last": events[-1]["id"]}
    assert seqs == list(range(1, 16))


async def test_a_cursor_of_another_log_is_reset_here_too(house: House) -> None:
    ben = await house.guest("ben", ROOM)
    await ben.say(ROOM, "known")
    frames = await poll(house, "ana", {"room": ROOM, "since": 1, "last": "not-this-one"})
    assert [frame["reason"] for frame in frames if frame["op"] == "reset"] == ["unknown_cursor"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"op": "join", "ref": 1, "room": ROOM}, "invalid"),
        ({"op": "say", "ref": 1, "room": ROOM, "cid": "short", "text": "x"}, "invalid"),
        ({"op": "dance", "ref": 1}, "unknown_op"),
        ({"op": "say"}, "bad_frame"),
        (
            {"op": "say", "ref": 1, "room": "consult/none", "cid": "c" * 20, "text": "x"},
            "not_found",
        ),
        ({"op": "say", "ref": 1, "room": ROOM, "cid": "c" * 20, "text": " "}, "invalid"),
        ({"op": "say", "ref": 1, "room": "me", "cid": "c" * 20, "text": "x"}, "forbidden"),
    ],
)
async def test_what_a_command_may_not_do_is_answered_as_on_the_socket(
    house: House, body: dict[str, Any], code: str
) -> None:
    async with house.http(await _token(house, "ana")) as client:
        answer = await client.post("/api/commands", json=body)
    assert (answer.status_code, answer.json()["op"], answer.json()["code"]) == (200, "error", code)


async def test_nobody_follows_or_speaks_without_a_session(house: House) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}):
        async with house.http(**headers) as client:
            for path in ("/api/stream", "/api/commands"):
                assert (await client.post(path, json={"joins": []})).status_code == 401


async def test_who_signs_out_is_told_to_stay_away(house: House) -> None:
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("chiara"))
    assert doctor_id
    id, token = await house.lounge.doctors.add_token(doctor_id, "stream")
    body = {"joins": [{"op": "join", "ref": 0, "room": ROOM}]}
    async with house.http(token) as client, client.stream("POST", "/api/stream", json=body) as got:
        stream = Stream(got)
        await stream.until("live", room=ROOM)
        await house.lounge.doctors.end_token(doctor_id, id)
        bye = await stream.until("bye")
        assert bye["code"] == 4501
        with pytest.raises(EOFError):
            await stream.next()


async def test_as_many_rooms_as_a_doctor_may_have_are_followed_at_once(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> None:
    """Where limits hold."""
    folder = tmp_path_factory.mktemp("fifty")
    async with open_house(folder, redis_url) as strict:
        joins = [{"room": (ROOM, OTHER)[n % 2]} for n in range(50)]
        frames = await poll(strict, "ana", *joins)
    assert [frame["op"] for frame in frames if frame["op"] in ("ok", "error")] == ["ok"] * 50


async def test_who_is_signed_out_while_her_body_is_on_its_way_reads_nothing(house: House) -> None:
    ben = await house.guest("ben", ROOM)
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("chiara"))
    assert doctor_id
    for path in ("/api/commands", "/api/search", "/api/stream"):
        id, token = await house.lounge.doctors.add_token(doctor_id, "slow")
        body = {
            "/api/commands": {"op": "history", "ref": 1, "room": ROOM, "before": 2**40},
            "/api/search": {"q": "afterwards"},
            "/api/stream": {"joins": [{"op": "join", "ref": 1, "room": ROOM}], "poll": True},
        }[path]
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(
            whole: bytes = json.dumps(body).encode(),
            begun: asyncio.Event = begun,
            go_on: asyncio.Event = go_on,
        ) -> AsyncIterator[bytes]:
            yield whole[:5]
            begun.set()
            await go_on.wait()
            yield whole[5:]

        guests = len(house.lounge.door.guests())
        async with house.http(token, **{"content-type": "application/json"}) as client:
            asking = asyncio.create_task(client.post(path, content=slowly()))
            await begun.wait()
            if path == "/api/commands":
                await until(partial(_is_one_more, house, guests))
            else:
                await _last_used(house, doctor_id)
            await house.lounge.doctors.end_token(doctor_id, id)
            await ben.say(ROOM, "said afterwards")
            go_on.set()
            answer = await asking
        assert b"said afterwards" not in answer.content, path


def _is_one_more(house: House, guests: int) -> bool:
    return len(house.lounge.door.guests()) == guests + 1


async def _last_used(house: House, doctor_id: str) -> None:
    """Return once each of the doctor's tokens was looked up."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(t.used is None for t in await house.lounge.doctors.tokens(doctor_id)):
            await asyncio.sleep(0.01)


async def test_who_hangs_up_is_gone(house: House) -> None:
    before = len(connection.OPEN)
    async with following(house, "denis", {"room": ROOM}) as stream:
        await stream.until("live", room=ROOM)
        assert len(connection.OPEN) == before + 1
    await until(lambda: len(connection.OPEN) == before)


async def test_a_stream_that_is_not_read_is_dropped_and_nobody_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/radiology"
    monkeypatch.setattr(web.patience, "STALLED_SECONDS", 0.5)
    speakers = [await house.guest(name, room) for name in ("ben", "chiara")]
    before = set(connection.OPEN)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, ("127.0.0.1", house.port))
    body = json.dumps({"joins": [{"op": "join", "ref": 1, "room": room}]}).encode()
    head = (
        f"POST /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await _token(house, 'ana')}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(line, head.encode() + body)
    await until(lambda: len(connection.OPEN) == len(before) + 1)
    (stalled,) = set(connection.OPEN) - before
    said = 0
    while stalled in connection.OPEN:  # the kernel takes some first
        for speaker in speakers:
            await speaker.say(room, "x" * 7_900)
            said += 1
        assert said < 500
    with line:
        await until(lambda: _is_reset(line))
    for speaker in speakers:
        heard = await speaker.reaches(room, said)
        assert [event["seq"] for event in heard] == list(range(1, said + 1))


def _is_reset(line: socket.socket) -> bool:
    """True once the server has dropped the line, whatever was still in it."""
    try:
        return not line.recv(1 << 20)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
