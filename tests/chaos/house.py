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
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil
from redis.asyncio import Redis

from lounge.settings import Settings, from_environment
from tests.chaos.cluster import Cluster
from tests.chaos.journal import FACTS, Journal
from tests.chaos.proxy import Proxy
from tests.processes import Running, wait_until_gone
from tests.redis_proxy import RedisProxy
from web.valkey import EmbeddedValkey

ROOT = Path(__file__).parents[2]
Backend = Literal["sqlite", "postgres"]
SERVERS: dict[Backend, int] = {"sqlite": 1, "postgres": 2}
OPEN_SECONDS = 60.0


class Server:
    """One `lounge serve` with its places to be killed at, always at the same port."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.port = _free_port()
        self.starts = 0
        self._environ = environ
        self._log = log
        self._running: Running | None = None
        self._reading = threading.Thread()

    async def start(self) -> None:
        """Returns once it says that it is open."""
        self._running = Running(
            *("-m", "tests.chaos.marked", str(self.port)), stdin=None, **self._environ
        )
        self._reading = threading.Thread(target=_read, args=(self._running, self._log), daemon=True)
        self._reading.start()
        self.starts += 1
        await self.says("The lounge is open at ")

    @property
    def said(self) -> list[str]:
        assert self._running
        return self._running.said

    async def says(self, words: str, after: int = 0) -> None:
        """Waits for a line with these words, not among the first `after` ones. Raises TimeoutError."""
        async with asyncio.timeout(OPEN_SECONDS):
            while not any(words in line for line in self.said[after:]):
                assert self._reading.is_alive(), self.said
                await asyncio.sleep(0.02)

    def worker(self) -> psutil.Process:
        assert self._running
        return self._running.descendant("web.worker")

    def family(self) -> list[psutil.Process]:
        """All of it, the supervisor first."""
        assert self._running
        return [psutil.Process(self._running.pid), *self._running.descendants()]

    def signal(self, number: int) -> None:
        assert self._running
        self._running.signal(number)

    async def kill(self) -> None:
        """All of it, as the kernel would; returns once it is gone."""
        family = self.family()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        await self.gone(family)

    async def gone(self, family: Sequence[psutil.Process]) -> int:
        """Its exit code, once everybody in it has ended."""
        assert self._running
        await asyncio.to_thread(self._reading.join, OPEN_SECONDS)
        code = await asyncio.to_thread(self._running.exit_code)
        await asyncio.to_thread(wait_until_gone, list(family[1:]))
        return code

    async def ready(self) -> bool:
        """It takes messages, and hears of the others."""
        path = f"http://127.0.0.1:{self.port}/readyz"
        is_ready = await asyncio.to_thread(_get, path) is not None
        return is_ready and (await self.metrics()).get("lounge_bus_up") == 1

    async def metrics(self) -> dict[str, float]:
        """What it counts of itself; labels stand in braces as they come. Empty while it does not answer."""
        text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}/metrics")
        lines = (line.rpartition(" ") for line in (text or "").splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in lines}

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        if self._running:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in self.family():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            self._reading.join(OPEN_SECONDS)
            self._running.close()


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
        (found,) = [
            each
            for each in psutil.Process().children(recursive=True)
            if each.name() == "valkey-server"
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


class Crowd:
    """Clients in a process of their own, which begin to talk when everybody is live."""

    def __init__(
        self, house: House, name: str, tokens: Sequence[str], ports: Sequence[int]
    ) -> None:
        self._house = house
        self._tokens = tokens
        self._ports = ports
        self.name = name
        self.out = house.out / name
        self._running: Running | None = None

    async def come(self, rooms: int, rate: float, *more: str) -> None:
        """Returns when all of them are live."""
        self.out.mkdir()
        file = self._house.folder / f"tokens-{self.name}"
        file.write_text("\n".join(self._tokens))
        names = ",".join(f"bench/{n}" for n in range(1, rooms + 1))
        self._running = Running(
            *("-m", "tests.chaos.client", "--ports", ",".join(map(str, self._ports))),
            *("--tokens", str(file), "--rooms", names, "--rate", str(rate)),
            *("--seconds", "86400", "--out", str(self.out), "--seed", str(self._house.seed), *more),
        )
        self._house.crowds.append(self._running)
        await asyncio.to_thread(self._running.heard, "live")

    async def quiet(self) -> None:
        """Returns when nobody waits for an answer any more."""
        assert self._running
        self._running.signal(signal.SIGUSR1)
        await asyncio.to_thread(self._running.heard, "quiet")

    async def leave(self) -> None:
        """Everybody is gone; the journals lie beside those of the other crowds."""
        assert self._running
        self._running.signal(signal.SIGTERM)
        code = await asyncio.to_thread(self._running.exit_code)
        assert code == 0, self._running.said
        for journal in self.out.glob("client-*.jsonl"):
            number = journal.name.removeprefix("client-")
            journal.rename(self._house.out / f"client-{self.name}-{number}")
        with (self._house.out / FACTS).open("a") as facts:
            facts.write((self.out / FACTS).read_text())
        shutil.rmtree(self.out)

    def close(self) -> None:
        if self._running:
            self._running.close()


def _count(is_so: Callable[[dict[str, Any]], bool], since: dict[Path, int]) -> int:
    count = 0
    for path, at in since.items():
        with path.open("rb") as file:
            file.seek(at)
            count += sum(is_so(json.loads(line)) for line in file if line.endswith(b"\n"))
    return count


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.HTTPError):
        return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _read(running: Running, log: Path) -> None:
    """A server whose words nobody reads stands still when the pipe is full."""
    with contextlib.suppress(AssertionError, ValueError):
        running.heard("\0")
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in running.said)
