"""Rules before posting, as JSON with a version: what is changed says which version it saw."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import rule


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as kept; `at`, in ms, is its last change."""

    id: str
    body: str
    version: int
    at: int


async def versions(connection: AsyncConnection) -> dict[str, int]:
    """Of every rule: whether anything is to be read at all."""
    rows = await connection.execute(select(rule.c.id, rule.c.version))
    return {row.id: row.version for row in rows}


async def everything(connection: AsyncConnection) -> list[RuleRow]:
    """All rules, the newest change first."""
    columns = (rule.c.id, rule.c.body, rule.c.version, rule.c.at)
    rows = await connection.execute(select(*columns).order_by(rule.c.at.desc(), rule.c.id))
    return [RuleRow(*row) for row in rows]


async def count(connection: AsyncConnection) -> int:
    found: int = (await connection.execute(select(func.count()).select_from(rule))).scalar_one()
    return found


async def add(connection: AsyncConnection, new: RuleRow) -> None:
    await connection.execute(insert(rule).values(**asdict(new)))


async def change(connection: AsyncConnection, new: RuleRow) -> bool:
    """Put it in the place of the version before; False when that is not the one that stands."""
    its = (rule.c.id == new.id, rule.c.version == new.version - 1)
    done = await connection.execute(update(rule).where(*its).values(**asdict(new)))
    return done.rowcount == 1


async def drop(connection: AsyncConnection, id: str) -> bool:
    """False when there is none of that id."""
    return (await connection.execute(delete(rule).where(rule.c.id == id))).rowcount == 1
