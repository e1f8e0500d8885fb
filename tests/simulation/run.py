"""Runs of many seeds, over processes of this machine, and of one seed with all that happens."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import channels.hub
import channels.ring
import storage.group_commit
from tests.simulation.seasons import SEASONS
from tests.simulation.verdict import Tally
from tests.simulation.world import World

STEPS = 200
CHUNK = 250
_BOUNDS: list[tuple[Any, str, Any]] = [
    (channels.ring, "RING_ENTRIES", 6),
    (channels.hub, "TAIL_ENTRIES", 4),
    (channels.hub, "PAGE_ENTRIES", 3),
    (channels.hub, "CHUNK_BYTES", 12),
    (channels.hub, "KEPT_PAGES", 2),
    (storage.group_commit, "BATCH_ACTS", 3),
    (storage.group_commit, "QUEUE_ACTS", 10),
]

for _season in SEASONS:
    _season.furnish(World)


@dataclass(frozen=True, slots=True)
class Broken:
    """A seed that broke a promise."""

    seed: int
    steps: int
    why: str

    def __str__(self) -> str:
        again = f"python -m tests.simulation --seed {self.seed} --steps {self.steps} --trace"
        return f"seed {self.seed}: {self.why}\nagain: {again}"


class _Silent:
    """In the place of the log: what it would say is counted, and said a million times."""

    def warning(self, *_: object, **__: object) -> None: ...

    def error(self, *_: object, **__: object) -> None: ...


@contextmanager
def small() -> Iterator[None]:
    """Bounds so small that a short story meets all of them, and no log lines."""
    changes = [*_BOUNDS, (channels.hub, "log", _Silent())]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def one(seed: int, steps: int = STEPS, most_lines: int | None = None) -> tuple[list[str], str]:
    """The last lines of what happened (None: all), and what was broken, if anything."""
    lines: deque[str] = deque(maxlen=most_lines)
    with small():
        try:
            World(seed, lines.append).run(steps)
        except Exception as broken:  # noqa: BLE001 - whatever it is, this seed shows it
            return list(lines), _worded(broken)
    return list(lines), ""


def some(first: int, count: int, steps: int = STEPS) -> tuple[Tally, Broken | None]:
    """Seeds one after the other, as far as the first that breaks a promise."""
    tally = Tally()
    with small():
        for seed in range(first, first + count):
            try:
                tally.update(World(seed).run(steps))
            except Exception as broken:  # noqa: BLE001
                return tally, Broken(seed, steps, _worded(broken))
    return tally, None


def many(
    count: int, steps: int = STEPS, first: int = 0, processes: int = 2
) -> tuple[Tally, Broken | None]:
    """Seeds, over processes; the lowest that was seen to break a promise."""
    chunks = [
        (at, min(CHUNK, first + count - at), steps) for at in range(first, first + count, CHUNK)
    ]
    tally = Tally()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for part, broken in pool.imap(_some, chunks):
            tally.update(part)
            if broken is not None:
                return tally, broken
    return tally, None


def _some(chunk: tuple[int, int, int]) -> tuple[Tally, Broken | None]:
    return some(*chunk)


def _worded(broken: Exception) -> str:
    return f"{type(broken).__name__}: {broken}"
