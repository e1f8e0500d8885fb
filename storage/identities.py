"""The doctors as the identity store knows them: records in and out, never a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import code, doctor


@dataclass(frozen=True, slots=True)
class DoctorRecord:
    """What rooms may ask about a doctor. No name, no address."""

    id: str
    country: str
    region: str | None
    specialty: str
    grade: str
    language: str
    roles: frozenset[str]
    verified: bool


@dataclass(frozen=True, slots=True)
class NewDoctor:
    """A doctor to be added. `email` in lower case, `roles` between spaces, times in ms."""

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


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many verified doctors share these attributes."""

    grade: str
    specialty: str
    region: str | None
    country: str
    count: int


COLUMNS = (
    doctor.c.id,
    doctor.c.country,
    doctor.c.region,
    doctor.c.specialty,
    doctor.c.grade,
    doctor.c.language,
    doctor.c.roles,
    doctor.c.verified_at,
)


def record(row: Row[*tuple[object, ...]]) -> DoctorRecord:
    """A row that begins with `COLUMNS`."""
    id, country, region, specialty, grade, language, roles, verified_at = row[: len(COLUMNS)]
    return DoctorRecord(
        id=str(id),
        country=str(country),
        region=None if region is None else str(region),
        specialty=str(specialty),
        grade=str(grade),
        language=str(language),
        roles=frozenset(str(roles).split()),
        verified=verified_at is not None,
    )


async def add(connection: AsyncConnection, doctors: Sequence[NewDoctor]) -> None:
    if doctors:
        await connection.execute(insert(doctor), [asdict(each) for each in doctors])


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


async def set_verified(connection: AsyncConnection, id: str, at: int | None) -> None:
    await connection.execute(update(doctor).where(doctor.c.id == id).values(verified_at=at))


async def crowds(connection: AsyncConnection) -> list[Crowd]:
    """The verified doctors, counted by what a badge may show."""
    by = (doctor.c.grade, doctor.c.specialty, doctor.c.region, doctor.c.country)
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
