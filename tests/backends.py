"""The two kinds of SQL that everything runs on, for fixtures with `params=BOTH`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.postgres import drop_database
from tests.templates import fresh_store


@asynccontextmanager
async def addresses(request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """Settings that lead to empty, upgraded databases; none for the SQLite of the data folder, which
    is what a fixture without a parameter gets."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield {}
        return
    async with on_postgres(request.getfixturevalue("postgres_url")) as settings:
        yield settings


@asynccontextmanager
async def on_postgres(server: str) -> AsyncIterator[dict[str, str]]:
    """`database_url` and `identity_url` of two fresh databases there, dropped afterwards."""
    lounge, identity = fresh_store(server, "lounge"), fresh_store(server, "identity")
    try:
        yield {"database_url": lounge, "identity_url": identity}
    finally:
        drop_database(lounge)
        drop_database(identity)
