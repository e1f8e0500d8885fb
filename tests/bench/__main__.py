"""`python -m tests.bench`: one table of what the server's work costs, and its history."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from tests.bench import generator
from tests.bench.figures import Figures, commit, former, remember, table
from tests.bench.generator import Load, NoCompiler
from tests.bench.served import BUILD, SERVERS
from tests.bench.usage import Usage, cores, on_core, usage

LOADS = (
    Load("fan4", rooms=1, listeners=1_000, flight=4),
    Load("fan128", rooms=1, listeners=1_000, flight=128),
    Load("rooms", rooms=100, listeners=20, flight=64),
    Load("idle", rooms=100, listeners=20),
    Load("connect", rooms=8, listeners=7, churn=True),
)
_LONGEST_SECONDS = 175
_HISTORY = BUILD / "history.jsonl"


def main() -> int:
    """Measures, prints, remembers; 1 when a load lost something, so that its figures mean nothing."""
    given = _arguments()
    if not sys.platform.startswith("linux"):
        print("The bench needs Linux: epoll for the load, /proc for the figures.", file=sys.stderr)
        return 1
    BUILD.mkdir(parents=True, exist_ok=True)
    _end_within(_LONGEST_SECONDS * (1 + given.peer + given.guard))
    measured: list[Figures | None] = []
    try:
        for figures in _measured(given):  # what was measured before the time was over stays
            measured.append(figures)
    except (NoCompiler, TimeoutError) as reason:
        print(reason, file=sys.stderr)
        measured.append(None)
    sound = [each for each in measured if each]
    if not sound:
        return 1
    server_core, load_core = cores()
    where = f"on core {server_core}, load on core {load_core}" if load_core else "and load together"
    print(f"\nCommit {commit()}, server {where}. µs are the server's CPU; durable, all rules on.\n")
    print(table(sound, former(_HISTORY)))
    remember(_HISTORY, sound)
    return int(len(sound) < len(measured))


def _arguments() -> argparse.Namespace:
    names = [each.name for each in LOADS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("loads", nargs="*", help=f"of {', '.join(names)}; default all")
    parser.add_argument("--seconds", type=int, default=4, help="of talk in each load")
    parser.add_argument("--peer", action="store_true", help="a plain loop beside it, for ratios")
    parser.add_argument("--guard", action="store_true", help="also without it, for what it costs")
    given = parser.parse_args()
    if unknown := set(given.loads) - set(names):
        parser.error(f"no such load: {', '.join(sorted(unknown))}")
    return given


def _end_within(seconds: int) -> None:
    def too_long(*_: object) -> NoReturn:
        raise TimeoutError(f"The bench took more than {seconds} seconds.")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)


def _measured(given: argparse.Namespace) -> Iterator[Figures | None]:
    servers = ["lounge", *["unguarded"] * given.guard, *["plain loop"] * given.peer]
    with TemporaryDirectory() as folder, on_core(cores()[1]):
        program = generator.build(Path(folder))
        _allow_descriptors()
        for load in LOADS:
            if not given.loads or load.name in given.loads:
                talks = load.flight or load.churn
                timed = replace(load, seconds=given.seconds if talks else 0)
                yield from (_one(program, server, timed) for server in servers)


def _allow_descriptors() -> None:
    """Every socket takes one, and many systems begin with 1,024."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _one(program: Path, server: str, load: Load) -> Figures | None:
    """A server of its own for every load: none inherits another's memory or tables."""
    print(f"{server}, {load.name}: {load.sockets:,} sockets …", flush=True)
    with SERVERS[server]() as served:

        def look() -> tuple[Usage, Usage]:
            return usage(served.server), usage(served.valkey)

        run = generator.run(program, served.port, served.tokens, load, look)
    if faults := run.counts.faults(load):
        print(f"{server}, {load.name}: not counted: {faults}", flush=True)
        return None
    return Figures.of(server, load, run)


if __name__ == "__main__":
    sys.exit(main())
