"""What a run works on: servers, SQL and Valkey as processes of its own, and the lines between them.

On SQLite one server, on PostgreSQL two. Valkey lies behind `tests/redis_proxy.py`; beside the ports of the
servers there is a `tests/chaos/proxy.py` before each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import psutil
from redis.asyncio import Redis

from lounge.settings import Settings, from_environment
from tests.chaos.cluster import Cluster
from tests.chaos.journal import FACTS, Journal
from tests.chaos.proxy import Proxy
from tests.chaos.server import OPEN_SECONDS, Server
from tests.processes import Running
from tests.redis_proxy import RedisProxy
from web.valkey import EmbeddedValkey

ROOT = Path(__file__).parents[2]
Backend = Literal["sqlite", "postgres"]
SERVERS: dict[Backend, int] = {"sqlite": 1, "postgres": 2}


class House:
    """Everything that a fault may happen to. Made by `open_house`."""

    def __init__(self, backend: Backend, folder: Path, out: Path, seed: int) -> None:
        self.backend = backend
        self.folder = folder
        self.out = out
        self.chance = random.Random(seed)
        self.facts = Journal(out / FACTS)
        self.seed = seed
        self.valkey = EmbeddedValkey()
        self.redis_proxy = RedisProxy(self.valkey.url, seed)
        self.cluster: Cluster | None = None
        self.disk: Path | None = None
        """What is preloaded, when it could be compiled."""
        self.servers: list[Server] = []
        self.proxies: list[Proxy] = []
        self.crowds: list[Running] = []
        self.tokens: list[str] = []
        self.main = 0
        """How many of them, from the first on, belong to the crowd `main`."""
        self.revoked: set[int] = set()
        self.environ: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        return from_environment(self.environ)

    @property
    def points(self) -> Path:
        return self.folder / "points"

    @property
    def faulty_disk(self) -> Path:
        return self.folder / "disk"

    def redis(self) -> Redis:
        """Straight to Valkey, past the proxy."""
        return Redis.from_url(self.valkey.url)

    def valkey_process(self) -> psutil.Process:
        path = self.valkey.url.removeprefix("unix://")
        (found,) = [
            each
            for each in psutil.Process().children(recursive=True)
            if each.name() == "valkey-server" and path in " ".join(each.cmdline())
        ]
        return found

    def any_server(self) -> Server:
        return self.chance.choice(self.servers)

    async def recovered(self) -> float:
        """Seconds until every server takes messages and hears the others. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(OPEN_SECONDS):
            for server in self.servers:
                while not await server.ready():
                    await asyncio.sleep(0.1)
        return loop.time() - began

    async def count(self, name: str) -> float:
        """The sum over all servers of the metrics that begin so."""
        all_ = [await server.metrics() for server in self.servers]
        return sum(value for each in all_ for key, value in each.items() if key.startswith(name))

    async def lounge(self, *arguments: str) -> None:
        """Another command on the same data."""
        command = [sys.executable, "-m", "web.cli", *arguments]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            env=os.environ | self.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (arguments[0], done.stdout, done.stderr)

    async def wrote(self, is_so: Callable[[dict[str, Any]], bool], since: dict[Path, int]) -> int:
        """How many lines like this the clients have written since `journals`."""
        return await asyncio.to_thread(_count, is_so, since)

    def journals(self) -> dict[Path, int]:
        """How long each client's journal is."""
        return {each: each.stat().st_size for each in self.out.rglob("client-*.jsonl")}

    def survey(self, phase: str) -> None:
        """What each worker holds, for the facts."""
        for number, server in enumerate(self.servers, 1):
            worker = server.worker()
            self.facts.note(
                "survey",
                process=f"server {number}",
                phase=phase,
                fds=worker.num_fds(),
                tasks=worker.num_threads(),
                rss=worker.memory_info().rss,
            )


@contextlib.asynccontextmanager
async def open_house(backend: Backend, out: Path, seed: int, doctors: int) -> AsyncIterator[House]:
    """Open, with so many synthetic doctors; what it leaves behind is in `out`."""
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as name:
        os.chmod(name, 0o755)  # PostgreSQL is somebody else
        house = House(backend, Path(name), out, seed)
        async with contextlib.AsyncExitStack() as ending:
            await _open_valkey(house, ending)
            await _open_stores(house, ending)
            house.tokens = await _tokens(house, doctors)
            await _open_servers(house, ending)
            yield house


async def _open_valkey(house: House, ending: contextlib.AsyncExitStack) -> None:
    ending.push_async_callback(house.valkey.stop)
    await house.valkey.start()
    await ending.enter_async_context(house.redis_proxy)


async def _open_stores(house: House, ending: contextlib.AsyncExitStack) -> None:
    for folder in (house.folder / "data", house.points, house.faulty_disk):
        folder.mkdir()
    house.environ = {
        "LOUNGE_DATA": str(house.folder / "data"),
        "LOUNGE_BENCH": "1",
        "LOUNGE_DEMO": "",
        "LOUNGE_ORIGINS": "",
        "REDIS_URL": house.redis_proxy.url,
        "CHAOS_POINTS": str(house.points),
        "CHAOS_DISK": str(house.faulty_disk),
        **dict.fromkeys(("LOUNGE_DATABASE_URL", "LOUNGE_IDENTITY_URL"), ""),
    }
    if house.backend == "postgres":
        await _open_cluster(house, ending)
    elif compiler := shutil.which("cc"):
        house.disk = house.folder / "disk.so"
        source = str(ROOT / "tests/chaos/disk.c")
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(house.disk), source, "-ldl"]
        await asyncio.to_thread(subprocess.run, command, check=True)
    else:
        print("NO C COMPILER: a full or failing disk is not planned.", file=sys.stderr)


async def _open_cluster(house: House, ending: contextlib.AsyncExitStack) -> None:
    folder = house.folder / "postgres"
    folder.mkdir()
    house.cluster = Cluster(folder)
    await house.cluster.make()
    ending.push_async_callback(house.cluster.stop)
    await house.cluster.start()
    for name in ("lounge", "identity"):
        await house.cluster.execute(f"CREATE DATABASE {name}")
        house.environ[f"LOUNGE_{_VARIABLES[name]}_URL"] = house.cluster.url(name)
    await house.lounge("upgrade")


_VARIABLES = {"lounge": "DATABASE", "identity": "IDENTITY"}


async def _tokens(house: House, doctors: int) -> list[str]:
    file = house.folder / "tokens"
    await house.lounge("populate", "--doctors", str(doctors), "--tokens", str(file))
    return file.read_text().split()


async def _open_servers(house: House, ending: contextlib.AsyncExitStack) -> None:
    environ = house.environ | ({"LD_PRELOAD": str(house.disk)} if house.disk else {})
    for number in range(1, SERVERS[house.backend] + 1):
        server = Server(environ, house.out / f"server-{number}.log")
        house.servers.append(server)
        ending.callback(server.close)
    await asyncio.gather(*(server.start() for server in house.servers))
    for server in house.servers:
        house.proxies.append(await ending.enter_async_context(Proxy(server.port)))


def _count(is_so: Callable[[dict[str, Any]], bool], since: dict[Path, int]) -> int:
    count = 0
    for path, at in since.items():
        with path.open("rb") as file:
            file.seek(at)
            count += sum(is_so(json.loads(line)) for line in file if line.endswith(b"\n"))
    return count
