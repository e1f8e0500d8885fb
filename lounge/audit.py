"""The two audits, checked: against themselves, and against where they once stood (`lounge/anchors.py`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from storage import audit
from storage.audit import Breach, Link
from storage.database import Database

__all__ = ["AnchorFault", "Breach", "Link", "Verdict", "heads", "verify"]

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


def read_anchors(path: Path) -> list[Link]:
    """What `Anchors` wrote, or lines `store seq hash` from a log. Raises AnchorFault."""
    try:
        lines = path.read_text("ascii").splitlines()
        return [_link(line) for line in lines if line.strip()]
    except (OSError, ValueError, IndexError):
        raise AnchorFault(f"{path} does not hold lines of store, row and hash") from None


def as_line(link: Link) -> str:
    """An anchor as it is written down."""
    return f"{link.store} {link.seq} {link.hash.hex()}"


def _link(line: str) -> Link:
    store, seq, digest = line.split()[:3]
    if store not in STORES:
        raise ValueError(store)
    return Link(store, int(seq), bytes.fromhex(digest))
