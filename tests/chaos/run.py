"""One run: a house, crowds that talk, faults one after the other, peace, and the judge."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from time import time

from tests.chaos.crowd import Crowd
from tests.chaos.dump import dump
from tests.chaos.evidence import NotFired
from tests.chaos.house import ROOT, Backend, House, open_house
from tests.chaos.on_servers import STALLED
from tests.chaos.plan import Step, planned
from tests.chaos.report import Happened, Line, markdown

BUILD = ROOT / "build" / "chaos"
PEACE_SECONDS = 8.0
"""After the last words; the judge gives everybody five to hear them."""
FAULT_SECONDS = 240.0
RETRACTED = "0.05"


@dataclass(frozen=True, slots=True)
class Load:
    """So many clients say so much a second in so many rooms."""

    clients: int = 50
    rooms: int = 8
    rate: float = 200.0

    @property
    def few(self) -> int:
        """Clients on each of the other ways in."""
        return max(2, self.clients // 12)


LONG, SHORT = Load(), Load(clients=10, rooms=4, rate=20.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The judge's exit code, first words and figures, what happened, and all of it as Markdown."""

    code: int
    said: str
    verdict: Line
    happened: list[Happened]
    page: str


async def run(backend: Backend, *, seed: int, short: bool, load: Load, only: str = "") -> Outcome:
    """The journals of a run that failed stay in `build/chaos`."""
    out = BUILD / f"{backend}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    doctors = load.clients + 3 * load.few + STALLED
    async with open_house(backend, out, seed, doctors) as house:
        house.facts.note("begin", seed=seed)
        house.survey("before")
        happened = await _chaos(house, load, planned(house, short=short, only=only))
        house.survey("after")
        await asyncio.to_thread(dump, _url(house), out / "sql.jsonl")
    outcome = await asyncio.to_thread(_judged, backend, out, happened)
    (out / "report.md").write_text(outcome.page)
    if outcome.code == 0:
        shutil.rmtree(out)
    return outcome


async def _chaos(house: House, load: Load, steps: list[Step]) -> list[Happened]:
    async with _crowds(house, load) as crowds:
        house.facts.note("planned", n=len(steps))
        await asyncio.sleep(2)
        happened = [await _happen(house, step) for step in steps]
        await asyncio.gather(*(crowd.quiet() for crowd in crowds))
        await asyncio.sleep(PEACE_SECONDS)
        await asyncio.gather(*(crowd.leave() for crowd in crowds))
        await asyncio.sleep(1)
    return happened


@contextlib.asynccontextmanager
async def _crowds(house: House, load: Load) -> AsyncIterator[list[Crowd]]:
    """Most on sockets straight to the servers; a few behind bad lines, on streams and on polls."""
    ports, behind = [each.port for each in house.servers], [each.port for each in house.proxies]
    tokens, crowds = iter(house.tokens), []
    house.main = load.clients
    ways = {"main": ports, "far": behind, "stream": ports, "poll": ports}
    coming = []
    for name, where in ways.items():
        count = load.clients if name == "main" else load.few
        crowd = Crowd(house, name, [next(tokens) for _ in range(count)], where)
        share = 0.8 if name == "main" else 0.2 / 3
        more = ("--retract", RETRACTED) if name == "main" else ()
        transport = () if name in ("main", "far") else ("--transport", name)
        coming.append(crowd.come(load.rooms, load.rate * share, *more, *transport))
        crowds.append(crowd)
    try:
        await asyncio.gather(*coming)
        yield crowds
    finally:
        for crowd in crowds:
            crowd.close()


async def _happen(house: House, step: Step) -> Happened:
    """Whatever becomes of it, the house is well again before the next one."""
    name, began, fired = step.fault.name, time(), False
    print(f"{name} …", file=sys.stderr, flush=True)
    house.facts.note("fault", name=name, phase="start")
    try:
        async with asyncio.timeout(FAULT_SECONDS):
            evidence = await step.fault.act(house)
        fired = True
    except (NotFired, TimeoutError) as reason:
        evidence = str(reason) or type(reason).__name__
    ended = time()
    house.facts.note("fault", name=name, phase="end")
    house.facts.note("fired", n=int(fired))
    recovered = await house.recovered()
    print(f"  {evidence}; well after {recovered:.1f} s", file=sys.stderr, flush=True)
    await asyncio.sleep(step.pause)
    return Happened(name, began, ended, fired, evidence, recovered)


def _judged(backend: Backend, out: Path, happened: list[Happened]) -> Outcome:
    logs = [str(log) for log in out.glob("server-*.log")]
    command = [sys.executable, "-m", "tests.chaos.checker", str(out), str(out / "sql.jsonl")]
    command += ["--rss-factor", "3", "--search", *logs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said, _, verdict = done.stdout.rstrip().rpartition("\n")
    if not verdict:
        raise RuntimeError(done.stderr)
    figures = json.loads(verdict)
    return Outcome(
        done.returncode, said, figures, happened, markdown(backend, figures, happened, out)
    )


def _url(house: House) -> str:
    return house.settings.database_url
