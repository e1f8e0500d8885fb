"""The two audits, checked: against themselves, and against where they once stood.

Where each chain stands is written down once a day, into the log and into `LOUNGE_DATA/audit.heads`: whoever
can write to a database cannot take that back where the log is kept elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from storage import audit
from storage.audit import Breach, Link
from storage.database import Database

__all__ = ["AnchorFault", "Breach", "Link", "Verdict", "heads", "note_heads", "verify"]

log = structlog.get_logger()

STORES = ("identity", "lounge")
HEADS = "audit.heads"


class AnchorFault(Exception):  # noqa: N818 - said to the operator as it stands
    """A file of anchors cannot be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a chain stands, and the first row that is not as it was written; None: all are."""

    head: Link
    breach: Breach | None


async def verify(
    identity: Database, lounge: Database, anchors: Iterable[Link] = ()
) -> list[Verdict]:
    """Both chains from their first row on, the identity store's first. Raises StorageError."""
    known = list(anchors)
    verdicts = []
    for store, database in zip(STORES, (identity, lounge), strict=True):
        async with database.reading() as connection:
            head = await audit.head(connection, store)
            verdicts.append(Verdict(head, await audit.verify(connection, store, known)))
    return verdicts


async def heads(identity: Database, lounge: Database) -> list[Link]:
    """Where both chains stand now."""
    found = []
    for store, database in zip(STORES, (identity, lounge), strict=True):
        async with database.reading() as connection:
            found.append(await audit.head(connection, store))
    return found


async def note_heads(identity: Database, lounge: Database, folder: Path) -> None:
    """Write down where both chains stand. Raises StorageError."""
    found = [link for link in await heads(identity, lounge) if link.seq]
    for link in found:
        log.info("audit head", store=link.store, seq=link.seq, hash=link.hash.hex())
    if found:
        await asyncio.to_thread(_append, folder / HEADS, found)


def read_anchors(path: Path) -> list[Link]:
    """What `note_heads` wrote, or lines `store seq hash` from a log. Raises AnchorFault."""
    try:
        lines = path.read_text("ascii").splitlines()
        return [_link(line) for line in lines if line.strip()]
    except (OSError, ValueError, IndexError):
        raise AnchorFault(f"{path} does not hold lines of store, row and hash") from None


def as_line(link: Link) -> str:
    """An anchor as it is written down."""
    return f"{link.store} {link.seq} {link.hash.hex()}"


def _append(path: Path, links: Iterable[Link]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    with path.open("a", encoding="ascii") as file:
        file.writelines(f"{as_line(link)} {day}\n" for link in links)


def _link(line: str) -> Link:
    store, seq, digest = line.split()[:3]
    if store not in STORES:
        raise ValueError(store)
    return Link(store, int(seq), bytes.fromhex(digest))
