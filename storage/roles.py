"""Roles that are paged, who may be on their rotas, and where a rota does not hold. Times in ms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import doctor, feed, role, role_member, shift_change

OVERRIDE, SWAP, VACATION, UNTIL = "override", "swap", "vacation", "until"
ASKED, AGREED, DECLINED, WITHDRAWN = "asked", "agreed", "declined", "withdrawn"


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role as it is kept; `body` is JSON, `version` rises with each change of the row."""

    id: str
    service: str
    name: str
    specialty: str
    zone: str
    number: str
    keeper: str | None
    rule: str | None
    body: str
    version: int
    closed: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One who may be on a role's rota: asked while `since` is None. `fit`: verified, and not away."""

    role: str
    doctor: str
    since: int | None
    name: str
    fit: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Where a rota does not hold: `doctor` is on instead of `instead_of` from `starts` until `ends`.

    `layer` None: every layer (vacation, when `doctor` is None and `instead_of` is away). `by`: whose wish.
    """

    id: str
    role: str
    layer: str | None
    kind: str
    starts: int
    ends: int
    doctor: str | None
    instead_of: str | None
    state: str
    made: int
    by: str | None = None


# -- roles ---------------------------------------------------------------------------------------


async def find(connection: AsyncConnection, id: str, *, hold: bool = False) -> RoleRow | None:
    """`hold`: nobody else changes it, its members or its changes until the commit."""
    query = select(role).where(role.c.id == id)
    row = (await connection.execute(query.with_for_update() if hold else query)).first()
    return None if row is None else RoleRow(*row)


async def open_ones(connection: AsyncConnection) -> list[RoleRow]:
    """All that are not closed, by service and name."""
    query = select(role).where(role.c.closed.is_(None)).order_by(role.c.service, role.c.name)
    return [RoleRow(*row) for row in await connection.execute(query.order_by(role.c.id))]


async def add(connection: AsyncConnection, new: RoleRow) -> None:
    await connection.execute(insert(role).values(**asdict(new)))


async def change(connection: AsyncConnection, changed: RoleRow) -> bool:
    """Write what has been changed since `changed.version`; False when somebody came between."""
    values = asdict(replace(changed, version=changed.version + 1))
    was = (role.c.id == values.pop("id")) & (role.c.version == changed.version)
    return (await connection.execute(update(role).where(was).values(**values))).rowcount == 1


async def kept_by(connection: AsyncConnection, doctor_id: str) -> list[RoleRow]:
    """Those that she keeps, open or closed."""
    query = select(role).where(role.c.keeper == doctor_id).order_by(role.c.id)
    return [RoleRow(*row) for row in await connection.execute(query)]


# -- members -------------------------------------------------------------------------------------


async def members(connection: AsyncConnection, roles: Collection[str]) -> list[Member]:
    """Of all these roles, those asked included."""
    fit = (doctor.c.verified_at.is_not(None) & doctor.c.left.is_(None)).label("fit")
    columns = (role_member.c.role, role_member.c.doctor, role_member.c.since, doctor.c.name, fit)
    query = select(*columns).select_from(role_member.join(doctor))
    query = query.where(role_member.c.role.in_(roles)).order_by(doctor.c.name, doctor.c.id)
    found = await connection.execute(query)
    return [Member(row.role, row.doctor, row.since, row.name, bool(row.fit)) for row in found]


async def roles_of(
    connection: AsyncConnection, doctor_id: str, *, agreed: bool = False
) -> list[str]:
    """The roles that she is a member of, or asked to be; or only those that she `agreed` to be."""
    query = select(role_member.c.role).where(role_member.c.doctor == doctor_id)
    query = query.where(role_member.c.since.is_not(None)) if agreed else query
    return list((await connection.execute(query.order_by(role_member.c.role))).scalars())


async def put_member(
    connection: AsyncConnection, role_id: str, doctor_id: str, since: int | None
) -> None:
    """Ask her (None), or note since when she is one."""
    await drop_member(connection, role_id, doctor_id)
    row = {"role": role_id, "doctor": doctor_id, "since": since}
    await connection.execute(insert(role_member).values(**row))


async def drop_member(connection: AsyncConnection, role_id: str, doctor_id: str) -> bool:
    """False when she was none."""
    hers = (role_member.c.role == role_id) & (role_member.c.doctor == doctor_id)
    return (await connection.execute(delete(role_member).where(hers))).rowcount == 1


# -- where the rota does not hold ----------------------------------------------------------------


async def changes(
    connection: AsyncConnection, roles: Collection[str], since: int, *, states: Sequence[str] = ()
) -> list[Change]:
    """Those that end after `since`, the oldest first; `states`: those agreed, or as named."""
    wanted = shift_change.c.role.in_(roles) & (shift_change.c.ends > since)
    query = select(shift_change).where(wanted, shift_change.c.state.in_(states or (AGREED,)))
    query = query.order_by(shift_change.c.made, shift_change.c.id)
    return [Change(*row) for row in await connection.execute(query)]


async def find_change(connection: AsyncConnection, id: str) -> Change | None:
    query = select(shift_change).where(shift_change.c.id == id)
    row = (await connection.execute(query)).first()
    return None if row is None else Change(*row)


async def add_change(connection: AsyncConnection, new: Change) -> None:
    await connection.execute(insert(shift_change).values(**asdict(new)))


async def turn_change(connection: AsyncConnection, id: str, *, was: str, state: str) -> bool:
    """False when it does not stand as `was` any more."""
    meant = (shift_change.c.id == id) & (shift_change.c.state == was)
    return (
        await connection.execute(update(shift_change).where(meant).values(state=state))
    ).rowcount == 1


async def end_change(connection: AsyncConnection, id: str, at: int) -> None:
    """What has begun is over from `at` on."""
    await connection.execute(update(shift_change).where(shift_change.c.id == id).values(ends=at))


async def forget_changes(connection: AsyncConnection, role_id: str, doctor_id: str) -> None:
    """All of one role in which she is named."""
    hers = or_(shift_change.c.doctor == doctor_id, shift_change.c.instead_of == doctor_id)
    await connection.execute(delete(shift_change).where(shift_change.c.role == role_id, hers))


# -- what a calendar program reads with ----------------------------------------------------------


async def put_feed(connection: AsyncConnection, doctor_id: str, digest: bytes, now: int) -> None:
    """Her feed is read with this from now on, and with nothing before it."""
    await connection.execute(delete(feed).where(feed.c.doctor == doctor_id))
    await connection.execute(insert(feed).values(doctor=doctor_id, secret=digest, made=now))


async def whose_feed(connection: AsyncConnection, digest: bytes) -> tuple[str, str] | None:
    """The verified doctor whom it is for, and her language."""
    query = select(doctor.c.id, doctor.c.language).select_from(feed.join(doctor))
    query = query.where(feed.c.secret == digest, doctor.c.verified_at.is_not(None))
    row = (await connection.execute(query)).first()
    return None if row is None else (row.id, row.language)
