"""The bus on a real Redis: hints go to the other processes, and nothing that Redis does ends it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec
import pytest
from redis.asyncio import Redis

import channels.bus
from channels.bus import Bus, Hint
from channels.ring import Item


@dataclass(slots=True)
class Process:
    """A bus and what it heard in rooms of one test."""

    room: str
    bus: Bus
    redis: Redis
    heard: list[Hint] = field(default_factory=list)
    resumed: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.news:
            await self.news.wait_for(so)

    async def hears(self, head: int) -> Hint:
        """The hint of that head, once it is there."""
        await self.until(lambda: any(hint.head >= head for hint in self.heard))
        return next(hint for hint in self.heard if hint.head >= head)


@dataclass(slots=True)
class Processes:
    """Opens them on one Redis."""

    url: str
    stack: AsyncExitStack
    room: str = field(default_factory=lambda: f"house/{secrets.token_hex(6)}")

    async def open(self, house: str = "ours") -> Process:
        return await self.stack.enter_async_context(_process(self.url, self.room, house))


@asynccontextmanager
async def _process(url: str, room: str, house: str) -> AsyncIterator[Process]:
    def hear(hint: Hint) -> None:
        if hint.room.startswith(room):
            process.heard.append(hint)
            _tell()

    def resumed() -> None:
        process.resumed += 1
        _tell()

    def _tell() -> None:
        tasks.add(asyncio.ensure_future(_notify(process.news)))

    tasks: set[asyncio.Future[None]] = set()
    redis = Redis.from_url(url)
    process = Process(room, Bus(redis, house, hear, resumed), redis)
    running = asyncio.create_task(process.bus.run())
    try:
        await process.until(lambda: process.resumed > 0)
        yield process
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await asyncio.gather(*tasks)
        await redis.aclose()


async def _notify(news: asyncio.Condition) -> None:
    async with news:
        news.notify_all()


@pytest.fixture
async def processes(redis_url: str) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        yield Processes(redis_url, stack)


def _items(first: int, last: int) -> tuple[Item, ...]:
    return tuple(
        Item(n, f"id{n}", n, f"payload {n}".encode(), n - 1 or None, n % 2 == 0)
        for n in range(first, last + 1)
    )


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
    await other.until(lambda: len(other.heard) == 2)
    assert other.heard[1] == Hint(processes.room + "-b", 50, 50)


async def test_the_oldest_hint_leaves_when_too_many_wait(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.bus, "QUEUED_HINTS", 3)
    ours, other = await processes.open(), await processes.open()
    for n in range(1, 6):
        ours.bus.publish(Hint(processes.room, n, n, _items(n, n)))
    assert await other.hears(5) == Hint(processes.room, 5, 5, _items(3, 5))
    assert ours.bus.dropped == 2


GARBAGE = {
    "not msgpack": b"\xc1",
    "nothing": b"",
    "text": b"hello",
    "a number": msgspec.msgpack.encode(7),
    "too few": msgspec.msgpack.encode((b"who", 1, 1)),
    "a word for a head": msgspec.msgpack.encode((b"who", "far", 1, [])),
    "a map for rows": msgspec.msgpack.encode((b"who", 1, 1, {})),
    "a row too short": msgspec.msgpack.encode((b"who", 1, 1, [(1, "id")])),
    "a row of other types": msgspec.msgpack.encode((b"who", 1, 1, [("1", 1, "", "", "", 7)])),
    "very deep": b"\x91" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_what_is_no_hint_is_ignored(processes: Processes, garbage: str) -> None:
    ours, other = await processes.open(), await processes.open()
    await ours.redis.publish(ours.bus.channel + processes.room, GARBAGE[garbage])
    await ours.redis.publish(ours.bus.channel.encode() + b"\xff\xfe", GARBAGE[garbage])
    ours.bus.publish(Hint(processes.room, 1, 1))
    await other.hears(1)
    assert [hint.head for hint in other.heard] == [1]
    assert other.resumed == 1  # it did not even have to begin again


async def test_after_its_connections_were_killed_it_hears_and_is_heard_again(
    processes: Processes,
) -> None:
    ours, other = await processes.open(), await processes.open()
    killer = Redis.from_url(processes.url)
    for n in range(1, 4):
        for kind in ("pubsub", "normal"):
            await killer.client_kill_filter(_type=kind)
        await _exchanged(ours, other, 10 * n)
        await _exchanged(other, ours, 10 * n + 5)
    await killer.aclose()


async def _exchanged(one: Process, other: Process, head: int) -> None:
    """Hints may be lost just now: it goes on telling the head until it is heard."""
    async with asyncio.timeout(30):
        while not any(hint.head == head for hint in other.heard):
            one.bus.publish(Hint(one.room, head, head))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await other.hears(head)


async def test_a_redis_that_is_away_costs_hints_and_nothing_else(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.bus, "RETRY_SECONDS", 0.01)
    redis = Redis.from_url("unix:///nowhere/at/all.sock")
    bus = Bus(redis, "ours", lambda _: None, lambda: None)
    running = asyncio.create_task(bus.run())
    bus.publish(Hint("world", 1, 1))
    bus.publish(Hint("world", 2, 2))
    async with asyncio.timeout(30):
        while bus.dropped < 2:
            await asyncio.sleep(0)
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
    await _exchanged(ours, other, 2)
