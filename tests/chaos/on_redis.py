"""What happens to Redis, to the line to it, and to what is published.

A fault returns its evidence; it raises NotFired when nothing shows that it happened.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from tests.chaos.evidence import (
    PATIENCE_SECONDS,
    Act,
    NotFired,
    suspended,
    until,
)
from tests.chaos.house import House
from tests.redis_proxy import Faults

FLOOD_MESSAGES, FLOOD_BYTES = 64, 16_000
"""Together more than a subscriber may have waiting then."""


def redis_killed(seconds: float) -> Act:
    async def killed(house: House) -> str:
        valkey = house.valkey_process()
        valkey.kill()
        await house.valkey.ended()
        await asyncio.sleep(seconds)
        await house.valkey.start()
        return f"Valkey {valkey.pid} is gone, another one after {seconds:g} s"

    return killed


def redis_stopped(seconds: float) -> Act:
    async def stopped(house: House) -> str:
        async with suspended([house.valkey_process()], seconds):
            pass
        return f"Valkey stood still for {seconds:g} s"

    return stopped


async def flushed(house: House) -> str:
    async with house.redis() as redis:
        before = await redis.info("commandstats")
        keys = await redis.dbsize()
        await redis.flushall()
        after = await redis.info("commandstats")
    calls = _calls(after) - _calls(before)
    if not calls:
        raise NotFired("Valkey counted no FLUSHALL")
    return f"{keys} keys are gone"


async def subscribers_killed(house: House) -> str:
    async with house.redis() as redis:
        killed = await redis.client_kill_filter(_type="pubsub")
    if not killed:
        raise NotFired("there was no subscriber")
    return f"{killed} subscribers were cut off"


async def buffer_overrun(house: House) -> str:
    """A subscriber may hold 64 kB, and somebody publishes more in one go."""
    limit, name = "client-output-buffer-limit", "client_output_buffer_limit_disconnections"
    async with house.redis() as redis:
        channel = await _a_channel(redis)
        before = (await redis.info("stats"))[name]
        await redis.config_set(limit, "pubsub 64kb 0 0")
        try:
            async with redis.pipeline(transaction=True) as at_once:
                for _ in range(FLOOD_MESSAGES):
                    at_once.publish(channel, bytes(FLOOD_BYTES))
                await at_once.execute()
            await asyncio.sleep(3)
            cut = (await redis.info("stats"))[name] - before
        finally:
            await redis.config_set(limit, "pubsub 33554432 8388608 60")
    if not cut:
        raise NotFired("Valkey cut nobody off")
    return f"{cut} subscribers were cut off for what they had not read"


async def half_open(house: House) -> str:
    """No byte comes through and nobody is told."""
    proxy, made = house.redis_proxy, house.redis_proxy.made
    proxy.blackhole()
    try:
        await asyncio.sleep(6)
    finally:
        proxy.heal()
    await until(lambda: proxy.made > made, "nobody connected anew")
    return f"{proxy.made - made} new connections were made"


def lossy(faults: Faults, seconds: float) -> Act:
    """Pub/sub loses, doubles, swaps or delays for so long, and until it has at least once."""

    async def bad(house: House) -> str:
        proxy, before = house.redis_proxy, house.redis_proxy.touched
        proxy.faults = faults
        try:
            await asyncio.sleep(seconds)
            await until(lambda: proxy.touched > before, "no message was touched")
        finally:
            proxy.faults = Faults()
        return f"{proxy.touched - before} messages did not go through as they came"

    return bad


# -- what they are made of -----------------------------------------------------------------------


def _calls(stats: dict[str, Any]) -> int:
    calls: int = stats.get("cmdstat_flushall", {}).get("calls", 0)
    return calls


async def _a_channel(redis: Redis) -> str:
    """Which the servers listen to."""
    async with redis.pubsub() as heard, asyncio.timeout(PATIENCE_SECONDS):
        await heard.psubscribe("lounge:*")
        async for message in heard.listen():
            if message["type"] == "pmessage" and b":room:" in message["channel"]:
                channel: str = message["channel"].decode()
                return channel
    raise NotFired("nobody published anything")
