"""What processes have used so far, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time since the process began, and its memory with shared pages divided (PSS)."""

    cpu_seconds: float
    pss_kb: float


def usage(process: psutil.Process | None) -> Usage:
    """Of a process and everything it started; nothing for None."""
    if process is None:
        return Usage(0, 0)
    family = [process, *process.children(recursive=True)]
    times = [each.cpu_times() for each in family]
    return Usage(
        sum(each.user + each.system for each in times),
        sum(each.memory_full_info().pss for each in family) / 1024,
    )


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started meanwhile stays on that core; None changes nothing."""
    if core is None:
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@cache
def cores() -> tuple[int, int] | tuple[None, None]:
    """One for the server and one for the load, where this process was given two."""
    first, *others = sorted(os.sched_getaffinity(0))
    return (first, others[0]) if others else (None, None)
