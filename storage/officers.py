"""The two officers in the identity store, and the sealed authors of the lounge store's personas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import doctor, officer
from storage.schema import persona, room


@dataclass(frozen=True, slots=True)
class OfficerRecord:
    """An officer: place 1 or 2, which doctor she is, her public key and since when (ms)."""

    place: int
    doctor: str
    public_key: bytes
    since: int


async def enrolled(connection: AsyncConnection) -> tuple[OfficerRecord, ...]:
    """The two in their places; empty without officers."""
    rows = await connection.execute(select(officer).order_by(officer.c.place))
    return tuple(OfficerRecord(**row._mapping) for row in rows)


async def names(connection: AsyncConnection) -> list[str]:
    """The officers' names, which every doctor may know."""
    query = select(doctor.c.name).select_from(officer.join(doctor)).order_by(officer.c.place)
    return list((await connection.execute(query)).scalars())


async def who(connection: AsyncConnection, doctor_id: str) -> tuple[str, str] | None:
    """E-mail and name of a doctor, once two officers have opened her box; None: she has left."""
    query = select(doctor.c.email, doctor.c.name).where(doctor.c.id == doctor_id)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.email, row.name)


async def replace(connection: AsyncConnection, two: Sequence[OfficerRecord]) -> None:
    """These two, and nobody else, are the officers."""
    await connection.execute(delete(officer))
    await connection.execute(insert(officer), [asdict(each) for each in two])


async def set_roles(connection: AsyncConnection, doctor_id: str, roles: Collection[str]) -> None:
    new = update(doctor).where(doctor.c.id == doctor_id)
    await connection.execute(new.values(roles=" ".join(sorted(roles))))


async def everybody(connection: AsyncConnection) -> list[str]:
    """The ids of all doctors, verified or not: who may not speak any more has spoken."""
    return list((await connection.execute(select(doctor.c.id).order_by(doctor.c.id))).scalars())


async def licence_of(connection: AsyncConnection, doctor_id: str) -> bytes | None:
    """The keyed hash of a doctor's licence, by which she is known again after leaving."""
    query = select(doctor.c.licence_mark).where(doctor.c.id == doctor_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def rooms_unsealed(connection: AsyncConnection) -> list[tuple[int, str, int]]:
    """Rooms with personas that have no box: number, id, how many."""
    query = (
        select(room.c.id, room.c.slug, func.count())
        .select_from(persona.join(room, persona.c.room_id == room.c.id))
        .where(persona.c.sealed.is_(None))
        .group_by(room.c.id, room.c.slug)
        .order_by(room.c.id)
    )
    return [(number, slug, count) for number, slug, count in await connection.execute(query)]


async def unsealed(connection: AsyncConnection, room_id: int) -> set[bytes]:
    """The personas of a room that have no box."""
    query = select(persona.c.id).where(persona.c.room_id == room_id, persona.c.sealed.is_(None))
    return {bytes(id) for id in (await connection.execute(query)).scalars()}


async def sealed_under(connection: AsyncConnection, mark: bytes) -> int:
    """How many boxes begin with `mark`."""
    query = select(func.count()).select_from(persona).where(_begins(mark))
    count: int = (await connection.execute(query)).scalar_one()
    return count


async def next_under(
    connection: AsyncConnection, mark: bytes, after: bytes, limit: int
) -> dict[bytes, bytes]:
    """The next personas, by id, whose boxes begin with `mark`."""
    query = select(persona.c.id, persona.c.sealed).where(_begins(mark), persona.c.id > after)
    rows = await connection.execute(query.order_by(persona.c.id).limit(limit))
    return {bytes(row.id): bytes(row.sealed) for row in rows}


async def seal(connection: AsyncConnection, sealed: Mapping[bytes, bytes]) -> None:
    """Give personas their boxes. Where several processes do, the last one's stay: all are good."""
    if sealed:
        row = update(persona).where(persona.c.id == bindparam("whose"))
        await connection.execute(
            row.values(sealed=bindparam("what")),
            [{"whose": whose, "what": what} for whose, what in sorted(sealed.items())],
        )


async def sealed_of(connection: AsyncConnection, persona_id: bytes) -> bytes | None:
    """The box of a persona; None when it has none."""
    query = select(persona.c.sealed).where(persona.c.id == persona_id)
    return (await connection.execute(query)).scalar_one_or_none()


def _begins(mark: bytes) -> ColumnElement[bool]:
    return func.substr(persona.c.sealed, 1, len(mark), type_=LargeBinary) == mark
