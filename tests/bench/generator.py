"""The load generator: load.c, built where it is used and run against a port of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

_SOURCE = Path(__file__).with_name("load.c")

Look = TypeVar("Look")


class NoCompiler(Exception):  # noqa: N818 - said to whoever wants to measure, as it stands
    """There is no C compiler, so the load generator cannot be built."""


@dataclass(frozen=True, slots=True)
class Load:
    """Who connects and how much is said: `rooms` of `listeners` and one speaker each.

    At most `flight` messages are on their way at once; 0 for silence. With `churn` every socket
    joins and leaves over and over instead.
    """

    name: str
    rooms: int
    listeners: int
    flight: int = 0
    seconds: int = 0
    churn: bool = False

    @property
    def in_a_room(self) -> int:
        """Sockets that a message goes to: the listeners and the speaker."""
        return self.listeners + 1

    @property
    def sockets(self) -> int:
        return self.rooms * self.in_a_room


@dataclass(frozen=True, slots=True)
class Counts:
    """What the generator saw. Latencies are from saying to hearing, per delivery."""

    opened: int
    failed: int
    lost: int
    said: int
    acked: int
    refused: int
    delivered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    def faults(self, load: Load) -> str:
        """Why the figures mean nothing, empty when they do."""
        expected = {
            "failed": 0,
            "lost": 0,
            "refused": 0,
            "acked": self.said,
            "delivered": self.said * load.in_a_room,
        }
        wrong = [
            f"{name} {getattr(self, name)} instead of {right}"
            for name, right in expected.items()
            if getattr(self, name) != right
        ]
        return ", ".join([*wrong, f"the slowest took {self.max_ms:,.0f} ms"]) if wrong else ""


@dataclass(frozen=True, slots=True)
class Run(Generic[Look]):
    """One load, and how the server looked before it, when its sockets were open, and after it."""

    counts: Counts
    before: Look
    opened: Look
    after: Look


def build(folder: Path) -> Path:
    """Compile the generator into `folder`; returns the program. Raises NoCompiler."""
    compiler = next(filter(shutil.which, [os.environ.get("CC", ""), "cc", "gcc", "clang"]), None)
    if compiler is None:
        raise NoCompiler(
            "No C compiler (cc, gcc or clang): the load generator cannot be built. "
            "On Debian: apt-get install gcc libc6-dev."
        )
    program = folder / "load"
    subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return program


def run(
    program: Path,
    port: int,
    tokens: Path,
    load: Load,
    look: Callable[[], Look],
    settle_seconds: float = 1.0,
) -> Run[Look]:
    """Put `load` on the server at `port`, as the bearers of `tokens` (a file, one a line).

    `look` is called before, once the sockets are open and have settled, and after.
    """
    before = look()
    numbers = (load.rooms, load.listeners, load.flight, load.seconds, int(load.churn))
    command = [str(each) for each in (program, port, tokens, *numbers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            _line(process.stdout)
            time.sleep(settle_seconds)
            opened = look()
            process.stdin.write("go\n")
            process.stdin.flush()
            counts = Counts(**_line(process.stdout))
            return Run(counts, before, opened, look())
        finally:
            process.kill()


def _line(stdout: IO[str]) -> dict[str, Any]:
    line = stdout.readline()
    if not line:
        raise RuntimeError("The load generator ended early; its reason stands above.")
    counted: dict[str, Any] = json.loads(line)
    return counted
