"""Personas as their rows show them, what they said, and what one would tell another."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, delete, func, literal_column, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.entries import Shown
from storage.schema import entry, offer, persona, reaction

_BATCH = 10_000  # ids in one statement; both databases allow about 32,000 values


async def shown(connection: AsyncConnection, ids: Collection[bytes]) -> dict[bytes, Shown]:
    """How these personas are shown; none for who has not spoken yet."""
    found: dict[bytes, Shown] = {}
    asked = list(ids)
    for start in range(0, len(asked), _BATCH):
        rows = await connection.execute(_SHOWN, {"ids": asked[start : start + _BATCH]})
        found |= {bytes(row.id): Shown(row.face, row.badge, row.name, row.exact) for row in rows}
    return found


async def in_room(connection: AsyncConnection, room_number: int, id: bytes) -> Shown | None:
    """How a persona of this room is shown; None when nobody of that id has spoken here."""
    query = select(*_COLUMNS).where(persona.c.id == id, persona.c.room_id == room_number)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Shown(row.face, row.badge, row.name, row.exact)


async def taken(
    connection: AsyncConnection, room_number: int, names: Collection[str]
) -> frozenset[str]:
    """Those of the made-up names that somebody in the room has."""
    query = select(persona.c.name).where(
        persona.c.face == literal_column("'anonymous'"),
        persona.c.room_id == room_number,
        persona.c.name.in_(names),
    )
    return frozenset((await connection.execute(query)).scalars())


async def helped(connection: AsyncConnection, room_number: int, id: bytes, emoji: str) -> int:
    """How many says of this persona somebody has put that reaction to."""
    thanked = reaction.join(
        entry, (entry.c.room_id == reaction.c.room_id) & (entry.c.seq == reaction.c.target)
    )
    query = (
        select(func.count(reaction.c.target.distinct()))
        .select_from(thanked)
        .where(
            reaction.c.room_id == room_number,
            reaction.c.emoji == emoji,
            reaction.c.on == true(),
            entry.c.persona == id,
        )
    )
    return (await connection.execute(query)).scalar_one()


async def last_in_thread(
    connection: AsyncConnection,
    room_number: int,
    heads: Collection[int] | None,
    ids: Collection[bytes],
) -> tuple[int, bytes] | None:
    """The newest say of these personas among the entries at `heads` and their answers: seq and persona.

    Without `heads`, in the whole room. A case is a say of its author, and in every thread of its room.
    """
    query = select(entry.c.seq, entry.c.persona).where(
        entry.c.room_id == room_number,
        entry.c.kind.in_(("say", "consult.open")),
        entry.c.redacted.is_(None),
        entry.c.hidden.is_(None),
        entry.c.persona.in_(ids),
    )
    if heads is not None:
        is_case = entry.c.kind == "consult.open"
        query = query.where(or_(entry.c.seq.in_(heads), entry.c.target.in_(heads), is_case))
    query = query.order_by(entry.c.seq.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.seq, bytes(row.persona))


# -- offers --------------------------------------------------------------------------------------


async def open_offers(
    connection: AsyncConnection, ids: Collection[bytes], now: int
) -> frozenset[bytes]:
    """Those of these offers that stand."""
    query = select(offer.c.id).where(offer.c.id.in_(ids), offer.c.until > now)
    return frozenset(map(bytes, (await connection.execute(query)).scalars()))


def put_offer(is_sqlite: bool, id: bytes, until: int, now: int) -> list[Step]:
    """Changes: this offer stands until then; those whose time is over go."""
    insert = sqlite.insert if is_sqlite else postgresql.insert
    made = insert(offer).values(id=id, until=until)
    made = made.on_conflict_do_update(index_elements=["id"], set_={"until": until})
    return [Step(delete(offer).where(offer.c.until <= now)), Step(made)]


def take_offer(id: bytes, now: int) -> Step:
    """Guard and change: this offer stands, and is used up."""
    return Step(delete(offer).where(offer.c.id == id, offer.c.until > now), rows=1)


_COLUMNS = (persona.c.id, persona.c.face, persona.c.badge, persona.c.name, persona.c.exact)
_SHOWN = select(*_COLUMNS).where(persona.c.id.in_(bindparam("ids", expanding=True)))
