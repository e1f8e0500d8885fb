"""Rooms by the minute: how many says each had had, what was held there. For two hours, without texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Integer, bindparam, delete, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import pulse, room


@dataclass(frozen=True, slots=True)
class Noted:
    """What was held in a room in a minute, counted since 1970, and what its author let pass."""

    room: str
    minute: int
    held: int = 0
    waived: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """How many says a room had had when a minute ended."""

    room: str
    minute: int
    says: int


# -- writing -------------------------------------------------------------------------------------


async def end_minute(connection: AsyncConnection, minute: int, rooms: Sequence[str]) -> None:
    """Keep how many says those of these rooms have had that have come further; what another process kept
    for that minute stays.
    """
    last = select(func.max(pulse.c.says)).where(pulse.c.room_id == room.c.id).scalar_subquery()
    counts = select(room.c.id, literal(minute, BigInteger), room.c.says)
    counts = counts.where(room.c.says > func.coalesce(last, 0))
    for start in range(0, len(rooms), _AT_ONCE):
        some = list(rooms[start : start + _AT_ONCE])
        made = _insert(connection).from_select(
            ["room_id", "minute", "says"], counts.where(room.c.slug.in_(some))
        )
        kept = func.coalesce(pulse.c.says, made.excluded.says)
        await connection.execute(
            made.on_conflict_do_update(index_elements=_KEY, set_={"says": kept})
        )


async def add(connection: AsyncConnection, noted: Iterable[Noted]) -> None:
    """Add to the counts of a room's minute. A room that there is not yet has none."""
    added = (bindparam("held", type_=Integer), bindparam("waived", type_=Integer))
    found = select(room.c.id, bindparam("minute", type_=BigInteger), *added)
    made = _insert(connection).from_select(
        ["room_id", "minute", "held", "waived"], found.where(room.c.slug == bindparam("room"))
    )
    sums = {
        "held": pulse.c.held + made.excluded.held,
        "waived": pulse.c.waived + made.excluded.waived,
    }
    statement = made.on_conflict_do_update(index_elements=_KEY, set_=sums)
    for each in noted:
        await connection.execute(statement, asdict(each))


async def forget(connection: AsyncConnection, before: int) -> None:
    """Drop the minutes before that one, but for each room's last: the next is counted from it."""
    later = pulse.alias("later")
    is_followed = (
        select(later.c.minute)
        .where(
            later.c.room_id == pulse.c.room_id,
            later.c.minute > pulse.c.minute,
            later.c.says.is_not(None),
        )
        .exists()
    )
    await connection.execute(delete(pulse).where(pulse.c.minute < before, is_followed))


# -- reading -------------------------------------------------------------------------------------


async def ends(connection: AsyncConnection, since: int, before: int) -> list[End]:
    """Of that minute and those after it, before the other one."""
    rows = await connection.execute(_ENDS, {"since": since, "before": before})
    return [End(*row) for row in rows]


async def last_ends(
    connection: AsyncConnection, before: int, rooms: Collection[str]
) -> dict[str, int]:
    """How many says each of these rooms had had before that minute, as far as it was kept."""
    here = room.c.slug.in_(list(rooms)), pulse.c.minute < before, pulse.c.says.is_not(None)
    found = select(room.c.slug, func.max(pulse.c.says).label("most")).select_from(_HERE)
    rows = await connection.execute(found.where(*here).group_by(room.c.slug))
    return {row.slug: row.most for row in rows}


async def noted(connection: AsyncConnection, since: int) -> list[Noted]:
    """Of that minute and later, where there is anything."""
    found = select(room.c.slug, pulse.c.minute, pulse.c.held, pulse.c.waived).select_from(_HERE)
    found = found.where(pulse.c.minute >= since, or_(pulse.c.held > 0, pulse.c.waived > 0))
    return [Noted(*row) for row in await connection.execute(found)]


def _insert(connection: AsyncConnection) -> sqlite.Insert | postgresql.Insert:
    new = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return new(pulse)


_AT_ONCE = 1_000
_KEY = ["room_id", "minute"]
_HERE = pulse.join(room, room.c.id == pulse.c.room_id)
_ENDS = (
    select(room.c.slug, pulse.c.minute, pulse.c.says)
    .select_from(_HERE)
    .where(
        pulse.c.minute >= bindparam("since"),
        pulse.c.minute < bindparam("before"),
        pulse.c.says.is_not(None),
    )
)
