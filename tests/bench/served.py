"""What is measured: a real `lounge serve` on stores of its own, or the plain loop beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.bench.usage import cores, on_core
from tests.processes import Running

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
_DOCTORS = 200


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is open: who answers, and what it starts beside that (Valkey), if anything."""

    port: int
    tokens: Path
    server: psutil.Process
    valkey: psutil.Process | None


@contextmanager
def lounge(*, path: str = "") -> Iterator[Served]:
    """A lounge with fresh SQLite stores, its own Valkey and 200 doctors.

    The stores lie on the disk that this tree is on: in memory a commit would cost nothing. `path` goes
    before all else that Python imports from.
    """
    with TemporaryDirectory(dir=BUILD, prefix="data-") as folder:
        environ = _environ(folder) | ({"PYTHONPATH": path} if path else {})
        with _running("-m", "web.cli", "serve", "--port", "0", **environ) as running:
            port = int(running.heard("The lounge is open at").rpartition(":")[2])
            tokens = _tokens(Path(folder), environ)
            server, valkey = running.descendant("web.worker"), running.descendant("valkey-server")
            yield Served(port, tokens, server, valkey)


def unguarded() -> AbstractContextManager[Served]:
    """The same with a guard that finds nothing: see tests/bench/unguarded/sitecustomize.py."""
    return lounge(path=os.pathsep.join([str(Path(__file__).with_name("unguarded")), str(ROOT)]))


@contextmanager
def plain_loop() -> Iterator[Served]:
    """The yardstick: see tests/bench/peer.py."""
    with TemporaryDirectory() as folder, _running("-m", "tests.bench.peer") as running:
        port = int(running.heard("open at").rpartition(" ")[2])
        tokens = Path(folder, "tokens")
        tokens.write_text("anybody\n")
        yield Served(port, tokens, psutil.Process(running.pid), None)


SERVERS: dict[str, Callable[[], AbstractContextManager[Served]]] = {
    "lounge": lounge,
    "unguarded": unguarded,
    "plain loop": plain_loop,
}


def _environ(folder: str) -> dict[str, str]:
    """The defaults, whatever the caller has set."""
    return {
        "LOUNGE_BENCH": "1",
        "LOUNGE_DATA": folder,
        "LOUNGE_NEWCOMER_HOURS": "0",
        **dict.fromkeys(("LOUNGE_DATABASE_URL", "LOUNGE_IDENTITY_URL", "REDIS_URL"), ""),
        "PYTHONDONTWRITEBYTECODE": "",  # every start would compile every module again
    }


def _tokens(folder: Path, environ: dict[str, str]) -> Path:
    tokens = folder / "tokens"
    populate = ("populate", "--doctors", str(_DOCTORS), "--tokens", str(tokens))
    subprocess.run(
        [sys.executable, "-m", "web.cli", *populate],
        cwd=ROOT,
        env=os.environ | environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return tokens


@contextmanager
def _running(*arguments: str, **environ: str) -> Iterator[Running]:
    with on_core(cores()[0]):
        running = Running(*arguments, **environ)
    try:
        yield running
        running.signal(signal.SIGTERM)
        running.exit_code()
    finally:
        running.close()
