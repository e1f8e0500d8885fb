"""Reads of what not everybody may read: each is in the audit before it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from storage import audit
from storage.database import Database

Read = Literal[
    "reports",
    "evidence",
    "context",
    "notes",
    "appeals",
    "waived",
    "waiting",
    "sanctions",
    "hidden",
    "rules.dry_run",
    "export",
    "search",
]
"""What is read: the audit has it as `read.<that>`."""


class Restricted:
    """Says in the lounge's audit that something is about to be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self,
        what: Read,
        about: str = "",
        *,
        by: str = "moderator",
        detail: Mapping[str, str] = {},
    ) -> None:
        """Call it before anything is looked up: committed when this returns; no row, no read.

        `about`: a report's id, or "room seq", or a room, or nothing; `by`: a role, never a doctor. Raises
        StorageError.
        """
        async with self._database.writing() as connection:
            await audit.append_lounge(
                connection, f"read.{what}", by=by, about=about or None, detail=detail
            )
