"""The doctors as the identity store knows them: records in and out, never a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import code, doctor


@dataclass(frozen=True, slots=True)
class DoctorRecord:
    """What rooms may ask about a doctor, and how she stands. No name, no address.

    `accepted_texts`: which version of the screens before the first room she has accepted, 0 for none.
    """

    id: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: frozenset[str]
    verified: bool
    state: str
    reason: str | None
    accepted_texts: int
    screen_name: str | None = None
    created: int = 0


@dataclass(frozen=True, slots=True)
class NewDoctor:
    """A doctor to be added. `email` in lower case, `roles` between spaces, times in ms.

    `accepted`: when the screens before the first room were, or None; `accepted_texts`: which version.
    """

    id: str
    email: str
    name: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: str
    verified_at: int | None
    created: int
    accepted: int | None
    body: str | None = None
    licence: str | None = None
    licence_mark: bytes | None = None
    email_confirmed: int | None = None
    password: str | None = None
    accepted_texts: int | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many verified doctors share these attributes."""

    grade: str
    specialty: str
    region: str | None
    country: str
    roles: str
    count: int


_BADGE = (doctor.c.grade, doctor.c.specialty, doctor.c.region, doctor.c.country)
COLUMNS = (
    doctor.c.id,
    doctor.c.country,
    doctor.c.region,
    doctor.c.specialty,
    doctor.c.grade,
    doctor.c.language,
    doctor.c.roles,
    doctor.c.verified_at,
    doctor.c.state,
    doctor.c.reason,
    doctor.c.accepted_texts,
    doctor.c.screen_name,
    doctor.c.created,
)


def record(row: Row[*tuple[object, ...]]) -> DoctorRecord:
    """A row that begins with `COLUMNS`."""
    known = row[: len(COLUMNS)]
    id, country, region, specialty, grade, language, roles, verified_at, *standing = known
    state, reason, accepted_texts, screen_name, created = standing
    return DoctorRecord(
        id=str(id),
        country=str(country),
        region=None if region is None else str(region),
        specialty=str(specialty),
        grade=str(grade),
        language=str(language),
        roles=frozenset(str(roles).split()),
        verified=verified_at is not None,
        state=str(state),
        reason=None if reason is None else str(reason),
        accepted_texts=int(str(accepted_texts or 0)),
        screen_name=None if screen_name is None else str(screen_name),
        created=int(str(created)),
    )


async def add(connection: AsyncConnection, doctors: Sequence[NewDoctor]) -> None:
    if doctors:
        await connection.execute(insert(doctor), [_values(each) for each in doctors])


def _values(new: NewDoctor) -> dict[str, object]:
    return asdict(new) | {"state": "applied" if new.verified_at is None else "verified"}


async def by_id(connection: AsyncConnection, id: str) -> DoctorRecord | None:
    row = (await connection.execute(select(*COLUMNS).where(doctor.c.id == id))).first()
    return None if row is None else record(row)


async def by_email(
    connection: AsyncConnection, email: str
) -> tuple[DoctorRecord, str | None] | None:
    """The doctor and her password's hash."""
    query = select(*COLUMNS, doctor.c.password).where(doctor.c.email == email)
    row = (await connection.execute(query)).first()
    return None if row is None else (record(row), row.password)


async def password_of(connection: AsyncConnection, id: str) -> str | None:
    """Its hash, if she has set one."""
    query = select(doctor.c.password).where(doctor.c.id == id)
    return (await connection.execute(query)).scalar_one_or_none()


async def ids_by_email(connection: AsyncConnection, emails: Iterable[str]) -> dict[str, str]:
    """The ids of those emails that are known."""
    query = select(doctor.c.email, doctor.c.id).where(doctor.c.email.in_(list(emails)))
    return {row.email: row.id for row in await connection.execute(query)}


async def replace_password(
    connection: AsyncConnection, id: str, hashed: str, *, was: str | None
) -> bool:
    """Set a password's hash if it still is `was`; False when another came between."""
    change = update(doctor).where(doctor.c.id == id, doctor.c.password.is_not_distinct_from(was))
    return (await connection.execute(change.values(password=hashed))).rowcount == 1


async def set_password(connection: AsyncConnection, id: str, hashed: str) -> None:
    await connection.execute(update(doctor).where(doctor.c.id == id).values(password=hashed))


async def set_language(connection: AsyncConnection, id: str, language: str) -> None:
    await connection.execute(update(doctor).where(doctor.c.id == id).values(language=language))


async def crowds(connection: AsyncConnection) -> list[Crowd]:
    """The verified doctors, counted by what a badge may show and a room's rule may ask."""
    by = (*_BADGE, doctor.c.roles)
    query = select(*by, func.count()).where(doctor.c.verified_at.is_not(None)).group_by(*by)
    return [Crowd(*row) for row in await connection.execute(query)]


async def verified_ids(connection: AsyncConnection) -> list[str]:
    query = select(doctor.c.id).where(doctor.c.verified_at.is_not(None)).order_by(doctor.c.id)
    return list((await connection.execute(query)).scalars())


async def issue_code(
    connection: AsyncConnection, digest: bytes, doctor_id: str, expires: int
) -> None:
    """A one-time code to set a password; the doctor's earlier ones end."""
    await connection.execute(delete(code).where(code.c.doctor == doctor_id))
    await connection.execute(insert(code).values(secret=digest, doctor=doctor_id, expires=expires))


async def code_is_good(connection: AsyncConnection, digest: bytes, email: str, now: int) -> bool:
    query = select(code.c.doctor).select_from(code.join(doctor))
    query = query.where(doctor.c.email == email, _is_good(digest, now))
    return (await connection.execute(query)).first() is not None


async def spend_code(connection: AsyncConnection, digest: bytes, now: int) -> str | None:
    """Use a code up: the id of its doctor, or None when it was no longer good."""
    query = select(code.c.doctor).where(_is_good(digest, now)).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    await connection.execute(update(code).where(code.c.secret == digest).values(used=now))
    return str(row.doctor)


def _is_good(digest: bytes, now: int) -> ColumnElement[bool]:
    return (code.c.secret == digest) & code.c.used.is_(None) & (code.c.expires > now)
