"""Each doctor's private log `me`, in the identity store: seq 1, 2, 3... without a hole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import doctor, me, me_entry


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry of a doctor's log. `letter` is the id of the letter that brought it.

    Its time is inside the seal: beside the lounge store's it would tell whose say an act was about.
    """

    doctor: str
    seq: int
    id: str
    letter: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a log begins and ends; an empty one has head 0 and oldest 1."""

    oldest: int
    head: int


async def locked(connection: AsyncConnection, doctor_id: str) -> int | None:
    """The log's head, nobody else's to append to until the commit. None: no such doctor."""
    new = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    known = select(doctor.c.id).where(doctor.c.id == doctor_id)
    if (await connection.execute(known)).first() is None:
        return None
    await connection.execute(
        new(me).values(doctor=doctor_id, last_seq=0, oldest=1).on_conflict_do_nothing()
    )
    query = select(me.c.last_seq).where(me.c.doctor == doctor_id).with_for_update()
    head: int = (await connection.execute(query)).scalar_one()
    return head


async def carried(connection: AsyncConnection, letters: Collection[bytes]) -> set[bytes]:
    """Those of these letters that have arrived already."""
    query = select(me_entry.c.letter).where(me_entry.c.letter.in_(letters))
    return set((await connection.execute(query)).scalars())


async def append(connection: AsyncConnection, entries: Sequence[SealedEntry]) -> None:
    """Append to one locked log; the seqs follow its head."""
    if entries:
        await connection.execute(insert(me_entry), [asdict(entry) for entry in entries])
        head = update(me).where(me.c.doctor == entries[0].doctor)
        await connection.execute(head.values(last_seq=entries[-1].seq))


async def change(connection: AsyncConnection, doctor_id: str, seq: int, sealed: bytes) -> None:
    """Another content for an entry of a locked log."""
    entry = update(me_entry).where(me_entry.c.doctor == doctor_id, me_entry.c.seq == seq)
    await connection.execute(entry.values(sealed=sealed))


async def page(
    connection: AsyncConnection,
    doctor_id: str,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[SealedEntry]:
    """At most `limit` entries, ascending: those next after `after`, or the last before `before`."""
    query = select(me_entry).where(me_entry.c.doctor == doctor_id)
    if after is not None:
        query = query.where(me_entry.c.seq > after).order_by(me_entry.c.seq)
    else:
        if before is not None:
            query = query.where(me_entry.c.seq < before)
        query = query.order_by(me_entry.c.seq.desc())
    rows = [SealedEntry(**row._mapping) for row in await connection.execute(query.limit(limit))]
    return sorted(rows, key=lambda entry: entry.seq)


async def bounds(connection: AsyncConnection, doctor_ids: Collection[str]) -> dict[str, Bounds]:
    """Of those logs that have had an entry."""
    query = select(me.c.doctor, me.c.oldest, me.c.last_seq).where(me.c.doctor.in_(doctor_ids))
    return {row.doctor: Bounds(row.oldest, row.last_seq) for row in await connection.execute(query)}
