"""What the identity store holds of one doctor, for herself: every table, and what lies there sealed.

Secrets of her devices and hashes are left out: they would say nothing to her, and much to a thief.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Column, LargeBinary, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.belongings import Belongings
from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.keys import Keys
from lounge.notices import Notices, account_act
from lounge.oncall.calls import address_in
from lounge.oncall.members import rotas_of
from storage import reaches
from storage.database import Database
from storage.identity_schema import IDENTITY, doctor

_SECRET = {("doctor", "password"), ("role", "body")}
_SHOWN_OPENED = {"belongings", "me", "me_entry", "reach"}
_WHOSE = ("doctor", "by", "about", "keeper", "instead_of")
_ANOTHER = "somebody else"
_PAGE = 500


class OwnData:
    """May raise StorageError."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        belongings: Belongings,
        notices: Notices,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._clock = clock
        self._belongings = belongings
        self._notices = notices

    async def take(self, doctor_id: str) -> bytes:
        """All of it as one JSON object: a list of rows for each table, times in ms since 1970.

        That it was taken is told to her and audited, before it goes out.
        """
        async with self._identity.writing() as connection:
            await account_act(connection, self._keys, doctor_id, "data_taken", now=self._clock())
        async with self._identity.reading() as connection:
            held = {
                table.name: await _rows(connection, table, doctor_id) for table in tables_of_hers()
            }
            rotas = await rotas_of(connection, doctor_id, _ANOTHER)
        if not held["doctor"]:
            raise Refusal(Code.NOT_FOUND, "session.none")
        things = msgspec.to_builtins((await self._belongings.of(doctor_id)).things)
        opened = {
            "rotas": rotas,
            "belongings": things,
            "me": await self._notices_of(doctor_id),
            "reach": await self._ways_of(doctor_id),
        }
        return msgspec.json.format(msgspec.json.encode(held | opened), indent=1)

    async def _notices_of(self, doctor_id: str) -> list[dict[str, object]]:
        told: list[dict[str, object]] = []
        after = 0
        while page := await self._notices.page(doctor_id, after=after, limit=_PAGE):
            told += [{"seq": n.seq, "at": rfc3339(n.at), **n.notice} for n in page]
            after = page[-1].seq
        return told

    async def _ways_of(self, doctor_id: str) -> list[dict[str, object]]:
        """How she is alerted; the keys of a browser would say nothing to her."""
        async with self._identity.reading() as connection:
            rows = await reaches.of(connection, doctor_id)
        ways: list[dict[str, object]] = []
        for row in rows:
            address = address_in(self._keys.identity, row.id, row.sealed)
            told = {"id": row.id, "kind": row.kind, "address": address.to, "label": address.label}
            ways.append(
                {**told, "confirmed": row.confirmed, "failed": row.failed, "used": row.used}
            )
        return ways


def tables_of_hers() -> Sequence[Table]:
    """Those that say whose a row is, but for what is shown opened."""
    return [
        table
        for table in IDENTITY.sorted_tables
        if table.name not in _SHOWN_OPENED and _whose(table)
    ]


def _whose(table: Table) -> list[Column[str]]:
    if table is doctor:
        return [doctor.c.id]
    return [table.c[name] for name in _WHOSE if name in table.c]


async def _rows(
    connection: AsyncConnection, table: Table, doctor_id: str
) -> list[dict[str, object]]:
    shown = [
        column
        for column in table.c
        if not isinstance(column.type, LargeBinary) and (table.name, column.name) not in _SECRET
    ]
    hers = or_(*(column == doctor_id for column in _whose(table)))
    rows = await connection.execute(select(*shown).where(hers))
    return [_hers_only(dict(row._mapping), doctor_id) for row in rows]


def _hers_only(row: Mapping[str, object], doctor_id: str) -> dict[str, object]:
    """Who else is in the row is theirs to know."""
    return {
        name: _ANOTHER if name in _WHOSE and value not in (None, doctor_id) else value
        for name, value in row.items()
    }
