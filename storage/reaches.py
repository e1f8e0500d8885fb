"""How doctors are alerted: rows of `reach`, their addresses sealed. Times in ms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import reach

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Reach:
    """One way to one doctor. `trial` is what a code was hashed to, `used` when something last got through."""

    id: str
    doctor: str
    kind: str
    mark: bytes
    sealed: bytes
    trial: bytes | None = None
    tried: int | None = None
    confirmed: int | None = None
    failed: int | None = None
    used: int | None = None


async def add(connection: AsyncConnection, new: Reach) -> None:
    values = {"id": new.id, "doctor": new.doctor, "kind": new.kind, "mark": new.mark}
    await connection.execute(insert(reach).values(**values, sealed=new.sealed, used=new.used))


async def of(connection: AsyncConnection, doctor_id: str) -> list[Reach]:
    """All of hers, by kind, those that work and those that do not."""
    hers = select(*_COLUMNS).where(reach.c.doctor == doctor_id).order_by(reach.c.kind, reach.c.id)
    return [_reach(*row) for row in await connection.execute(hers)]


async def find(connection: AsyncConnection, id: str) -> Reach | None:
    row = (await connection.execute(select(*_COLUMNS).where(reach.c.id == id))).first()
    return None if row is None else _reach(*row)


async def marked(connection: AsyncConnection, doctor_id: str, mark: bytes) -> Reach | None:
    """Hers with that address."""
    same = select(*_COLUMNS).where(reach.c.doctor == doctor_id, reach.c.mark == mark)
    row = (await connection.execute(same)).first()
    return None if row is None else _reach(*row)


async def working(connection: AsyncConnection, doctor_ids: Collection[str], since: int) -> set[str]:
    """Those of these doctors whom something reaches; of open pages, those that said so from `since` on."""
    query = select(reach.c.doctor).where(reach.c.doctor.in_(doctor_ids), _works(since)).distinct()
    return set((await connection.execute(query)).scalars())


async def count(connection: AsyncConnection, doctor_id: str) -> int:
    query = select(func.count()).select_from(reach).where(reach.c.doctor == doctor_id)
    found: int = (await connection.execute(query)).scalar_one()
    return found


async def put(connection: AsyncConnection, id: str, sealed: bytes, used: int | None) -> None:
    """Its address again, perhaps with other keys: what was confirmed stays so."""
    values = {"sealed": sealed} if used is None else {"sealed": sealed, "used": used}
    await connection.execute(update(reach).where(reach.c.id == id).values(**values))


async def try_out(connection: AsyncConnection, id: str, trial: bytes, now: int) -> None:
    """A test alert is on its way; the one before is good for nothing any more."""
    await connection.execute(update(reach).where(reach.c.id == id).values(trial=trial, tried=now))


async def confirm(connection: AsyncConnection, id: str, trial: bytes, since: int, now: int) -> bool:
    """Its owner says that the test alert arrived. False: another one, or sent before `since`."""
    meant = (reach.c.id == id) & (reach.c.trial == trial) & (reach.c.tried >= since)
    values = {"confirmed": now, "used": now, "failed": None, "trial": None}
    return (await connection.execute(update(reach).where(meant).values(**values))).rowcount == 1


async def got_through(connection: AsyncConnection, id: str, now: int) -> None:
    """Whatever was thought of it, it leads there."""
    meant = update(reach).where(reach.c.id == id)
    await connection.execute(meant.values(used=now, failed=None))


async def fail(connection: AsyncConnection, id: str, now: int, *, for_good: bool) -> bool:
    """Nothing gets through; `for_good`: until it is confirmed anew. False: that was known, or it is gone."""
    values: dict[str, int | None] = {"failed": now}
    new: ColumnElement[bool] = reach.c.failed.is_(None)
    if for_good:
        values["confirmed"] = None
        new |= reach.c.confirmed.is_not(None)
    failed = update(reach).where(reach.c.id == id, new).values(**values)
    return (await connection.execute(failed)).rowcount == 1


async def drop(connection: AsyncConnection, doctor_id: str, id: str) -> bool:
    """And what waits for it. False: none of hers."""
    hers = delete(reach).where(reach.c.id == id, reach.c.doctor == doctor_id)
    return (await connection.execute(hers)).rowcount == 1


async def drop_others(connection: AsyncConnection, doctor_id: str, mark: bytes) -> None:
    """Nobody else is alerted there any more."""
    theirs = delete(reach).where(reach.c.mark == mark, reach.c.doctor != doctor_id)
    await connection.execute(theirs)


async def drop_silent(connection: AsyncConnection, before: int) -> None:
    """Open pages that have said nothing since `before` do not come back."""
    gone = (reach.c.kind == OPEN) & (reach.c.used < before)
    await connection.execute(delete(reach).where(gone))


def _works(since: int) -> ColumnElement[bool]:
    here = (reach.c.kind != OPEN) | (reach.c.used >= since)
    return reach.c.confirmed.is_not(None) & reach.c.failed.is_(None) & here


def _reach(id: str, doctor: str, kind: str, mark: bytes, sealed: bytes, *rest: object) -> Reach:
    return Reach(id, doctor, kind, bytes(mark), bytes(sealed), *rest)  # type: ignore[arg-type]


_COLUMNS = (
    *(reach.c.id, reach.c.doctor, reach.c.kind, reach.c.mark, reach.c.sealed, reach.c.trial),
    *(reach.c.tried, reach.c.confirmed, reach.c.failed, reach.c.used),
)
