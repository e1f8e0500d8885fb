"""The embedded Valkey answers, comes back, and never outlives the process that started it."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import psutil
import redis.asyncio

from tests.processes import Run, wait_until_gone
from web.valkey import EmbeddedValkey

_ALONE = """
import asyncio
from web.valkey import EmbeddedValkey

async def main():
    valkey = EmbeddedValkey()
    await valkey.start()
    print(valkey.url, flush=True)
    await valkey.ended()

asyncio.run(main())
"""


async def test_it_answers_as_a_real_server_without_a_port(redis_url: str) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert (await client.info("server"))["redis_version"] >= "7"
        assert (await client.config_get("port"))["port"] == "0"
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"


async def test_only_its_owner_reaches_it_and_stopping_leaves_nothing() -> None:
    valkey = EmbeddedValkey()
    await valkey.start()
    folder = _folder(valkey.url)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await valkey.stop()
    assert not folder.exists()


async def test_it_starts_again_at_the_same_address() -> None:
    valkey = EmbeddedValkey()
    await valkey.start()
    async with redis.asyncio.from_url(valkey.url) as client:
        psutil.Process((await client.info("server"))["process_id"]).kill()
    await valkey.ended()
    await valkey.start()
    async with redis.asyncio.from_url(valkey.url) as client:
        assert await client.ping()
    await valkey.stop()


async def test_kill_9_of_its_parent_ends_it_and_the_next_start_sweeps_its_folder(run: Run) -> None:
    parent = run("-c", _ALONE)
    folder = _folder(parent.heard("unix://"))
    family = parent.descendants()
    assert any("valkey-server" in each.name() for each in family)
    parent.signal(signal.SIGKILL)
    wait_until_gone(family)

    next_one = EmbeddedValkey()
    assert not folder.exists()
    await next_one.stop()


async def test_a_folder_in_use_is_not_swept(redis_url: str) -> None:
    await EmbeddedValkey().stop()
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.ping()


def _folder(url: str) -> Path:
    return Path(url.removeprefix("unix://")).parent
