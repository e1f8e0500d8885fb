"""Sessions of browsers and bearer tokens of programs. Secrets come in as SHA-256 only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    case,
    delete,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identities import COLUMNS, DoctorRecord, record
from storage.identity_schema import doctor, session, token

_BATCH = 5_000  # ids in one statement; both databases allow about 32,000 values
_KEPT_AFTER_END_MS = 7 * 24 * 3_600_000

Idle = Mapping[str, int]
"""By kind of session: how many ms without use until it is no longer open."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session or token that is open: whose, its row's id, and when it was last used (ms)."""

    doctor: DoctorRecord
    id: str
    used: int | None
    kind: str = "token"
    device: bytes | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session in its owner's list; times in ms. `kind`: plain, shared or own."""

    id: str
    label: str
    created: int
    seen: int
    kind: str


@dataclass(frozen=True, slots=True)
class LockedSession:
    """A session that was not used for too long, and whose it is; it may be unlocked."""

    id: str
    doctor: str
    device: bytes | None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A bearer token in its owner's list; times in ms."""

    id: str
    label: str
    created: int
    used: int | None


async def add_session(
    connection: AsyncConnection,
    *,
    id: str,
    digest: bytes,
    doctor_id: str,
    label: str,
    now: int,
    expires: int,
    kind: str = "plain",
    device: bytes | None = None,
) -> None:
    """A new session, just proved. Sessions of this doctor that ended long ago are dropped by the way.

    `device`: SHA-256 of the cookie without which this session's own is nothing.
    """
    await connection.execute(
        delete(session).where(
            session.c.doctor == doctor_id, session.c.expires < now - _KEPT_AFTER_END_MS
        )
    )
    await connection.execute(
        insert(session).values(
            id=id,
            secret=digest,
            doctor=doctor_id,
            label=label,
            created=now,
            seen=now,
            expires=expires,
            kind=kind,
            device=device,
            fresh=now,
        )
    )


async def open_sessions(
    connection: AsyncConnection, digests: Collection[bytes], now: int, idle: Idle
) -> dict[bytes, Opened]:
    """Those that are open, by the digest of their secret."""
    of_session = (session.c.kind, session.c.device, session.c.id, session.c.seen, session.c.secret)
    query = select(*COLUMNS, *of_session).select_from(session.join(doctor))
    query = query.where(session.c.secret.in_(digests), _is_open(now, idle))
    return {
        row[-1]: Opened(record(row), row[-3], row[-2], row[-5], row[-4])
        for row in await connection.execute(query)
    }


async def locked_session(
    connection: AsyncConnection, digest: bytes, now: int, idle: Idle
) -> LockedSession | None:
    """The session of this secret while it is neither open nor over."""
    query = select(session.c.id, session.c.doctor, session.c.device)
    stands = session.c.ended.is_(None) & (session.c.expires > now) & (session.c.kind != "plain")
    query = query.where(session.c.secret == digest, stands, ~_is_used(now, idle))
    row = (await connection.execute(query)).first()
    return None if row is None else LockedSession(*row)


async def prove(connection: AsyncConnection, id: str, now: int) -> None:
    """She has just shown again who she is: the session is in use, and fresh."""
    await connection.execute(update(session).where(session.c.id == id).values(seen=now, fresh=now))


async def proved_at(connection: AsyncConnection, id: str) -> int | None:
    """When she last showed who she is, in this session."""
    query = select(session.c.fresh).where(session.c.id == id)
    return (await connection.execute(query)).scalar_one_or_none()


async def open_tokens(
    connection: AsyncConnection, digests: Collection[bytes]
) -> dict[bytes, Opened]:
    """Those that are open, by the digest of their secret."""
    query = select(*COLUMNS, token.c.id, token.c.used, token.c.secret)
    query = query.select_from(token.join(doctor))
    query = query.where(token.c.secret.in_(digests), token.c.ended.is_(None))
    return {row[-1]: _opened(row) for row in await connection.execute(query)}


async def still_open(
    connection: AsyncConnection,
    sessions: Collection[str],
    tokens: Collection[str],
    now: int,
    idle: Idle,
) -> dict[str, DoctorRecord]:
    """Which of these rows' ids are open, with their doctors as they are now."""
    found: dict[str, DoctorRecord] = {}
    for ids in _batches(sessions):
        query = select(*COLUMNS, session.c.id).select_from(session.join(doctor))
        query = query.where(session.c.id.in_(ids), _is_open(now, idle))
        found |= {row[-1]: record(row) for row in await connection.execute(query)}
    for ids in _batches(tokens):
        query = select(*COLUMNS, token.c.id).select_from(token.join(doctor))
        query = query.where(token.c.id.in_(ids), token.c.ended.is_(None))
        found |= {row[-1]: record(row) for row in await connection.execute(query)}
    return found


