"""As much as possible of everything, from one who is in or from one who is not: the others notice nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx2
import pytest

import web.patience
import web.streams
from lounge.limits import CONNECTIONS_PER_DOCTOR, SAYS
from tests.hostile.attack import line_of, masked, not_reading, somebody, status, write
from tests.hostile.crowd import MANY, MEANWHILE, ROOM
from tests.support import Guest, House, new_cid, until
from tests.test_doorstep import HANDSHAKE, SOON, Line, lines
from web import connection, protocol
from web.porch import BOUNDS

pytestmark = pytest.mark.parametrize("house", ["sqlite"], indirect=True, scope="package")
TWO_WINDOWS = 2 * SAYS.amount
ELSEWHERE = "127.0.0.2"
MOST_WAITING_BYTES = 256 * 1024


# -- over a socket -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        pytest.param({"op": "say", "room": ROOM, "text": "flood"}, 5_000, id="says"),
        pytest.param({"op": "join", "room": MEANWHILE}, 10_000, id="joins"),
        pytest.param({"op": "join", "room": "specialty/none"}, 10_000, id="joins of nothing"),
        pytest.param({"op": "ping"}, 10_000, id="pings"),
        pytest.param({"op": "search", "q": "call"}, 5_000, id="searches"),
    ],
)
async def test_a_flood_of_commands_closes_4029(
    mallory: Guest, fields: dict[str, Any], count: int
) -> None:
    mallory._ops |= dict.fromkeys(range(count), fields["op"])
    cid = {"cid": new_cid()} if fields["op"] == "say" else {}
    frames = (json.dumps({**fields, **cid, "ref": n}) for n in range(count))
    write(mallory, b"".join(masked(0x81, each.encode()) for each in frames))
    assert await mallory.closed() == 4029
    await all_read(mallory)
    codes = Counter(f["code"] for f in mallory.frames if f["op"] == "error")
    assert codes.keys() <= {"busy", "rate_limited", "not_found", "not_joined"}
    assert 100 <= codes["busy"] + codes["rate_limited"] <= 300


async def test_who_goes_on_all_the_same_is_let_go_for_it(mallory: Guest) -> None:
    """Each command only once the one before was answered; few says are kept, the others told to wait."""
    said = refused = 0
    while mallory.socket.close_code is None:
        try:
            ref = await mallory.send("say", room=ROOM, cid=new_cid(), text="flood")
            answer = await mallory.sees(lambda f, ref=ref: f.get("ref") == ref)  # type: ignore[misc]
        except Exception:  # noqa: BLE001 - however the end of it shows here
            break
        said, refused = said + (answer["op"] == "ok"), refused + (answer["op"] == "error")
    assert await mallory.closed() == 4029
    assert 0 < said <= TWO_WINDOWS
    assert refused >= 100


@pytest.mark.parametrize("frame", [masked(0x89, b"ping"), masked(0x8A, b"pong"), masked(0x89)])
async def test_a_flood_of_pings_and_pongs_closes_4029(mallory: Guest, frame: bytes) -> None:
    write(mallory, frame * 50_000)
    assert await mallory.closed() == 4029


async def test_who_pings_and_reads_nothing_fills_no_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "NOISE_FRAMES", 20_000)
    async with not_reading(house) as (client, connected):
        line, waiting = line_of(connected), 0
        for n in range(1, 21):
            client.transport.write(masked(0x89, b"x" * 125) * 500)
            await until(lambda n=n: line._noise == 500 * n)  # type: ignore[misc]
            waiting = max(waiting, line.waiting_bytes())
    assert 0 < waiting <= MOST_WAITING_BYTES


async def test_pings_now_and_then_are_answered(mallory: Guest) -> None:
    for _ in range(50):
        await asyncio.wait_for(await mallory.socket.ping(), 30)


async def test_who_opens_and_asks_for_nothing_is_let_go(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "FIRST_COMMAND_SECONDS", SOON)
    silent = [await house.guest("silent") for _ in range(10)]
    assert [await each.closed() for each in silent] == [4008] * 10


async def test_a_doctor_has_twenty_sockets_and_a_place_that_is_left_is_free(house: House) -> None:
    name = somebody()
    sockets = [await house.guest(name) for _ in range(CONNECTIONS_PER_DOCTOR)]
    token = house.passes[name]
    assert await status(house, authorization=f"Bearer {token}") == 429
    async with house.http(token) as client:
        refused = await client.post("/api/stream", json={"joins": []})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    await sockets[0].socket.close()
    await until(lambda: len(connection.OPEN) == MANY + CONNECTIONS_PER_DOCTOR - 1)
    await house.guest(name, ROOM)


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "say", "room": ROOM, "text": "flood"},
        {"op": "search", "q": "call", "limit": 1},
        {"op": "dance"},
    ],
    ids=["says", "searches", "nothing known"],
)
async def test_a_flood_of_posted_commands_is_answered_by_its_limits(
    house: House, fields: dict[str, Any]
) -> None:
    async with house.http(await house.token(somebody())) as client:
        works = (_commands(client, fields, 15) for _ in range(10))
        answers: Counter[str] = sum(await asyncio.gather(*works), Counter())
    assert answers.total() == 150
    if fields["op"] == "dance":
        assert answers.keys() == {"unknown_op"}
    else:
        assert answers.keys() == {"ok", "rate_limited"}
        assert answers["ok"] <= 60  # of either, in two of its windows


async def all_read(guest: Guest) -> None:
    """Returns once every frame that came was looked at."""
    assert guest._reader is not None
    await guest._reader


async def _commands(client: httpx2.AsyncClient, fields: dict[str, Any], count: int) -> Counter[str]:
    answers: Counter[str] = Counter()
    for n in range(count):
        got = await client.post("/api/commands", json={**fields, "ref": n, "cid": new_cid()})
        assert got.status_code == 200
        answers[got.json().get("code", "ok")] += 1
    return answers


async def test_a_list_of_joins_that_is_too_long_is_refused(house: House) -> None:
    joins = [{"op": "join", "ref": n, "room": ROOM} for n in range(5_000)]
    async with house.http(await house.token(somebody())) as client:
        for count, code in ((51, "invalid"), (5_000, "too_long")):
            refused = await client.post("/api/stream", json={"joins": joins[:count]})
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
        many = await client.post(
            "/api/stream", json={"joins": joins[:50], "poll": True, "welcome": False}
        )
        assert many.status_code == 200


async def test_of_forty_streams_of_one_doctor_twenty_are_refused_and_leave_nothing(
    house: House,
) -> None:
    async with house.http(await house.token(somebody())) as client, AsyncExitStack() as stack:
        body = {"joins": [{"op": "join", "ref": 0, "room": ROOM}]}
        opened = [
            await stack.enter_async_context(client.stream("POST", "/api/stream", json=body))
            for _ in range(2 * CONNECTIONS_PER_DOCTOR)
        ]
        statuses = [each.status_code for each in opened]
        assert statuses == [200] * CONNECTIONS_PER_DOCTOR + [429] * CONNECTIONS_PER_DOCTOR
        assert len(house.lounge.door.guests()) == MANY + CONNECTIONS_PER_DOCTOR


async def test_a_stream_that_is_not_read_is_cut_off(
    house: House, mallory: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.patience, "STALLED_SECONDS", SOON)
    for _ in range(20):
        await mallory.say(ROOM, "x" * 8_000)
    join = json.dumps({"joins": [{"op": "join", "ref": n, "room": ROOM} for n in range(50)]})
    token = await house.token(somebody())
    before = len(connection.OPEN)
    async with lines(house, 1) as [unread]:
        stop_reading(unread)
        unread.write(_post("/api/stream", token, join))
        await until(lambda: len(connection.OPEN) == before + 1)
        await until(lambda: len(connection.OPEN) == before)
        await until(lambda: house.porch.guests.count == before)


def stop_reading(line: Line) -> None:
    """What comes stays in the buffers of the system."""
    transport: Any = line._writer.transport
    transport.pause_reading()


def _post(path: str, token: str, body: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: lounge\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


# -- at the doorstep -----------------------------------------------------------------------------


async def test_handshakes_that_drip_are_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.porch, "bounds", replace(BOUNDS, head_seconds=SOON))
    async with lines(house, 20, ELSEWHERE) as slow:
        assert await asyncio.gather(*(each.drips(HANDSHAKE) for each in slow)) == [b""] * 20


async def test_of_a_thousand_silent_connections_none_stays(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond 600 of one address each is turned away at once, and the others when their time is up."""
    bounds = replace(BOUNDS, head_seconds=1.0)
    monkeypatch.setattr(house.porch, "bounds", bounds)
    house.porch.turned_away.clear()
    async with lines(house, 1_000, ELSEWHERE) as silent:
        said = await asyncio.gather(*(each.rest() for each in silent))
    assert {each.partition(b"\r\n")[0] for each in said} <= {
        b"",
        b"HTTP/1.1 429 Too Many Requests",
        b"HTTP/1.1 503 Service Unavailable",
    }
    assert house.porch.turned_away.total() == 1_000
    assert house.porch.turned_away.keys() <= {"slow_head", "half_open", "address"}


