"""Real processes in tests: started, heard, killed, and seen to be gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

_ROOT = Path(__file__).parents[1]
_GONE_SECONDS = 20


class Running:
    """A Python process of ours, with what it says on its stdout and stderr."""

    def __init__(self, *arguments: str, stdin: Any = None, **environ: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            env=os.environ | environ,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def heard(self, words: str) -> str:
        """Waits until it says a line with these words, and returns the line."""
        assert self._process.stdout
        for line in self._process.stdout:
            self.said.append(line.rstrip())
            if words in line:
                return self.said[-1]
        raise AssertionError(f"it never said {words!r}, only {self.said}")

    def descendants(self) -> list[psutil.Process]:
        """Its children and theirs, as they are now."""
        return list(psutil.Process(self.pid).children(recursive=True))

    def descendant(self, word: str) -> psutil.Process:
        """The one descendant whose program or one of its arguments is `word`."""
        (found,) = [each for each in self.descendants() if word in (each.name(), *each.cmdline())]
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def exit_code(self) -> int:
        """Waits until it ends."""
        assert self._process.stdout
        self.said += [line.rstrip() for line in self._process.stdout]
        return self._process.wait(_GONE_SECONDS)

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        self._process.kill()
        self._process.communicate()


Run = Callable[..., Running]


def running() -> Iterator[Run]:
    """A function that starts processes and ends them all afterwards."""
    started: list[Running] = []

    def run(*arguments: str, stdin: Any = None, **environ: str) -> Running:
        started.append(Running(*arguments, stdin=stdin, **environ))
        return started[-1]

    yield run
    for each in started:
        each.close()


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Fails when one of them still lives after 20 seconds."""
    _, alive = psutil.wait_procs(processes, timeout=_GONE_SECONDS)
    assert not alive
