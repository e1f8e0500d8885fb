"""Tests run in a copy of the tree, with or without a mutant in it, and what came of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.mutants.mutant import ROOT, Mutant

MOST_SECONDS = 180
TEST_SECONDS = 100
"""Less, so that a test which hangs is reported by name."""
SOUND_SECONDS = 1_200
_BROKEN = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)
_TIMEOUT = "Failed: Timeout"
_FAILED = re.compile(r"^FAILED (.+?)(?: - (.*))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`caught` names the test that noticed. Without one, `why` says what happened instead."""

    caught: str | None
    why: str
    seconds: float = 0.0


@contextmanager
def copied(tree: Path = ROOT) -> Iterator[Path]:
    """A copy of the tree as it stands: what git knows, and what it would be told of."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for name in _files(tree):
            place = Path(folder, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / name, place)
        yield Path(folder)


def tried(mutant: Mutant, sound: Path) -> Verdict:
    """Put the mutant into a copy of the sound tree and run the tests that must notice it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(sound, tree)
        mutant.apply(tree)
        began = time.monotonic()
        verdict = _judged(*_tested(tree, mutant.tests, MOST_SECONDS, "-x"), _FAILED)
        if mutant.seeds and verdict.caught:
            simulated = _judged(*_simulated(tree, mutant.seeds), _BROKEN)
            verdict = _both(verdict, simulated)
    return replace(verdict, seconds=time.monotonic() - began)


def failing(mutants: Sequence[Mutant], sound: Path) -> str:
    """What is said when their tests do not all pass without any mutant; empty when they do."""
    tests = list(dict.fromkeys(test for each in mutants for test in each.tests))
    code, said = _tested(sound, tests, SOUND_SECONDS)
    seeds = max((each.seeds for each in mutants), default=0)
    if code == 0 and seeds:
        code, said = _simulated(sound, seeds)
    return "" if code == 0 else said


def _files(tree: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (tree / name).is_file()]


def _tested(tree: Path, tests: Sequence[str], most_seconds: float, *more: str) -> tuple[int, str]:
    options = ("-q", "-m", "", "--tb=no", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}")
    return _run(tree, most_seconds, "pytest", *options, *more, *tests)


def _simulated(tree: Path, seeds: int) -> tuple[int, str]:
    options = ("--seeds", str(seeds), "--processes", "1")
    return _run(tree, MOST_SECONDS, "tests.simulation", *options)


def _run(tree: Path, most_seconds: float, module: str, *arguments: str) -> tuple[int, str]:
    """The exit code, or -1 when it did not end in time, and the output."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "300"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=most_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return -1, f"no end after {most_seconds} s"
    return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    """It, and whatever it had started."""
    family = psutil.Process(process.pid)
    for each in (*family.children(recursive=True), family):
        each.kill()
    process.communicate()


def _judged(code: int, said: str, sign: re.Pattern[str]) -> Verdict:
    """Only a test that failed has noticed: one that could not be run has not."""
    found = sign.search(said)
    if found is not None:
        by = f"seed {found[1]}" if sign is _BROKEN else found[1]
        reason = found[2] or ""
        return Verdict(f"timeout of {by}" if reason.startswith(_TIMEOUT) else by, reason)
    if code == 0:
        return Verdict(None, "survived")
    last = said.strip().splitlines()[-1:] or ["nothing was said"]
    return Verdict(None, f"not tried: {last[0]}")


def _both(tested: Verdict, simulated: Verdict) -> Verdict:
    if simulated.caught is None:
        return Verdict(None, f"by the simulation: {simulated.why}")
    return Verdict(f"{tested.caught}, {simulated.caught} of the simulation", simulated.why)