async def test_a_thousand_handshakes_of_one_address_keep_nobody_out(house: House) -> None:
    async with lines(house, 1_000, ELSEWHERE) as crowd:
        for each in crowd:
            each.write(HANDSHAKE + b"Authorization: Bearer none\r\n\r\n")
        friend = await house.guest(somebody(), ROOM)
        answers = Counter([await _answered(each) for each in crowd])
        assert answers.keys() <= {401, 429, 503, None}
        assert answers[401] > 0
        assert (await friend.say(ROOM, "Quite a crowd."))["seq"]


async def _answered(line: Line) -> int | None:
    """Its status; None where the line was closed before what it had sent was read."""
    try:
        return (await line.answer())[0]
    except ConnectionResetError:
        return None


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1:1", "a b", "[", "x" * 300])
async def test_a_wrong_host_opens_nothing(house: House, host: str) -> None:
    """Who may is told by token, cookie and origin alone; a page at that host has that origin."""
    head = HANDSHAKE.replace(b"Host: lounge", f"Host: {host}".encode())
    for more, wanted in ((b"", {401}), (f"Origin: http://{host}\r\n".encode(), {403})):
        async with lines(house, 1, ELSEWHERE) as [caller]:
            caller.write(head + more + b"\r\n")
            assert (await caller.answer())[0] in wanted | {400}