async def touch(
    connection: AsyncConnection, sessions: Collection[str], tokens: Collection[str], now: int
) -> None:
    """Note that these are in use now."""
    for ids in _batches(sessions):
        await connection.execute(update(session).where(session.c.id.in_(ids)).values(seen=now))
    for ids in _batches(tokens):
        await connection.execute(update(token).where(token.c.id.in_(ids)).values(used=now))


async def sessions_of(
    connection: AsyncConnection, doctor_id: str, now: int, idle: Idle
) -> list[SessionRecord]:
    """The sessions of a doctor that are open or may be unlocked, the last used first."""
    lockable = session.c.ended.is_(None) & (session.c.expires > now) & (session.c.kind != "plain")
    stands = _is_open(now, idle) | lockable
    query = (
        select(session.c.id, session.c.label, session.c.created, session.c.seen, session.c.kind)
        .where(session.c.doctor == doctor_id, stands)
        .order_by(session.c.seen.desc(), session.c.id)
    )
    return [SessionRecord(*row) for row in await connection.execute(query)]


async def end_session(connection: AsyncConnection, doctor_id: str, id: str, now: int) -> bool:
    """End it now, or leave it ended. False when the doctor has no such session."""
    mine = (session.c.doctor == doctor_id) & (session.c.id == id)
    await connection.execute(
        update(session).where(mine, session.c.ended.is_(None)).values(ended=now)
    )
    return (await connection.execute(select(session.c.id).where(mine))).first() is not None


async def end_session_by_secret(connection: AsyncConnection, digest: bytes, now: int) -> bool:
    """End what an older cookie opened. True when something ended."""
    standing = update(session).where(session.c.secret == digest, session.c.ended.is_(None))
    return (await connection.execute(standing.values(ended=now))).rowcount > 0


async def is_elsewhere(
    connection: AsyncConnection, doctor_id: str, held: bytes | None, *, shared_since: int | None
) -> bool:
    """Whether this browser, which `held` that secret's SHA-256, is none in which she has been before.

    Not when she has been nowhere yet; with `shared_since` (ms), nor when she began on a shared computer then.
    """
    mine = select(session.c.secret, session.c.kind, session.c.created)
    known = (await connection.execute(mine.where(session.c.doctor == doctor_id))).all()
    if shared_since is not None and any(
        each.kind == "shared" and each.created >= shared_since for each in known
    ):
        return False
    return bool(known) and held not in {bytes(each.secret) for each in known}


async def end_all(connection: AsyncConnection, doctor_id: str, now: int) -> None:
    """Every session and every token of hers."""
    for table in (session, token):
        mine = update(table).where(table.c.doctor == doctor_id, table.c.ended.is_(None))
        await connection.execute(mine.values(ended=now))


async def add_tokens(
    connection: AsyncConnection, rows: Sequence[tuple[str, bytes, str, str]], now: int
) -> None:
    """New bearer tokens: (id, SHA-256 of the secret, doctor, label) each."""
    if rows:
        await connection.execute(
            insert(token),
            [
                {"id": id, "secret": digest, "doctor": owner, "label": label, "created": now}
                for id, digest, owner, label in rows
            ],
        )


async def tokens_of(connection: AsyncConnection, doctor_id: str) -> list[TokenRecord]:
    """The open tokens of a doctor, the newest first."""
    query = (
        select(token.c.id, token.c.label, token.c.created, token.c.used)
        .where(token.c.doctor == doctor_id, token.c.ended.is_(None))
        .order_by(token.c.created.desc(), token.c.id)
    )
    return [TokenRecord(*row) for row in await connection.execute(query)]


async def end_token(connection: AsyncConnection, doctor_id: str, id: str, now: int) -> bool:
    """End it now, or leave it ended. False when the doctor has no such token."""
    mine = (token.c.doctor == doctor_id) & (token.c.id == id)
    await connection.execute(update(token).where(mine, token.c.ended.is_(None)).values(ended=now))
    return (await connection.execute(select(token.c.id).where(mine))).first() is not None


def _opened(row: Row[*tuple[Any, ...]]) -> Opened:
    """A row that begins with `COLUMNS` and ends with id, last use and secret."""
    return Opened(record(row), row[-3], row[-2])


def _is_open(now: int, idle: Idle) -> ColumnElement[bool]:
    return session.c.ended.is_(None) & (session.c.expires > now) & _is_used(now, idle)


def _is_used(now: int, idle: Idle) -> ColumnElement[bool]:
    return session.c.seen > literal(now, BigInteger) - case(dict(idle), value=session.c.kind)


def _batches(ids: Collection[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, _BATCH)):
        yield batch
