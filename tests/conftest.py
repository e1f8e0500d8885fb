"""The machinery that tests stand on, each started once: Valkey, PostgreSQL, Chromium."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis  # early: CPython 3.11 cannot parse it once greenlets have run
import pytest

from tests import chromium, postgres
from tests.missing import unavailable
from tests.postgres import fresh_database
from tests.processes import Run, running
from tests.stores import BOTH, Stores, open_either, wipe
from web.valkey import EmbeddedValkey

# What is generated is the same on every machine, however slow; `--hypothesis-profile default` draws anew.
hypothesis.settings.register_profile(
    "alike",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("alike")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers want the processor while many others wait: files of both kinds come in turn, evenly."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    browsing = [file for file in files if "/browser/" in file]
    others = [file for file in files if "/browser/" not in file]
    place = {file: n / len(kind) for kind in (browsing, others) for n, file in enumerate(kind)}
    items[:] = [item for file in sorted(files, key=place.__getitem__) for item in files[file]]


@pytest.fixture(scope="session")
async def redis_url() -> AsyncIterator[str]:
    """A Redis for all tests together: TEST_REDIS_URL, or our own embedded Valkey."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    valkey = EmbeddedValkey()
    await valkey.start()
    yield valkey.url
    await valkey.stop()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server, as `postgresql+asyncpg://…`: tests make their own databases in it."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own."""
    url = fresh_database(postgres_url)
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="module", params=BOTH)
async def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stores]:
    """Both stores, on SQLite and then on PostgreSQL."""
    async with open_either(request, tmp_path_factory.mktemp("stores")) as stores:
        yield stores


@pytest.fixture
async def stores(both: Stores) -> Stores:
    """The same, empty."""
    await wipe(both)
    return both


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser's program."""
    return chromium.found() or unavailable("no Chromium: `python -m tests.chromium` gets one")


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], chromium_path: Path
) -> dict[str, Any]:
    """Has pytest-playwright start that browser, quietly."""
    return browser_type_launch_args | chromium.launch(chromium_path)


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts real processes: `run("-m", "package.module", NAME="value")`."""
    yield from running()
