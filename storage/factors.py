"""What proves a doctor besides her password: passkeys, one-time codes by an app, recovery codes.

Secrets come in as SHA-256 or sealed. Times are ms since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity_schema import challenge, half_session, passkey, recovery_code, totp

MOST_CHALLENGES = 5  # that one doctor may leave unanswered


@dataclass(frozen=True, slots=True)
class Passkey:
    """One that a doctor has added. `stopped`: its count went back, so there may be a copy of it."""

    id: str
    doctor: str
    credential: bytes
    public: bytes
    count: int
    label: str
    created: int
    used: int | None
    stopped: int | None


@dataclass(frozen=True, slots=True)
class Totp:
    """The sealed secret; it counts once it is `confirmed`. No step up to `step` is good again."""

    sealed: bytes
    confirmed: int | None
    step: int


_PASSKEY = tuple(passkey.c[name] for name in Passkey.__dataclass_fields__)


# -- passkeys ------------------------------------------------------------------------------------


async def add_passkey(
    connection: AsyncConnection,
    *,
    id: str,
    doctor_id: str,
    credential: bytes,
    public: bytes,
    count: int,
    label: str,
    now: int,
) -> None:
    values = {"credential": credential, "public": public, "count": count, "label": label}
    await connection.execute(insert(passkey).values(id=id, doctor=doctor_id, created=now, **values))


async def passkeys_of(connection: AsyncConnection, doctor_id: str) -> list[Passkey]:
    """The oldest first."""
    query = select(*_PASSKEY).where(passkey.c.doctor == doctor_id)
    rows = await connection.execute(query.order_by(passkey.c.created, passkey.c.id))
    return [Passkey(*row) for row in rows]


async def passkey_by(connection: AsyncConnection, credential: bytes) -> Passkey | None:
    """By the authenticator's own name for it; nobody else's to use until the commit."""
    query = select(*_PASSKEY).where(passkey.c.credential == credential).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else Passkey(*row)


async def use_passkey(connection: AsyncConnection, id: str, count: int, now: int) -> None:
    change = update(passkey).where(passkey.c.id == id)
    await connection.execute(change.values(count=count, used=now))


async def stop_passkey(connection: AsyncConnection, id: str, now: int) -> None:
    await connection.execute(update(passkey).where(passkey.c.id == id).values(stopped=now))


async def drop_passkey(connection: AsyncConnection, doctor_id: str, id: str) -> bool:
    """False when the doctor has no such passkey."""
    mine = (passkey.c.doctor == doctor_id) & (passkey.c.id == id)
    return (await connection.execute(delete(passkey).where(mine))).rowcount == 1


# -- challenges ----------------------------------------------------------------------------------


async def pose(
    connection: AsyncConnection,
    digest: bytes,
    purpose: str,
    doctor_id: str | None,
    now: int,
    expires: int,
) -> None:
    """Keep a challenge. Those that nobody answered in time are dropped by the way, and her oldest."""
    await connection.execute(delete(challenge).where(challenge.c.expires <= now))
    if doctor_id is not None:
        hers = challenge.c.doctor == doctor_id
        newest = select(challenge.c.digest).where(hers).order_by(challenge.c.expires.desc())
        kept = newest.limit(MOST_CHALLENGES - 1).scalar_subquery()
        await connection.execute(delete(challenge).where(hers, challenge.c.digest.not_in(kept)))
    await connection.execute(
        insert(challenge).values(digest=digest, purpose=purpose, doctor=doctor_id, expires=expires)
    )


async def take(
    connection: AsyncConnection, digest: bytes, purpose: str, doctor_id: str | None, now: int
) -> bool:
    """Use a challenge up: True once, for the purpose and the doctor that it was posed for."""
    meant = (challenge.c.digest == digest) & (challenge.c.purpose == purpose)
    whose = challenge.c.doctor.is_not_distinct_from(doctor_id)
    taken = delete(challenge).where(meant, whose, challenge.c.expires > now)
    return (await connection.execute(taken)).rowcount == 1


# -- codes by an app -----------------------------------------------------------------------------


async def totp_of(connection: AsyncConnection, doctor_id: str) -> Totp | None:
    """None when she has never begun with one."""
    query = select(totp.c.sealed, totp.c.confirmed, totp.c.step).where(totp.c.doctor == doctor_id)
    row = (await connection.execute(query)).first()
    return None if row is None else Totp(*row)


async def put_totp(connection: AsyncConnection, doctor_id: str, sealed: bytes) -> None:
    """A new secret, not confirmed yet, in place of any other."""
    await drop_totp(connection, doctor_id)
    await connection.execute(insert(totp).values(doctor=doctor_id, sealed=sealed, step=0))


async def spend_step(connection: AsyncConnection, doctor_id: str, step: int) -> bool:
    """True when this step is later than every one used before: each is good once."""
    later = (totp.c.doctor == doctor_id) & (totp.c.step < step)
    return (await connection.execute(update(totp).where(later).values(step=step))).rowcount == 1


async def confirm_totp(connection: AsyncConnection, doctor_id: str, now: int) -> None:
    mine = update(totp).where(totp.c.doctor == doctor_id)
    await connection.execute(mine.values(confirmed=now))


async def drop_totp(connection: AsyncConnection, doctor_id: str) -> bool:
    """False when there was none."""
    mine = delete(totp).where(totp.c.doctor == doctor_id)
    return (await connection.execute(mine)).rowcount == 1


# -- recovery codes ------------------------------------------------------------------------------


async def put_recovery_codes(
    connection: AsyncConnection, doctor_id: str, digests: Sequence[bytes], now: int
) -> None:
    """New codes in place of all others."""
    await connection.execute(delete(recovery_code).where(recovery_code.c.doctor == doctor_id))
    rows = [{"digest": digest, "doctor": doctor_id, "created": now} for digest in digests]
    if rows:
        await connection.execute(insert(recovery_code), rows)


async def recovery_codes_left(connection: AsyncConnection, doctor_id: str) -> int:
    mine = (recovery_code.c.doctor == doctor_id) & recovery_code.c.used.is_(None)
    query = select(func.count()).select_from(recovery_code).where(mine)
    return int((await connection.execute(query)).scalar_one())


async def spend_recovery_code(
    connection: AsyncConnection, doctor_id: str, digest: bytes, now: int
) -> bool:
    """True once for each code."""
    this = (recovery_code.c.digest == digest) & (recovery_code.c.doctor == doctor_id)
    change = update(recovery_code).where(this, recovery_code.c.used.is_(None)).values(used=now)
    return (await connection.execute(change)).rowcount == 1


# -- between the two steps of signing in ---------------------------------------------------------


async def add_half(
    connection: AsyncConnection, secret: bytes, doctor_id: str, kind: str, now: int, expires: int
) -> None:
    await connection.execute(delete(half_session).where(half_session.c.expires <= now))
    await connection.execute(
        insert(half_session).values(secret=secret, doctor=doctor_id, kind=kind, expires=expires)
    )


async def half_of(connection: AsyncConnection, secret: bytes, now: int) -> tuple[str, str] | None:
    """The doctor whose password was right, and the kind of session that she asked for."""
    query = select(half_session.c.doctor, half_session.c.kind)
    query = query.where(half_session.c.secret == secret, half_session.c.expires > now)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.doctor, row.kind)


async def end_half(connection: AsyncConnection, secret: bytes) -> bool:
    """True once."""
    gone = await connection.execute(delete(half_session).where(half_session.c.secret == secret))
    return gone.rowcount == 1


async def end_halves(connection: AsyncConnection, doctor_id: str) -> None:
    await connection.execute(delete(half_session).where(half_session.c.doctor == doctor_id))
