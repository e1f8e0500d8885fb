"""Before a client is somebody: real connections that dawdle, sprawl or come in crowds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from lounge.doctors import Visit
from lounge.settings import from_environment
from tests.support import PATIENCE_SECONDS, House, open_house, until
from web.doorstep import RETRY_WITHIN_SECONDS
from web.porch import BOUNDS, Addresses, Place, Porch

ROOM = "specialty/cardiology"
SOON = 0.2
GET = b"GET /healthz HTTP/1.1\r\nHost: lounge\r\n\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: lounge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
POST = (
    b"POST /api/session HTTP/1.1\r\nHost: lounge\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n"
)


class Line:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.close()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """What still comes until the server closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def drips(self, data: bytes) -> bytes:
        """What comes back when one byte after the other is sent until the server closes."""
        for each in data:
            try:
                self.write(bytes((each,)))
                async with asyncio.timeout(SOON / 10):
                    return await self._reader.read()
            except TimeoutError:
                continue
            except ConnectionError:
                return b""
        raise AssertionError("never closed")


@asynccontextmanager
async def lines(house: House, count: int, address: str = "127.0.0.1") -> AsyncIterator[list[Line]]:
    """That many connections from one address, hung up at the end."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(
                Line(
                    *await asyncio.open_connection("127.0.0.1", house.port, local_addr=(address, 0))
                )
            )
            stack.callback(opened[-1].hang_up)
        yield opened


@asynccontextmanager
async def line(house: House) -> AsyncIterator[Line]:
    async with lines(house, 1) as [only]:
        yield only


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("doorstep"), redis_url) as house:
        yield house


@pytest.fixture
async def house(served: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A lounge of short patience where nobody is left over from one test to the next."""
    served.porch.turned_away.clear()
    bounds = replace(BOUNDS, head_seconds=SOON, body_seconds=SOON)
    monkeypatch.setattr(served.porch, "bounds", bounds)
    yield served
    for guest in served.guests:
        await guest.socket.close()
    served.guests.clear()
    await until(lambda: served.porch.connections.count == 0)
    assert_empty(served.porch)


