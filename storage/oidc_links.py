"""Whom another house signs in here: records in and out, never a decision."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import oidc_link


@dataclass(frozen=True, slots=True)
class Link:
    """A doctor there and here. `subject` is a keyed hash, `sealed` what was said of her; ms."""

    provider: str
    subject: bytes
    doctor: str
    sealed: bytes
    confirmed: int


async def by_subject(connection: AsyncConnection, provider: str, subject: bytes) -> Link | None:
    here = (oidc_link.c.provider == provider) & (oidc_link.c.subject == subject)
    found = (await connection.execute(select(*_COLUMNS).where(here))).first()
    return None if found is None else Link(*found)


async def by_doctor(connection: AsyncConnection, provider: str, doctor_id: str) -> Link | None:
    here = (oidc_link.c.provider == provider) & (oidc_link.c.doctor == doctor_id)
    found = (await connection.execute(select(*_COLUMNS).where(here))).first()
    return None if found is None else Link(*found)


async def subjects(connection: AsyncConnection, doctor_id: str) -> list[bytes]:
    """Her keyed hashes at every provider that knows her, by the providers' names."""
    hers = select(oidc_link.c.subject).where(oidc_link.c.doctor == doctor_id)
    rows = await connection.execute(hers.order_by(oidc_link.c.provider))
    return [bytes(subject) for subject in rows.scalars()]


async def keep(connection: AsyncConnection, link: Link) -> None:
    """Make it, or replace what was said: one link a doctor and provider."""
    mine = (oidc_link.c.provider == link.provider) & (oidc_link.c.doctor == link.doctor)
    await connection.execute(delete(oidc_link).where(mine))
    await connection.execute(
        insert(oidc_link).values(
            provider=link.provider,
            subject=link.subject,
            doctor=link.doctor,
            sealed=link.sealed,
            confirmed=link.confirmed,
        )
    )


async def confirm(connection: AsyncConnection, was: Link, sealed: bytes, now: int) -> bool:
    """What was said anew, unless something newer was kept meanwhile: then False."""
    same = (oidc_link.c.provider == was.provider) & (oidc_link.c.doctor == was.doctor)
    same &= (oidc_link.c.subject == was.subject) & (oidc_link.c.sealed == was.sealed)
    change = update(oidc_link).where(same).values(sealed=sealed, confirmed=now)
    return (await connection.execute(change)).rowcount == 1


async def drop(connection: AsyncConnection, provider: str, doctor_id: str) -> None:
    mine = (oidc_link.c.provider == provider) & (oidc_link.c.doctor == doctor_id)
    await connection.execute(delete(oidc_link).where(mine))


_COLUMNS = (
    oidc_link.c.provider,
    oidc_link.c.subject,
    oidc_link.c.doctor,
    oidc_link.c.sealed,
    oidc_link.c.confirmed,
)
