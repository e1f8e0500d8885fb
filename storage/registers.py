"""Snapshots of registers: filled beside whoever reads the old one, made current at once, cleared later.

A snapshot is a number of sorted runs. Registers come in no order; rows that are sorted a run at a time
are only ever appended, where one large index would be written all over for every few thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import register_entry, register_snapshot

STALE_MS = 60_000  # an import that has not written for so long has ended
Row = tuple[str, str | None, str | None, int | None]
"""Number, folded names, status (None: in good standing), valid until (ms)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a register says of a number; `status` None: in good standing. `until` in ms."""

    names: str | None
    status: str | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One import of one register; `began` in ms."""

    id: int
    register: str
    runs: int
    entries: int
    began: int


async def begin(connection: AsyncConnection, register: str, now: int) -> int | None:
    """The id of a new snapshot to fill; None while another import of this register goes on."""
    row = register_snapshot.c
    going = (row.register == register) & (row.state == "filling") & (row.seen > now - STALE_MS)
    if (await connection.execute(select(row.id).where(going))).first():
        return None
    id = ((await connection.execute(select(func.max(row.id)))).scalar_one() or 0) + 1
    await connection.execute(
        insert(register_snapshot).values(
            id=id, register=register, state="filling", runs=0, entries=0, began=now, seen=now
        )
    )
    return int(id)


async def append(
    connection: AsyncConnection, snapshot: int, run: int, rows: Sequence[Row], now: int
) -> None:
    """The next rows of a run, in the order of their numbers; within a run a number comes once."""
    row = register_snapshot.c
    counted = update(register_snapshot).where(row.id == snapshot)
    await connection.execute(
        counted.values(runs=run + 1, entries=row.entries + len(rows), seen=now)
    )
    records = [(snapshot, run, *each) for each in rows]
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(_INSERT, records)
    else:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(
            register_entry.name, records=records, columns=register_entry.c.keys()
        )


async def make_current(connection: AsyncConnection, snapshot: int) -> None:
    """From this commit on everybody reads this one."""
    row = register_snapshot.c
    register = select(row.register).where(row.id == snapshot).scalar_subquery()
    was = update(register_snapshot).where(row.state == "current", row.register == register)
    await connection.execute(was.values(state="old"))
    now = update(register_snapshot).where(row.id == snapshot)
    await connection.execute(now.values(state="current"))


async def current(connection: AsyncConnection, register: str) -> Snapshot | None:
    """The snapshot that look-ups of this register read."""
    row = register_snapshot.c
    query = select(row.id, row.register, row.runs, row.entries, row.began)
    query = query.where(row.register == register, row.state == "current")
    found = (await connection.execute(query)).first()
    return None if found is None else Snapshot(*found)


async def find(connection: AsyncConnection, snapshot: Snapshot, number: str) -> Entry | None:
    """What the snapshot says of a number; where a register names it twice, the later row."""
    row = register_entry.c
    query = select(row.names, row.status, row.until).where(
        row.snapshot == snapshot.id, row.run.in_(range(snapshot.runs)), row.number == number
    )
    found = (await connection.execute(query.order_by(row.run.desc()).limit(1))).first()
    return None if found is None else Entry(*found)


async def abandon(connection: AsyncConnection, snapshot: int) -> None:
    """It will never be current."""
    row = register_snapshot.c
    gone = update(register_snapshot).where(row.id == snapshot, row.state == "filling")
    await connection.execute(gone.values(state="old"))


async def cleared(connection: AsyncConnection, most: int, now: int) -> int | None:
    """Drop at most `most` rows of snapshots that nobody reads any more.

    How many were dropped; None when there is nothing left to drop.
    """
    row = register_snapshot.c
    dead = (row.state == "old") | ((row.state == "filling") & (row.seen <= now - STALE_MS))
    query = select(row.id, row.runs).where(dead).order_by(row.id).limit(1)
    found = (await connection.execute(query)).first()
    if found is None:
        return None
    if found.runs == 0:
        await connection.execute(delete(register_snapshot).where(row.id == found.id))
        return 0
    return await _cleared_of_run(connection, found.id, found.runs - 1, most)


_INSERT = f"INSERT INTO {register_entry.name} VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - no values in it


async def _cleared_of_run(connection: AsyncConnection, snapshot: int, run: int, most: int) -> int:
    row = register_entry.c
    mine = and_(row.snapshot == snapshot, row.run == run)
    border = select(row.number).where(mine).order_by(row.number).offset(most).limit(1)
    number = (await connection.execute(border)).scalar_one_or_none()
    if number is not None:
        gone = await connection.execute(delete(register_entry).where(mine, row.number < number))
        return gone.rowcount
    gone = await connection.execute(delete(register_entry).where(mine))
    done = update(register_snapshot).where(register_snapshot.c.id == snapshot)
    await connection.execute(done.values(runs=run))
    return gone.rowcount
