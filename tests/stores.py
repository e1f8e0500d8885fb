"""Both stores, migrated and with keys of their own, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete

from lounge.accounts import Accounts, open_accounts
from lounge.belongings import Belongings
from lounge.doctors import Doctor, Doctors
from lounge.house import TEXTS
from lounge.keys import Keys, open_keys
from lounge.leaving import Authors
from lounge.officers import Seals
from lounge.passwords import Passwords
from lounge.settings import Settings, from_environment
from storage import gate, identities, schema
from storage.database import Database
from storage.identity_schema import IDENTITY, fact, revocation
from tests.postgres import drop_database
from tests.templates import fresh_store, upgraded

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
BOTH = ("sqlite", "postgres")
LONG = pytest.mark.long
SQLITE_FIRST = ("sqlite", pytest.param("postgres", marks=LONG))
"""Where SQL differs little, or others test what differs."""
START = 1_800_000_000_000  # ms; a moment for tests


class Clock:
    """The time as a test wants it, in ms."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True, slots=True)
class Stores:
    """What a test of the identity side stands on."""

    settings: Settings
    identity: Database
    lounge: Database
    keys: Keys

    def doctors(self, clock: Clock | None = None) -> Doctors:
        return Doctors(
            self.identity,
            self.lounge,
            self.keys,
            self.settings,
            passwords=Passwords(QUICK),
            clock=clock or Clock(),
        )

    def accounts(
        self, doctors: Doctors, clock: Clock | None = None, seals: Authors | None = None
    ) -> Accounts:
        """What else these doctors' accounts need; without rooms nobody has a persona."""
        return open_accounts(
            self.identity,
            self.lounge,
            self.keys,
            self.settings,
            doctors,
            Belongings(self.identity, self.keys),
            seals or Seals(self.identity, self.keys),
            lambda _doctor, _rooms: [],
            clock=clock or Clock(),
        )

    async def epoch(self) -> int:
        async with self.lounge.reading() as connection:
            return await gate.epoch(connection)


@asynccontextmanager
async def open_stores(
    folder: Path, *, identity_url: str | None = None, lounge_url: str | None = None
) -> AsyncIterator[Stores]:
    """Made in `folder`; SQLite unless other addresses are given."""
    settings = from_environment({"LOUNGE_DATA": str(folder)})
    settings = replace(
        settings,
        identity_url=identity_url or settings.identity_url,
        database_url=lounge_url or settings.database_url,
    )
    identity, lounge = Database(settings.identity_url), Database(settings.database_url)
    try:
        await upgraded(identity, "identity")
        await upgraded(lounge, "lounge")
        yield Stores(settings, identity, lounge, await open_keys(settings, identity, lounge))
    finally:
        await identity.close()
        await lounge.close()


@asynccontextmanager
async def open_either(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Stores]:
    """For a fixture with params `BOTH`."""
    if request.param == "sqlite":
        async with open_stores(folder) as stores:
            yield stores
        return
    server = request.getfixturevalue("postgres_url")
    urls = fresh_store(server, "identity"), fresh_store(server, "lounge")
    try:
        async with open_stores(folder, identity_url=urls[0], lounge_url=urls[1]) as stores:
            yield stores
    finally:
        for url in urls:
            drop_database(url)


async def wipe(stores: Stores) -> None:
    """As new, but for the keys."""
    async with stores.identity.writing() as connection:
        for table in reversed(IDENTITY.sorted_tables):
            rows = delete(table)
            if table is not revocation:
                await connection.execute(
                    rows.where(fact.c.name != "key check") if table is fact else rows
                )
    async with stores.lounge.writing() as connection:
        for table in schema.LOUNGE.sorted_tables:
            if table is not schema.gate:
                await connection.execute(delete(table))


async def add_ana(doctors: Doctors, *, email: str = "ana@clinic.test", **other: Any) -> str:
    """Ana, verified; returns her one-time code."""
    ana: dict[str, Any] = {
        "name": "Ana",
        "country": "CA",
        "specialty": "cardiology",
        "verified": True,
    }
    return await doctors.add(email=email, **{**ana, **other})


async def doctor_by(stores: Stores, email: str) -> Doctor:
    """As a visit shows her."""
    async with stores.identity.reading() as connection:
        found = await identities.by_email(connection, email)
    assert found
    known = found[0]
    return Doctor(
        known.id,
        known.country,
        known.region,
        known.specialty,
        known.grade,
        known.language,
        known.roles,
        known.verified,
        known.state,
        known.reason,
        known.accepted_texts >= TEXTS,
    )
