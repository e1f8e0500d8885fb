"""A whole register imported while doctors sign in: how long, how much memory, and look-ups after.

The rows come through a pipe from a process that makes them up; they are never a file.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import monotonic

import psutil
from sqlalchemy import text

from lounge.credentials.claims import Claim
from lounge.credentials.registers import Registers
from lounge.doctors import Doctors
from lounge.keys import open_keys
from lounge.settings import from_environment
from storage.database import Database
from storage.migrations import upgrade
from tests.bench.served import ROOT
from tests.scale import house, nppes
from tests.scale.house import Backend, Stores
from tests.scale.report import Figure, Report, Table, percentile

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
LONGEST_SECONDS = 3_600
ROWS = 200_000
"""Unless `--rows` says otherwise: NPPES has some 8 million."""
_LOOKED_UP = 1_000
_MEMORY_MB, _SIGN_IN_SECONDS, _LOOK_UP_MS = 400, 5.0, 50.0
_EMAIL, _PASSWORD = "ana@clinic.test", "a long enough password"


@dataclass(slots=True)
class Seen:
    """What was seen while it ran: sizes in bytes, times in seconds."""

    memory: int = 0
    wal: int = 0
    sign_ins: list[float] = field(default_factory=list)


async def run(backend: Backend, rows: int = ROWS) -> Report:
    """Twice: into nothing, then in place of the first."""
    async with house.stores(backend) as stores, _opened(stores) as (identity, doctors):
        table = Table(("", "first", "in its place"))
        columns = [await _imported(stores, doctors, rows) for _ in range(2)]
        for name, *figures in zip(*columns, strict=True):
            table.add(name[0], *(figure for _, figure in (name, *figures)))
        times = await _look_ups(identity, rows)
        after = Table(("look-ups after", "value"))
        after.add("found, of 1,000 drawn", Figure(times.found / _LOOKED_UP * 1000))
        after.add("median", Figure(median(times.ms), "ms"))
        after.add("99 of 100 within", Figure(percentile(times.ms, 0.99), "ms", _LOOK_UP_MS))
        after.add("database", Figure(await _size(identity) / 1e6, "MB"))
    return Report("register", backend, [table, after], [f"{rows:,} rows of NPPES's columns."])


@asynccontextmanager
async def _opened(stores: Stores) -> AsyncIterator[tuple[Database, Doctors]]:
    """The stores as a server would hold them, with one doctor."""
    settings = from_environment({**os.environ, **stores.environ})
    settings = replace(settings, bench=False)
    identity, lounge = Database(settings.identity_url), Database(settings.database_url)
    await upgrade(identity, "identity")
    await upgrade(lounge, "lounge")
    doctors = Doctors(identity, lounge, await open_keys(settings, identity, lounge), settings)
    code = await doctors.add(email=_EMAIL, name="Ana", country="CA", specialty="cardiology")
    await doctors.set_password(_EMAIL, code, _PASSWORD, address="")
    try:
        yield identity, doctors
    finally:
        doctors.close()
        await identity.close()
        await lounge.close()


async def _imported(stores: Stores, doctors: Doctors, rows: int) -> list[tuple[str, Figure]]:
    began, seen = monotonic(), Seen()
    process = await _started(stores, rows)
    watching = asyncio.gather(_watch(process.pid, stores.folder, seen), _sign_in(doctors, seen))
    try:
        said, errors = await process.communicate()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if process.returncode is None:
            process.kill()
    took = monotonic() - began
    if process.returncode:
        raise AssertionError(errors.decode()[-500:])
    print(said.decode().strip(), file=sys.stderr)
    return [
        ("time", Figure(took, "s")),
        ("rows a second", Figure(rows / took)),
        ("memory at most", Figure(seen.memory / 1e6, "MB", _MEMORY_MB)),
        ("write-ahead log at most", Figure(seen.wal / 1e6, "MB")),
        ("broken rows told", Figure(errors.count(b"line "))),
        ("sign-ins meanwhile", Figure(len(seen.sign_ins))),
        ("slowest", Figure(max(seen.sign_ins, default=0), "s", _SIGN_IN_SECONDS)),
    ]


async def _started(stores: Stores, rows: int) -> asyncio.subprocess.Process:
    """The import, at the end of a pipe."""
    reading, writing = os.pipe()
    try:
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.scale.nppes", str(rows)), cwd=ROOT, stdout=writing
        )
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "web.cli", "register", "import", "-", "--layout", "nppes"),
            cwd=ROOT,
            env=os.environ | stores.environ,
            stdin=reading,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(reading)
        os.close(writing)


async def _watch(pid: int, folder: Path, seen: Seen) -> None:
    process, wal = psutil.Process(pid), folder / "identity.db-wal"
    while True:
        try:
            seen.memory = max(seen.memory, process.memory_info().rss)
        except psutil.Error:
            return
        seen.wal = max(seen.wal, wal.stat().st_size if wal.exists() else 0)
        await asyncio.sleep(0.1)


async def _sign_in(doctors: Doctors, seen: Seen) -> None:
    while True:
        began = monotonic()
        await doctors.sign_in(_EMAIL, _PASSWORD, label="", address="")
        seen.sign_ins.append(monotonic() - began)
        await asyncio.sleep(0.5)


@dataclass(frozen=True, slots=True)
class LookUps:
    """How many were found as they should be, and how long each took."""

    found: int
    ms: list[float]


async def _look_ups(identity: Database, rows: int) -> LookUps:
    """Of physicians spread over the whole register, none twice."""
    source, found, times = Registers(identity), 0, []
    for n in range(_LOOKED_UP):
        number, family, given = nppes.individual(n * (rows // _LOOKED_UP) // 10 * 10)
        name = f"{given} {family}"
        claim = Claim("", "", name, "US", None, "", "", "us.npi", number)
        began = monotonic()
        finding = await source.examine(claim)
        times.append((monotonic() - began) * 1000)
        found += finding is not None and finding.verdict == "agrees"
    return LookUps(found, times)


async def _size(identity: Database) -> int:
    if identity.is_sqlite:
        return identity.path.stat().st_size
    async with identity.reading() as connection:
        asked = await connection.execute(text("SELECT pg_database_size(current_database())"))
        return int(asked.scalar_one())