@pytest.fixture
def patient(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The same with the usual patience."""
    monkeypatch.setattr(house.porch, "bounds", BOUNDS)
    return house


def assert_empty(porch: Porch) -> None:
    for addresses in (porch.connections, porch.half_open, porch.guests):
        assert (addresses.count, addresses.networks()) == (0, 0)
    assert porch.handshakes == 0


def refusal(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """Status and code of a refusal that has the shape of all errors and a time to come back."""
    status, headers, body = answer
    error = json.loads(body)["error"]
    assert error["message"]
    assert headers["connection"] == "close"
    if status in (429, 503):
        assert 1 <= error["retry_after"] <= RETRY_WITHIN_SECONDS
        assert headers["retry-after"] == str(error["retry_after"])
    return status, error["code"]


# -- time ----------------------------------------------------------------------------------------


async def test_a_connection_that_says_nothing_is_closed(house: House) -> None:
    async with line(house) as silent:
        assert await silent.rest() == b""
    assert house.porch.turned_away == {"slow_head": 1}


async def test_a_handshake_that_drips_is_closed(house: House) -> None:
    async with line(house) as slow:
        assert await slow.drips(HANDSHAKE) == b""
    assert house.porch.turned_away == {"slow_head": 1}


async def test_a_body_that_drips_is_cut_off_and_nothing_of_it_is_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with structlog.testing.capture_logs() as logged:
        async with line(house) as slow:
            slow.write(POST)
            assert await slow.drips(b"{" * 100) == b""
        await until(nobody_is_served)
    assert house.porch.turned_away == {"slow_body": 1}
    assert (logged, caplog.messages) == ([], [])


async def test_a_second_request_has_no_more_time_than_the_first(house: House) -> None:
    async with line(house) as slow:
        slow.write(GET)
        assert (await slow.answer())[0] == 200
        assert await slow.drips(GET) == b""
    assert house.porch.turned_away == {"slow_head": 1}


async def test_empty_lines_between_requests_do_not_keep_a_connection(house: House) -> None:
    async with line(house) as slow:
        slow.write(GET)
        assert (await slow.answer())[0] == 200
        assert await slow.drips(b"\r\n" * 100) == b""
    assert house.porch.turned_away == {"slow_head": 1}


async def test_a_connection_between_two_requests_owes_nothing(house: House) -> None:
    async with line(house) as kept:
        kept.write(GET)
        assert (await kept.answer())[0] == 200
        await somebody_was_too_slow(house)
        kept.write(GET)
        assert (await kept.answer())[0] == 200


async def test_two_requests_in_one_piece_are_answered_both(house: House) -> None:
    async with line(house) as hasty:
        hasty.write(GET + GET)
        assert [(await hasty.answer())[2] for _ in range(2)] == [b"ok", b"ok"]
        assert house.porch.half_open.count == 0


async def test_an_open_websocket_outlives_every_patience(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.porch, "bounds", replace(house.porch.bounds, handshake_seconds=2.0))
    ana = await house.guest("ana", ROOM)
    await somebody_was_too_slow(house)
    async with line(house) as later:
        later.write(unreadable_handshake())
        await later.rest()
    assert house.porch.turned_away["unanswered"] == 1
    assert (await ana.say(ROOM, "Still here."))["seq"]


async def test_a_handshake_that_nobody_answers_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.porch, "bounds", replace(house.porch.bounds, handshake_seconds=SOON))
    async with line(house) as puzzling:
        puzzling.write(unreadable_handshake())
        assert refusal(await puzzling.answer()) == (503, "busy")
        assert await puzzling.rest() == b""
    assert house.porch.turned_away == {"unanswered": 1}


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [GET[:-2], HANDSHAKE], ids=["request", "handshake"])
async def test_a_head_that_is_too_long_is_refused_whole_or_unfinished(
    patient: House, start: bytes
) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 100) for n in range(400))
    assert len(many) > BOUNDS.head_bytes
    for rest in (many + b"\r\n", many, b"X: " + b"x" * 300_000):
        async with line(patient) as sprawling:
            sprawling.write(start + rest)
            assert refusal(await sprawling.answer()) == (431, "too_long")
    assert patient.porch.turned_away == {"long_head": 3}


async def test_a_long_body_is_no_long_head(patient: House) -> None:
    async with line(patient) as long:
        long.write(POST.replace(b"100", b"7000") + b'"' + b"x" * 6_998 + b'"')
        assert (await long.answer())[0] == 400
        long.write(GET)
        assert (await long.answer())[0] == 200
    assert not patient.porch.turned_away


# -- crowds --------------------------------------------------------------------------------------


async def test_of_sixty_half_handshakes_ten_are_refused_while_a_guest_from_there_talks(
    patient: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = replace(BOUNDS, head_seconds=PATIENCE_SECONDS)
    monkeypatch.setattr(patient.porch, "bounds", bounds)
    ben = await patient.guest("ben", ROOM)
    async with lines(patient, 60) as crowd:
        for each in crowd:
            each.write(HANDSHAKE)
        ana = await patient.guest("ana", ROOM)
        said = await ana.say(ROOM, "Is anybody there?")
        await ben.reaches(ROOM, said["seq"])
        answers = [await each.answer() for each in crowd[50:]]
        assert [refusal(each) for each in answers] == [(503, "busy")] * 10
        assert patient.porch.turned_away == {"half_open": 10}
        assert patient.porch.half_open.count == 50
        crowd[0].write(b"\r\n")
        assert (await crowd[0].answer())[0] == 401
        async with lines(patient, 1, "127.0.0.2") as [elsewhere]:
            await until(lambda: patient.porch.half_open.count == 50)
            elsewhere.write(GET)
            assert (await elsewhere.answer())[0] == 200


async def test_who_hangs_up_leaves_nothing_behind(patient: House) -> None:
    async with lines(patient, 100) as silent:
        await until(lambda: patient.porch.connections.count == 100)
        for each in silent[:50]:
            each.write(POST)
    await until(lambda: patient.porch.connections.count == 0)
    assert_empty(patient.porch)


async def test_who_hangs_up_before_the_handshake_is_answered_is_no_fault(
    patient: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    may_answer = held(patient, monkeypatch)
    async with line(patient) as caller:
        token = await patient.token("ana")
        caller.write(HANDSHAKE + f"Authorization: Bearer {token}\r\n\r\n".encode())
        await until(lambda: patient.porch.handshakes == 1)
    await until(lambda: patient.porch.connections.count == 0)
    assert_empty(patient.porch)
    may_answer.set()
    await until(nobody_is_served)
    assert caplog.messages == []


async def test_handshakes_beyond_what_can_be_answered_are_told_when_to_come_back(
    patient: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = held(patient, monkeypatch)
    monkeypatch.setattr(patient.porch, "bounds", replace(BOUNDS, handshakes=3))
    async with lines(patient, 5) as callers:
        for n, each in enumerate(callers):
            each.write(HANDSHAKE + b"Authorization: Bearer none\r\n\r\n")
            await until(lambda n=n: turned_away_or_waiting(patient) == n + 1)  # type: ignore[misc]
        assert [refusal(await each.answer()) for each in callers[3:]] == [(503, "busy")] * 2
        async with line(patient) as reading:
            reading.write(GET)
            assert (await reading.answer())[0] == 200
        may_answer.set()
        assert [(await each.answer())[0] for each in callers[:3]] == [401] * 3
        assert patient.porch.handshakes == 0
    assert patient.porch.turned_away == {"handshakes": 2}
    await patient.guest("ana", ROOM)


async def test_one_address_has_so_many_connections_and_all_together_have_so_many(
    tmp_path: Path, redis_url: str
) -> None:
    bounds = replace(BOUNDS, connections=7, connections_each=4)
    async with open_house(tmp_path, redis_url, bounds) as house:
        ana = await house.guest("ana", ROOM)
        async with lines(house, 4) as ours, lines(house, 4, "127.0.0.2") as theirs:
            assert refusal(await ours[3].answer()) == (429, "rate_limited")
            assert refusal(await theirs[3].answer()) == (503, "busy")
            assert house.porch.turned_away == {"address": 1, "full": 1}
            ours[0].hang_up()
            await until(lambda: house.porch.connections.count == 6)
            async with line(house) as again:
                again.write(GET)
                assert (await again.answer())[0] == 200
        assert (await ana.say(ROOM, "Quite a crowd."))["seq"]
        await until(lambda: house.porch.connections.count == 1)
        await ana.socket.close()
        await until(lambda: house.porch.connections.count == 0)
        assert_empty(house.porch)


@pytest.mark.parametrize("changes", [{"trusted_proxies": "127.0.0.1"}, {"bench": True}])
async def test_a_trusted_proxy_and_a_bench_bring_as_many_as_all_together_may_be(
    tmp_path: Path, redis_url: str, changes: dict[str, Any]
) -> None:
    bounds = replace(BOUNDS, connections=7, connections_each=4, half_open_each=2)
    async with open_house(tmp_path, redis_url, bounds, **changes) as house, lines(house, 8) as all_:
        assert refusal(await all_[7].answer()) == (503, "busy")
        assert house.porch.half_open.count == 7
        for each in all_[:7]:
            each.write(GET)
            assert (await each.answer())[0] == 200


# -- the counts ----------------------------------------------------------------------------------


def test_an_address_enters_as_often_as_it_may_and_again_once_it_left() -> None:
    addresses = Addresses(in_all=3, each=2)
    assert [addresses.enter("203.0.113.1") for _ in range(3)] == [True, True, False]
    assert addresses.enter("203.0.113.2")
    assert not addresses.enter("203.0.113.3")
    addresses.leave("203.0.113.1")
    assert addresses.enter("203.0.113.1")


def test_a_household_of_ipv6_is_one_address() -> None:
    addresses = Addresses(in_all=9, each=1)
    assert addresses.enter("2001:db8::1")
    assert not addresses.enter("2001:db8::2")
    assert addresses.enter("2001:db8:0:1::1")
    assert addresses.networks() == 2


def test_nobody_counts_for_an_address_that_is_not_known() -> None:
    addresses = Addresses(in_all=3, each=1)
    assert [addresses.enter(None) for _ in range(4)] == [True, True, True, False]
    assert addresses.networks() == 0


@pytest.mark.parametrize("proxies", ["203.0.113.7", "203.0.113.0/24", "*"])
def test_a_proxy_has_no_bound_of_its_own(proxies: str) -> None:
    settings = replace(from_environment({}), trusted_proxies=proxies)
    assert Porch(settings).bounded("203.0.113.7") is None


def test_without_a_proxy_everybody_is_bounded() -> None:
    assert Porch(from_environment({})).bounded("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Place.owe,),
        (Place.owe, Place.owe, Place.pay, Place.pay),
        (Place.owe, Place.pay, Place.shake),
        (Place.shake, Place.shaken, Place.shaken),
    ],
)
def test_a_place_is_given_back_wherever_it_ends(steps: tuple[Callable[[Place], Any], ...]) -> None:
    porch = Porch(from_environment({}))
    assert porch.connections.enter("203.0.113.7")
    place = Place(porch, "203.0.113.7")
    for step in steps:
        step(place)
    place.leave()
    assert_empty(porch)


# -- privates ------------------------------------------------------------------------------------


def held(house: House, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Tokens are looked up only once this event is set."""
    may_answer = asyncio.Event()
    by_token = house.lounge.doctors.by_token

    async def when_it_may(token: str) -> Visit | None:
        await may_answer.wait()
        return await by_token(token)

    monkeypatch.setattr(house.lounge.doctors, "by_token", when_it_may)
    return may_answer


def nobody_is_served() -> bool:
    """No request is being worked on, nor a WebSocket."""
    running = (task.get_coro() for task in asyncio.all_tasks())
    return all(getattr(each, "__name__", "") != "run_asgi" for each in running)


async def somebody_was_too_slow(house: House) -> None:
    """Somebody who comes now and says nothing is closed: as much time has passed."""
    async with line(house) as silent:
        assert await silent.rest() == b""


def unreadable_handshake() -> bytes:
    """Short enough for the doorstep, and longer than the WebSocket library reads."""
    return HANDSHAKE + b"X: " + b"x" * 9_000 + b"\r\n\r\n"


def turned_away_or_waiting(house: House) -> int:
    return house.porch.handshakes + house.porch.turned_away.total()
