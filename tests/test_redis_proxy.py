"""The bad line that other tests stand on: it cuts frames where they end, and is bad the same way twice."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from tests.redis_proxy import Faults, Frames, RedisProxy, is_message

FRAMES = [
    b"+OK\r\n",
    b"-ERR no\r\n",
    b":42\r\n",
    b"_\r\n",
    b"#t\r\n",
    b",1.5\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"$6\r\na\r\n:1\xff\r\n",
    b"=7\r\ntxt:a\r\n\r\n",
    b"%1\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n",
    b"|1\r\n+a\r\n+b\r\n$1\r\nc\r\n",
    b"~1\r\n*1\r\n+deep\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n",
    b">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$0\r\n\r\n",
    b">3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n",
]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1000])
def test_frames_come_out_whole_however_the_stream_is_cut(chunk_bytes: int) -> None:
    stream, frames = b"".join(FRAMES), Frames()
    chunks = [stream[at : at + chunk_bytes] for at in range(0, len(stream), chunk_bytes)]
    assert [frame for chunk in chunks for frame in frames.feed(chunk)] == FRAMES
    assert [frame for frame in FRAMES if is_message(frame)] == FRAMES[-3:-1]


@pytest.mark.parametrize("protocol", [2, 3])
async def test_the_same_seed_loses_doubles_and_swaps_the_same(
    redis_url: str, protocol: int
) -> None:
    faults = Faults(lost=0.2, doubled=0.2, swapped=0.2)
    first, again, other = [await _heard(redis_url, protocol, faults, seed) for seed in (1, 1, 2)]
    assert first == again != other
    assert first != sorted(first)
    assert len(set(first)) < len(first)
    assert 50 < len(set(first)) < 100


async def _heard(url: str, protocol: int, faults: Faults, seed: int) -> list[int]:
    """What a subscriber behind such a line hears of the numbers 0 to 99."""
    numbers: list[int] = []
    async with (
        RedisProxy(url, seed) as line,
        Redis.from_url(url) as redis,
        Redis.from_url(f"{line.url}?protocol={protocol}") as far,
        far.pubsub() as subscription,
    ):
        await subscription.subscribe("numbers")
        assert await subscription.get_message(timeout=30)
        line.faults = faults
        for n in range(100):
            await redis.publish("numbers", n)
        await subscription.ping()  # its answer comes after everything that was published
        async for message in subscription.listen():
            if message["type"] == "pong":
                break
            numbers.append(int(message["data"]))
    return numbers
