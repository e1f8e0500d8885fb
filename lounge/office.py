"""The office: what the command line works on, beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lounge import demo
from lounge.doctors import Doctors
from lounge.errors import Code, Refusal
from lounge.keys import Keys, open_keys
from lounge.opening import ready_stores
from lounge.settings import Settings
from storage.database import Database
from storage.migrations import upgrade


@dataclass(frozen=True, slots=True)
class Office:
    """Both stores, with nothing live: no rooms are open here and nobody listens."""

    settings: Settings
    identity: Database
    lounge: Database
    keys: Keys
    doctors: Doctors

    async def id_of(self, email: str) -> str:
        """Raises Refusal `not_found`."""
        id = await self.doctors.id_of(email)
        if id is None:
            raise Refusal(Code.NOT_FOUND, "doctor.unknown", value=email)
        return id

    async def require_made_up(self) -> None:
        """Nobody walks in as somebody else. Raises Refusal `forbidden` on real doctors' data."""
        if not (self.settings.bench or await demo.is_demo(self.identity)):
            raise Refusal(Code.FORBIDDEN, "demo.only")


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Raises NotUpgraded, KeyFault, StorageError."""
    async with _databases(settings) as (identity, lounge):
        await ready_stores(settings, lounge, identity)
        keys = await open_keys(settings, identity, lounge)
        doctors = Doctors(identity, lounge, keys, settings)
        try:
            yield Office(settings, identity, lounge, keys, doctors)
        finally:
            doctors.close()


async def upgrade_stores(settings: Settings) -> None:
    """Bring both stores to the newest revision. Raises StorageError."""
    async with _databases(settings) as (identity, lounge):
        await upgrade(lounge, "lounge")
        await upgrade(identity, "identity")


@asynccontextmanager
async def _databases(settings: Settings) -> AsyncIterator[tuple[Database, Database]]:
    await asyncio.to_thread(settings.data.mkdir, mode=0o700, parents=True, exist_ok=True)
    identity, lounge = Database(settings.identity_url), Database(settings.database_url)
    try:
        yield identity, lounge
    finally:
        await identity.close()
        await lounge.close()
