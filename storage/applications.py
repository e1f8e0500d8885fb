"""How doctors stand, and what they claim: records in and out, never a decision."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import application, doctor, mark

VERIFIED = "verified"
WAITING = ("applied", "checking", "refused", "expired")


@dataclass(frozen=True, slots=True)
class Applicant:
    """A doctor as those who decide see her. Times in ms."""

    id: str
    email: str
    name: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: frozenset[str]
    created: int
    state: str
    reason: str | None
    valid_until: int | None
    body: str | None
    licence: str | None
    licence_mark: bytes | None
    email_confirmed: int | None
    accepted_texts: int | None


_COLUMNS = tuple(doctor.c[name] for name in Applicant.__dataclass_fields__)


async def by_id(connection: AsyncConnection, id: str, *, hold: bool = False) -> Applicant | None:
    """`hold`: nobody else changes her until the commit."""
    query = select(*_COLUMNS).where(doctor.c.id == id)
    row = (await connection.execute(query.with_for_update() if hold else query)).first()
    return None if row is None else _applicant(row._mapping)


async def waiting(connection: AsyncConnection, limit: int) -> list[Applicant]:
    """Those whom a registrar may help, who have waited longest first."""
    query = select(*_COLUMNS).where(doctor.c.state == "checking")
    query = query.order_by(doctor.c.created, doctor.c.id).limit(limit)
    return [_applicant(row._mapping) for row in await connection.execute(query)]


async def any_due(connection: AsyncConnection, now: int) -> bool:
    query = select(doctor.c.id).where(doctor.c.valid_until <= now).limit(1)
    return (await connection.execute(query)).first() is not None


async def take_due(connection: AsyncConnection, now: int, again: int, limit: int) -> list[str]:
    """The ids of those who are to be examined, put off until `again`: no other process takes them."""
    due = select(doctor.c.id).where(doctor.c.valid_until <= now)
    ids = (await connection.execute(due.order_by(doctor.c.valid_until).limit(limit))).scalars()
    change = update(doctor).where(doctor.c.id.in_(ids.all()), doctor.c.valid_until <= now)
    taken = change.values(valid_until=again).returning(doctor.c.id)
    return sorted((await connection.execute(taken)).scalars())


async def ask_anew(connection: AsyncConnection, id: str, now: int) -> None:
    """Something is known that was not: examine her at the next look."""
    await connection.execute(update(doctor).where(doctor.c.id == id).values(valid_until=now))


async def ask_anew_of_email(connection: AsyncConnection, email: str, now: int) -> None:
    """The same for whoever has this e-mail, if anybody has."""
    await connection.execute(update(doctor).where(doctor.c.email == email).values(valid_until=now))


async def ask_anew_of_body(connection: AsyncConnection, body: str, now: int) -> None:
    """A body has news of its licences: examine everybody whom it licenses at the next look."""
    await connection.execute(update(doctor).where(doctor.c.body == body).values(valid_until=now))


async def set_state(
    connection: AsyncConnection,
    id: str,
    state: str,
    reason: str | None,
    *,
    now: int,
    valid_until: int | None = None,
) -> None:
    """The only place that writes `state`, and `verified_at` with it."""
    verified_at = func.coalesce(doctor.c.verified_at, now) if state == VERIFIED else None
    values = {"state": state, "reason": reason, "valid_until": valid_until}
    change = update(doctor).where(doctor.c.id == id)
    await connection.execute(change.values(verified_at=verified_at, **values))


async def amend(connection: AsyncConnection, id: str, **values: object) -> None:
    """Change what she claims, by the names of the columns."""
    await connection.execute(update(doctor).where(doctor.c.id == id).values(**values))


async def set_roles(connection: AsyncConnection, id: str, roles: frozenset[str]) -> None:
    await amend(connection, id, roles=" ".join(sorted(roles)))


# -- licences ------------------------------------------------------------------------------------


async def hold_mark(connection: AsyncConnection, id: str, licence_mark: bytes) -> None:
    """This licence is this doctor's; her earlier one is free again."""
    await amend(connection, id, licence_mark=licence_mark)


async def holder(connection: AsyncConnection, licence_mark: bytes) -> str | None:
    """Whose licence it is."""
    query = select(doctor.c.id).where(doctor.c.licence_mark == licence_mark)
    return (await connection.execute(query)).scalar_one_or_none()


async def ban(connection: AsyncConnection, licence_mark: bytes, reason: str, at: int) -> None:
    """No account is opened with this licence any more. May be repeated."""
    await lift_ban(connection, licence_mark)
    await connection.execute(insert(mark).values(mark=licence_mark, reason=reason, at=at))


async def lift_ban(connection: AsyncConnection, licence_mark: bytes) -> None:
    await connection.execute(delete(mark).where(mark.c.mark == licence_mark))


async def is_banned(connection: AsyncConnection, licence_mark: bytes) -> bool:
    query = select(mark.c.mark).where(mark.c.mark == licence_mark)
    return (await connection.execute(query)).first() is not None


# -- applications that no e-mail has confirmed ---------------------------------------------------


async def keep_application(
    connection: AsyncConnection, secret: bytes, code: bytes, sealed: bytes, now: int, expires: int
) -> None:
    """Those that nobody has confirmed in time go by the way."""
    await connection.execute(delete(application).where(application.c.expires <= now))
    await connection.execute(
        insert(application).values(secret=secret, code=code, sealed=sealed, expires=expires)
    )


async def application_of(
    connection: AsyncConnection, secret: bytes, now: int
) -> tuple[bytes, bytes] | None:
    """The code's hash and what is sealed, while it is good."""
    query = select(application.c.code, application.c.sealed)
    query = query.where(application.c.secret == secret, application.c.expires > now)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.code, row.sealed)


async def drop_application(connection: AsyncConnection, secret: bytes) -> bool:
    """It is used up. False when it was already."""
    gone = await connection.execute(delete(application).where(application.c.secret == secret))
    return gone.rowcount == 1


def _applicant(row: object) -> Applicant:
    values = dict(row)  # type: ignore[call-overload]
    return Applicant(**{**values, "roles": frozenset(str(values["roles"]).split())})
