"""Both stores written anew, so that no byte of what was erased is left in their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lounge.office import Office
from storage.database import Database
from storage.rewriting import rewrite

Done = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


def stores(office: Office) -> Mapping[str, Database]:
    """What is written anew, by name."""
    return {"lounge": office.lounge, "identity": office.identity}


async def write_anew(store: Database, done: Done) -> None:
    """Writers of a running lounge wait meanwhile. Raises StorageError."""
    await rewrite(store, done)
