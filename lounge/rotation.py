"""Rotation of the key files: a new line on top, and everything sealed wrapped anew under it.

What is computed from a key (personas, marks, names of logs) comes from the last line and never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from lounge.keys import KeyFault, Keyring
from storage import sealed_rows
from storage.database import Database
from storage.identity_schema import IDENTITY
from storage.schema import LOUNGE
from storage.sealed_rows import SealedRow

__all__ = ["Counted", "check", "rewrap"]

_PAGE = 200
Told = Callable[[int, int], None]
"""Hears how many rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Of the sealed rows: how many the newest key seals, an older one, none of these keys."""

    newest: int = 0
    older: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A table with a column `sealed`: under which label, and what binds each seal to its row."""

    table: Table
    label: str
    about: tuple[str, ...]

    def bound(self, row: SealedRow) -> bytes:
        """Bytes as they are, anything else as words between spaces."""
        (first, *_) = row.about
        return bytes(first) if isinstance(first, bytes) else " ".join(map(str, row.about)).encode()


SEALED = (
    _Sealed(IDENTITY.tables["alert"], "alert", ("id",)),
    _Sealed(IDENTITY.tables["application"], "application", ("secret",)),
    _Sealed(IDENTITY.tables["belongings"], "belongings", ("doctor",)),
    _Sealed(IDENTITY.tables["document"], "document", ("doctor", "name")),
    _Sealed(IDENTITY.tables["mail"], "mail", ("id",)),
    _Sealed(IDENTITY.tables["me_entry"], "me entry", ("doctor", "seq")),
    _Sealed(IDENTITY.tables["oidc_link"], "oidc link", ("provider", "doctor")),
    _Sealed(IDENTITY.tables["reach"], "reach", ("id",)),
    _Sealed(IDENTITY.tables["totp"], "totp", ("doctor",)),
    _Sealed(LOUNGE.tables["evidence"], "evidence", ("report",)),
    _Sealed(LOUNGE.tables["outbox"], "letter", ("id",)),
    _Sealed(LOUNGE.tables["waiting"], "waiting", ("id",)),
)
"""Everything that the identity key seals. The persona key seals nothing that is kept."""


async def rewrap(identity: Database, lounge: Database, keyring: Keyring, told: Told) -> Counted:
    """Wrap everything anew under the newest key; may be repeated. What no key opens stays.

    Returns how it was found. Raises StorageError.
    """
    return await _walk(identity, lounge, keyring, told, renew=True)


async def check(identity: Database, lounge: Database, keyring: Keyring) -> Counted:
    """How everything is sealed now. Older lines may go, but for the last, once `older` is 0."""
    return await _walk(identity, lounge, keyring, lambda done, of: None, renew=False)


async def _walk(
    identity: Database, lounge: Database, keyring: Keyring, told: Told, *, renew: bool
) -> Counted:
    counts = {True: 0, False: 0, None: 0}
    of = sum([await _count(_home(each, identity, lounge), each) for each in SEALED])
    for each in SEALED:
        database, after = _home(each, identity, lounge), None
        while rows := await _page(database, each, after):
            after = rows[-1].key
            found = [(row, _is_fresh(keyring, each, row)) for row in rows if row.sealed]
            for _, fresh in found:
                counts[fresh] += 1
            if renew:
                stale = [row for row, fresh in found if fresh is False]
                await _renew(database, keyring, each, stale)
            told(sum(counts.values()), of)
    return Counted(counts[True], counts[False], counts[None])


def _home(each: _Sealed, identity: Database, lounge: Database) -> Database:
    return identity if each.table.metadata is IDENTITY else lounge


async def _count(database: Database, each: _Sealed) -> int:
    async with database.reading() as connection:
        return await sealed_rows.count(connection, each.table)


async def _page(
    database: Database, each: _Sealed, after: tuple[Any, ...] | None
) -> list[SealedRow]:
    async with database.reading() as connection:
        return await sealed_rows.page(connection, each.table, each.about, after, _PAGE)


def _is_fresh(keyring: Keyring, each: _Sealed, row: SealedRow) -> bool | None:
    """None: no key of this file opens it."""
    about = each.bound(row)
    if keyring.is_newest(each.label, row.sealed, about):
        return True
    try:
        keyring.unseal(each.label, row.sealed, about)
    except KeyFault:
        return None
    return False


async def _renew(
    database: Database, keyring: Keyring, each: _Sealed, rows: Sequence[SealedRow]
) -> None:
    """A row that was written meanwhile was sealed by whoever wrote it."""
    if not rows:
        return
    async with database.writing() as connection:
        for row in rows:
            about = each.bound(row)
            content = keyring.unseal(each.label, row.sealed, about)
            anew = keyring.seal(each.label, content, about)
            await sealed_rows.replace(connection, each.table, row, anew)
