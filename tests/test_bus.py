"""The bus on a real Redis: hints go to the other processes, and nothing that Redis does ends it."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psutil
import pytest
import structlog
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from redis.asyncio import Redis

import channels.bus
import channels.hint
import channels.outbox
import channels.seal
from channels.bus import Bus, Hint
from channels.hint import pack
from channels.ring import Item
from channels.seal import Refused, Seal
from tests.redis_proxy import Faults, RedisProxy
from tests.support import until
from web.valkey import EmbeddedValkey

KEY = secrets.token_bytes(32)


@dataclass(slots=True)
class Process:
    """A bus and what it heard in rooms of one test."""

    room: str
    bus: Bus
    redis: Redis
    heard: list[Hint] = field(default_factory=list)
    resumed: int = 0

    async def hears(self, head: int) -> Hint:
        """The first hint of that head or beyond, once it is there."""
        await until(lambda: any(hint.head >= head for hint in self.heard))
        return next(hint for hint in self.heard if hint.head >= head)

    async def hears_only_what_follows(self, bad: int, other: Process) -> None:
        """`bad` messages were refused, and hints still come."""
        await until(lambda: self.bus.refused == bad)
        await exchanged(other, self, 1)
        assert [hint.head for hint in self.heard] == [1]
        assert (self.bus.refused, self.resumed) == (bad, 1)  # it did not even have to begin again


@dataclass(slots=True)
class Processes:
    """Opens them on one Redis."""

    url: str
    stack: AsyncExitStack
    room: str = field(default_factory=lambda: f"house/{secrets.token_hex(6)}")

    def redis(self) -> Redis:
        """A client of anybody who reaches that Redis."""
        return Redis.from_url(self.url)

    async def open(self, house: str = "ours", key: bytes = KEY, url: str = "") -> Process:
        opening = _process(url or self.url, self.room, house, key)
        return await self.stack.enter_async_context(opening)


@asynccontextmanager
async def _process(url: str, room: str, house: str, key: bytes) -> AsyncIterator[Process]:
    def hear(hint: Hint) -> None:
        if hint.room.startswith(room):
            process.heard.append(hint)

    def resumed() -> None:
        process.resumed += 1

    redis = Redis.from_url(url, socket_timeout=None)
    process = Process(room, Bus(redis, house, key, hear, resumed), redis)
    running = asyncio.create_task(process.bus.run())
    try:
        await until(lambda: process.bus.is_up)
        yield process
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await redis.aclose()


@pytest.fixture
async def processes(redis_url: str) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        yield Processes(redis_url, stack)


def _items(first: int, last: int) -> tuple[Item, ...]:
    return tuple(
        Item(n, f"id{n}", n, f"payload {n}".encode(), n - 1 or None, n % 2 == 0)
        for n in range(first, last + 1)
    )


async def exchanged(one: Process, other: Process, head: int) -> None:
    """Hints may be lost just now: it goes on telling the head until it is heard."""
    async with asyncio.timeout(30):
        while not any(hint.head == head for hint in other.heard):
            one.bus.publish(Hint(one.room, head, head))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await other.hears(head)


async def first(listened: AsyncIterator[Any], wanted: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        async for one in listened:
            if wanted(one):
                return one


# -- hints ---------------------------------------------------------------------------------------


async def test_what_one_process_publishes_the_others_hear_as_it_was(processes: Processes) -> None:
    ours, second, third = [await processes.open() for _ in range(3)]
    hint = Hint(processes.room, 2, 2, _items(1, 2))
    ours.bus.publish(hint)
    assert await second.hears(2) == hint
    assert await third.hears(2) == hint


async def test_a_process_does_not_hear_itself(processes: Processes) -> None:
    ours, other = await processes.open(), await processes.open()
    ours.bus.publish(Hint(processes.room, 1, 1))
    await other.hears(1)
    other.bus.publish(Hint(processes.room, 2, 2))
    await ours.hears(2)
    assert [hint.head for hint in ours.heard] == [2]
    assert ours.bus.refused == 0


async def test_another_house_on_the_same_redis_hears_nothing(processes: Processes) -> None:
    ours, other, stranger = [await processes.open(house) for house in ("ours", "ours", "theirs")]
    ours.bus.publish(Hint(processes.room, 1, 1))
    await other.hears(1)
    stranger.bus.publish(Hint(processes.room, 9, 9))
    other.bus.publish(Hint(processes.room, 2, 2))
    await ours.hears(2)
    assert [[hint.head for hint in each.heard] for each in (ours, other, stranger)] == [
        [2],
        [1],
        [],
    ]


async def test_hints_of_one_moment_go_as_one_a_room_with_everything_in_them(
    processes: Processes,
) -> None:
    ours, other = await processes.open(), await processes.open()
    for n in range(1, 51):
        ours.bus.publish(Hint(processes.room, n, n, _items(n, n)))
        ours.bus.publish(Hint(processes.room + "-b", n, n))
    assert await other.hears(50) == Hint(processes.room, 50, 50, _items(1, 50))
    await until(lambda: len(other.heard) == 2)
    assert other.heard[1] == Hint(processes.room + "-b", 50, 50)


async def test_hints_too_large_to_join_go_as_the_head_alone(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.hint, "JOINED_BYTES", 50)
    ours, other = await processes.open(), await processes.open()
    ours.bus.publish(Hint(processes.room, 9, 9, _items(1, 9)))
    assert await other.hears(9) == Hint(processes.room, 9, 9)


async def test_the_oldest_hint_leaves_when_too_many_wait(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.outbox, "QUEUED_HINTS", 3)
    ours, other = await processes.open(), await processes.open()
    for n in range(1, 6):
        ours.bus.publish(Hint(processes.room, n, n, _items(n, n)))
    assert await other.hears(5) == Hint(processes.room, 5, 5, _items(3, 5))
    assert ours.bus.dropped == 2


async def test_the_oldest_hints_leave_their_entries_behind_when_too_many_bytes_wait(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.outbox, "QUEUED_BYTES", 25)
    ours, other = await processes.open(), await processes.open()
    ours.bus.publish(Hint(processes.room + "-b", 7, 7, _items(7, 7)))
    for n in range(1, 4):
        ours.bus.publish(Hint(processes.room, n, n, _items(n, n)))
    assert await other.hears(7) == Hint(processes.room + "-b", 7, 7)
    await until(lambda: len(other.heard) == 2)
    assert other.heard[1] == Hint(processes.room, 3, 3, _items(2, 3))
    assert ours.bus.dropped == 2


# -- the seal ------------------------------------------------------------------------------------


async def test_what_lies_on_redis_is_readable_by_nobody_else(processes: Processes) -> None:
    ours, other = await processes.open(), await processes.open()
    text = b"the patient in bed seven"
    item = Item(1, "id-of-the-entry", 1, text)
    room = processes.room.encode()
    async with processes.redis() as redis, redis.monitor() as monitor, redis.pubsub() as stranger:
        await stranger.psubscribe("*")
        ours.bus.publish(Hint(processes.room, 1, 1, (item,)))
        assert (await other.hears(1)).items == (item,)
        command = await first(monitor.listen(), lambda seen: processes.room in seen["command"])
        message = await first(stranger.listen(), lambda seen: room in seen["channel"])
    assert command["command"].startswith("PUBLISH")
    seen = command["command"].encode() + message["data"]
    for secret in (text, item.id.encode(), KEY):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:-4]):
            assert form not in seen


FORGED = Hint("", 99, 99, _items(98, 99))
CHANNEL = b"lounge:ours:room:"

FOREIGN: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda channel: b"",
    "a nonce alone": lambda channel: bytes(12),
    "text": lambda channel: b"hello, I am no hint at all",
    "not sealed": lambda channel: pack(FORGED),
    "of another key": lambda channel: Seal(secrets.token_bytes(32)).close(channel, pack(FORGED)),
    "of another room": lambda channel: Seal(KEY).close(channel + b"-b", pack(FORGED)),
    "cut short": lambda channel: Seal(KEY).close(channel, pack(FORGED))[:-1],
    "one bit changed": lambda channel: _bent(Seal(KEY).close(channel, pack(FORGED))),
    "too old": lambda channel: _seal_at(-32).close(channel, pack(FORGED)),
    "of the future": lambda channel: _seal_at(+32).close(channel, pack(FORGED)),
    "sealed, but not said": lambda channel: _sealed(channel, b"hello"),
    "sealed, but said by nobody": lambda channel: _sealed(channel, _said(b"", pack(FORGED))),
}

MALFORMED: dict[str, bytes] = {
    "huge": pack(Hint("", 1, 1, (Item(1, "id", 1, bytes(channels.seal.LARGEST_BYTES)),))),
    "not msgpack": b"\xc1",
    "nothing": b"",
    "a number": msgspec.msgpack.encode(7),
    "too few": msgspec.msgpack.encode((1, 1)),
    "a word for a head": msgspec.msgpack.encode(("far", 1, [])),
    "a head below nothing": msgspec.msgpack.encode((-1, 1, [])),
    "a head beyond counting": msgspec.msgpack.encode((2**63, 1, [])),
    "a map for rows": msgspec.msgpack.encode((1, 1, {})),
    "a row too short": msgspec.msgpack.encode((1, 1, [(1, "id")])),
    "a row of other types": msgspec.msgpack.encode((1, 1, [("1", 1, "", "", "", 7)])),
    "very deep": b"\x91" * 100_000,
}


def _bent(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def _seal_at(seconds: float) -> Seal:
    return Seal(KEY, lambda: time.time() + seconds)


def _said(origin: bytes, body: bytes) -> bytes:
    return msgspec.msgpack.encode((origin, 1, int(time.time()), body))


def _sealed(channel: bytes, said: bytes) -> bytes:
    return bytes(12) + ChaCha20Poly1305(KEY).encrypt(bytes(12), said, channel)


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_what_this_house_did_not_say_just_now_is_refused_and_counted(
    processes: Processes, foreign: str
) -> None:
    ours, other = await processes.open(), await processes.open()
    channel = CHANNEL + processes.room.encode()
    await ours.redis.publish(channel, FOREIGN[foreign](channel))
    await ours.redis.publish(CHANNEL + b"\xff\xfe", FOREIGN[foreign](CHANNEL))
    await other.hears_only_what_follows(2, ours)


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_what_is_sealed_but_no_hint_or_a_huge_one_is_refused_and_counted(
    processes: Processes, malformed: str
) -> None:
    ours, other = await processes.open(), await processes.open()
    for channel in (CHANNEL + processes.room.encode(), CHANNEL + b"\xff\xfe"):
        await ours.redis.publish(channel, Seal(KEY).close(channel, MALFORMED[malformed]))
    await other.hears_only_what_follows(2, ours)


async def test_what_is_said_again_is_refused(processes: Processes) -> None:
    ours, other = await processes.open(), await processes.open()
    async with processes.redis() as redis, redis.pubsub() as stranger:
        await stranger.psubscribe("*")
        ours.bus.publish(Hint(processes.room, 1, 1, _items(1, 1)))
        room = processes.room.encode()
        message = await first(stranger.listen(), lambda seen: room in seen["channel"])
        for _ in range(3):
            await redis.publish(message["channel"], message["data"])
    await other.hears_only_what_follows(3, ours)


async def test_a_process_of_another_key_is_not_heard(processes: Processes) -> None:
    ours, other = await processes.open(), await processes.open()
    stranger = await processes.open(key=secrets.token_bytes(32))
    stranger.bus.publish(Hint(processes.room, 9, 9))
    await other.hears_only_what_follows(1, ours)


def test_of_the_many_who_spoke_it_remembers_those_who_spoke_last() -> None:
    listener, silent, talker = Seal(KEY), Seal(KEY), Seal(KEY)
    of_the_silent, of_the_talker = silent.close(b"room", b""), talker.close(b"room", b"")
    listener.open(b"room", of_the_silent)
    listener.open(b"room", of_the_talker)
    for _ in range(channels.seal.ORIGINS):
        listener.open(b"room", Seal(KEY).close(b"room", b""))
        listener.open(b"room", talker.close(b"room", b""))
    with pytest.raises(Refused):
        listener.open(b"room", of_the_talker)
    listener.open(b"room", of_the_silent)  # forgotten: what it said is refused for its age alone


async def test_a_listener_that_fails_costs_one_hint(processes: Processes) -> None:
    def hear(hint: Hint) -> None:
        heard.append(hint.head)
        raise RuntimeError

    heard: list[int] = []
    ours = await processes.open()
    bus = Bus(ours.redis, "ours", KEY, hear, lambda: None)
    running = asyncio.create_task(bus.run())
    await until(lambda: bus.is_up)
    for head in (1, 2):
        ours.bus.publish(Hint(processes.room, head, head))
        await until(lambda head=head: head in heard)  # type: ignore[misc]
    assert bus.refused == 2
    running.cancel()


async def test_many_refused_are_one_line_of_the_log_without_what_they_held(
    processes: Processes,
) -> None:
    ours, other = await processes.open(), await processes.open()
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            await ours.redis.publish(
                other.bus.channel + processes.room, b"the patient in bed seven"
            )
        await until(lambda: other.bus.refused == ours.bus.refused == 20)
    assert [line["event"] for line in lines] == ["hint refused"] * 2
    assert "patient" not in str(lines)


# -- the canary ----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of a canary takes a twentieth of one."""
    monkeypatch.setattr(channels.bus, "CANARY_SECONDS", 0.05)
    monkeypatch.setattr(channels.bus, "SUBSCRIBE_SECONDS", 0.5)
    monkeypatch.setattr(channels.bus, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(channels.bus, "PUBLISH_SECONDS", 0.05)


@dataclass(slots=True)
class Faulty:
    """A Redis of this test's own, the line to it, and two processes of which one has that line."""

    valkey: EmbeddedValkey
    redis: Redis
    line: RedisProxy
    ours: Process
    other: Process

    async def works_again(self) -> None:
        """It began anew by itself, asked for everything again, and hints come and go."""
        await until(lambda: self.ours.bus.is_up and self.other.bus.is_up)
        assert self.ours.resumed == self.ours.bus.resubscribed + 1
        head = 1 + max([hint.head for hint in self.ours.heard + self.other.heard], default=0)
        await exchanged(self.ours, self.other, head)
        await exchanged(self.other, self.ours, head + 1)

    async def may(self, rule: str) -> None:
        """What everybody may do on this Redis from now on."""
        await self.redis.execute_command("ACL", "SETUSER", "default", rule)  # type: ignore[no-untyped-call]

    async def signal(self, what: signal.Signals) -> psutil.Process:
        process = psutil.Process((await self.redis.info("server"))["process_id"])
        process.send_signal(what)
        return process


@pytest.fixture
async def faulty(quick: None) -> AsyncIterator[Faulty]:
    async with AsyncExitStack() as stack:
        valkey = EmbeddedValkey()
        await valkey.start()
        stack.push_async_callback(valkey.stop)
        redis = await stack.enter_async_context(Redis.from_url(valkey.url))
        line = await stack.enter_async_context(RedisProxy(valkey.url))
        processes = Processes(valkey.url, stack)
        ours, other = await processes.open(url=line.url), await processes.open()
        yield Faulty(valkey, redis, line, ours, other)


async def test_while_redis_is_stopped_it_is_not_up_and_afterwards_it_is(faulty: Faulty) -> None:
    buses = (faulty.ours.bus, faulty.other.bus)
    enough = {bus: bus.canaries_missed + channels.bus.CANARIES for bus in buses}
    stopped = await faulty.signal(signal.SIGSTOP)
    try:
        # A canary that came before may be read late: then it is up for one look more.
        await until(lambda: all(b.canaries_missed >= enough[b] and not b.is_up for b in buses))
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    await until(lambda: all(bus.is_up for bus in buses))  # on its old line, or on a new one
    await faulty.works_again()


async def test_a_dead_line_is_noticed_and_a_new_one_made(faulty: Faulty) -> None:
    enough = faulty.ours.bus.canaries_missed + channels.bus.CANARIES
    faulty.line.blackhole()
    await until(lambda: faulty.ours.bus.canaries_missed >= enough and not faulty.ours.bus.is_up)
    assert faulty.other.bus.is_up
    faulty.line.heal()
    await until(lambda: faulty.ours.bus.resubscribed > 0)
    await faulty.works_again()


async def test_a_cut_line_is_made_anew(faulty: Faulty) -> None:
    for cuts in range(1, 4):
        faulty.line.cut()
        await until(lambda cuts=cuts: faulty.ours.bus.resubscribed >= cuts)  # type: ignore[misc]
        await faulty.works_again()


async def test_when_its_subscription_is_killed_it_subscribes_again(faulty: Faulty) -> None:
    for kills in range(1, 4):
        await faulty.redis.client_kill_filter(_type="pubsub")
        await until(lambda kills=kills: faulty.ours.bus.resubscribed >= kills)  # type: ignore[misc]
        await faulty.works_again()


async def test_when_it_took_too_little_at_a_time_and_was_put_out_it_subscribes_again(
    faulty: Faulty,
) -> None:
    await faulty.redis.config_set("client-output-buffer-limit", "pubsub 65536 0 0")
    while not faulty.ours.bus.resubscribed:
        await faulty.redis.publish(CHANNEL, bytes(5_000_000))
        await asyncio.sleep(0.05)
    await faulty.works_again()


async def test_where_it_may_not_publish_it_is_not_up_and_tries_on(faulty: Faulty) -> None:
    await faulty.may("-publish")
    await until(lambda: faulty.ours.bus.resubscribed > 1)
    assert not faulty.ours.bus.is_up
    faulty.ours.bus.publish(Hint(faulty.ours.room, 1, 1))
    await until(lambda: faulty.ours.bus.dropped == 1)
    await faulty.may("+publish")
    await faulty.works_again()


async def test_where_it_may_not_subscribe_it_is_not_up_and_tries_on(faulty: Faulty) -> None:
    await faulty.may("resetchannels")
    await until(lambda: not faulty.ours.bus.is_up)
    await faulty.may("allchannels")
    await until(lambda: faulty.ours.bus.resubscribed > 0)
    await faulty.works_again()


async def test_a_redis_that_was_killed_and_started_anew_is_used_again(faulty: Faulty) -> None:
    await faulty.signal(signal.SIGKILL)
    await faulty.valkey.ended()
    await until(lambda: not faulty.ours.bus.is_up and not faulty.other.bus.is_up)
    faulty.ours.bus.publish(Hint(faulty.ours.room, 1, 1))
    await until(lambda: faulty.ours.bus.dropped == 1)
    await faulty.valkey.start()
    await until(lambda: faulty.ours.bus.resubscribed > 0 and faulty.other.bus.resubscribed > 0)
    await faulty.works_again()


async def test_emptying_redis_changes_nothing(faulty: Faulty) -> None:
    await faulty.redis.flushall()
    async with faulty.redis.pubsub() as stranger:
        await stranger.subscribe(faulty.ours.bus.canary_channel)
        for _ in range(channels.bus.CANARIES + 2):
            await first(stranger.listen(), lambda seen: seen["type"] == "message")
    await faulty.works_again()


async def test_a_subscription_that_once_stands_is_left_alone(
    processes: Processes, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.bus, "SUBSCRIBE_SECONDS", 0.2)
    monkeypatch.setattr(channels.bus, "CANARIES", 1_000_000)
    ours = await processes.open()
    async with processes.redis() as redis, redis.pubsub() as stranger:
        await stranger.subscribe(ours.bus.canary_channel)
        for _ in range(10):
            await first(stranger.listen(), lambda seen: seen["type"] == "message")
    assert ours.bus.resubscribed == 0


async def test_a_canary_said_again_by_somebody_else_is_none(faulty: Faulty) -> None:
    bus = faulty.ours.bus
    async with faulty.redis.pubsub() as stranger:
        await stranger.psubscribe("*")
        canary = bus.canary_channel.encode()
        message = await first(stranger.listen(), lambda seen: canary == seen["channel"])
    await faulty.redis.publish(message["channel"], message["data"])
    await faulty.redis.publish(message["channel"], b"hello")
    await until(lambda: bus.refused == 2)


async def test_one_outage_is_one_line_of_the_log(faulty: Faulty) -> None:
    with structlog.testing.capture_logs() as lines:
        faulty.line.blackhole()
        await until(lambda: any(line["event"] == "bus lost" for line in lines))
        lines.clear()  # a slow machine may have told of an outage before this one
        attempts = faulty.line.made + 3
        await until(lambda: faulty.line.made >= attempts)
    assert [line["event"] for line in lines] == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "faults",
    [
        Faults(lost=0.5),
        Faults(doubled=1.0),
        Faults(swapped=0.5),
        Faults(lost=0.2, doubled=0.2, swapped=0.2, late_seconds=0.02),
    ],
    ids=str,
)
async def test_what_is_lost_doubled_swapped_or_late_is_heard_rightly_or_not_at_all(
    processes: Processes, faults: Faults, seed: int
) -> None:
    """Each hint as it was said, none twice, none before an older one: less than what the hub copes with."""
    async with RedisProxy(processes.url, seed) as line:
        ours, other = await processes.open(), await processes.open(url=line.url)
        line.faults = faults
        for n in range(1, 41):
            ours.bus.publish(Hint(processes.room, n, n, _items(n, n)))
            await asyncio.sleep(0.001)
        line.faults = Faults()
        await exchanged(ours, other, 50)
    said = [hint for hint in other.heard if hint.head <= 40]
    assert all(hint.items == _items(hint.items[0].seq, hint.head) for hint in said)
    assert [hint.head for hint in said] == sorted({hint.head for hint in said})
    assert other.bus.refused == 0 or faults.doubled or faults.swapped


# -- Redis away ----------------------------------------------------------------------------------


async def test_a_redis_that_was_never_there_costs_hints_and_nothing_else(quick: None) -> None:
    redis = Redis.from_url("unix:///nowhere/at/all.sock")
    bus = Bus(redis, "ours", KEY, lambda _: None, lambda: None)
    running = asyncio.create_task(bus.run())
    bus.publish(Hint("world", 1, 1))
    bus.publish(Hint("world", 2, 2))
    await until(lambda: bus.dropped == 2)
    assert not bus.is_up
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await redis.aclose()


async def test_a_redis_that_pauses_delays_nobody_and_is_used_again(processes: Processes) -> None:
    ours, other = await processes.open(), await processes.open()
    await ours.redis.client_pause(600)
    ours.bus.publish(Hint(processes.room, 1, 1))  # returns at once, whatever becomes of it
    await exchanged(ours, other, 2)
