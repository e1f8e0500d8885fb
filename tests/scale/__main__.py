"""`python -m tests.scale`: what is promised in numbers, measured; 1 when a promise is not met."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import monotonic, process_time

import pytest
import uvloop

from tests.bench.figures import commit
from tests.scale import (
    answers,
    board,
    freshness,
    linkage,
    moderating,
    pages,
    parting,
    register,
    revocation,
    stalled,
    storm,
    watchers,
)
from tests.scale.house import Backend
from tests.scale.report import Report, as_json, markdown

PARTS = {
    "freshness": freshness,
    "storm": storm,
    "stalled": stalled,
    "parting": parting,
    "register": register,
    "revocation": revocation,
    "linkage": linkage,
    "answers": answers,
    "watchers": watchers,
    "pages": pages,
    "board": board,
    "moderating": moderating,
}
_LONGEST_SECONDS = 420
_SPIN_SECONDS = 0.5


def main() -> int:
    """Measures and prints part by part, so that what was measured stands even if a later one fails."""
    given = _arguments()
    _allow_descriptors()
    print(f"# What is promised in numbers, measured at commit {commit()}\n", flush=True)
    reports: list[Report] = []
    sound = True
    for part, backend in _chosen(given):
        print(f"{part} on {backend} …", file=sys.stderr, flush=True)
        try:
            reports.append(_measured(part, backend, given.rows))
        except (Exception, pytest.skip.Exception) as fault:  # noqa: BLE001 - the others are still measured
            print(f"## {part} on {backend}: not measured: {fault!r}\n", flush=True)
            sound = False
        else:
            print(markdown(reports[-1]), flush=True)
    if given.json:
        given.json.write_text(as_json(reports) + "\n")
    return int(not (sound and all(each.is_met for each in reports)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("part", nargs="?", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--sqlite", action="store_true", help="only on SQLite")
    parser.add_argument("--postgres", action="store_true", help="only on PostgreSQL")
    parser.add_argument("--rows", type=int, default=register.ROWS, help="of the register")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same numbers as JSON")
    return parser.parse_args()


def _chosen(given: argparse.Namespace) -> Iterable[tuple[str, Backend]]:
    for name, part in PARTS.items():
        for backend in part.BACKENDS:
            if given.part in (name, "all") and (
                getattr(given, backend) or not (given.sqlite or given.postgres)
            ):
                yield name, backend


def _measured(part: str, backend: Backend, rows: int) -> Report:
    busy = _busy()

    async def within() -> Report:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        more = {"rows": rows} if part == "register" else {}
        longest = getattr(PARTS[part], "LONGEST_SECONDS", _LONGEST_SECONDS)
        async with asyncio.timeout(longest):
            report: Report = await PARTS[part].run(backend, **more)
            return replace(report, notes=(*report.notes, busy))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(within())


def _busy() -> str:
    """How much of the machine there is for us: whoever reads seconds must know."""
    began, used = monotonic(), process_time()
    while monotonic() - began < _SPIN_SECONDS:
        pass
    share = (process_time() - used) / (monotonic() - began)
    return (
        f"{len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.1f} before it began; "
        f"a process that wanted a whole core got {share:.0%} of it."
    )


def _allow_descriptors() -> None:
    """Every socket takes one, and many systems begin with 1,024."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
