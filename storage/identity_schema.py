"""The identity store: who the doctors are and how they prove it. Never a room or an entry.

What a doctor keeps for herself lies here sealed. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

IDENTITY = MetaData()


def _of_doctor(*, primary_key: bool = False) -> Column[str]:
    owner = ForeignKey("doctor.id", ondelete="CASCADE")
    return Column("doctor", Text, owner, primary_key=primary_key, nullable=False)


doctor = Table(
    "doctor",
    IDENTITY,
    Column("id", Text, primary_key=True),  # random
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("region", Text),
    Column("specialty", Text, nullable=False),
    Column("grade", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("roles", Text, nullable=False),  # words between spaces
    Column("password", Text),  # argon2id; empty until the one-time code is used
    Column("verified_at", BigInteger),
    Column("created", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

session = Table(
    "session",
    IDENTITY,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # SHA-256 of what the cookie holds
    _of_doctor(),
    Column("label", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),  # to the minute
    Column("expires", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Index("session_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

token = Table(
    "token",
    IDENTITY,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # SHA-256 of the bearer token
    _of_doctor(),
    Column("label", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger),  # to the minute
    Column("ended", BigInteger),
    Index("token_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

code = Table(  # one-time codes to set a password
    "code",
    IDENTITY,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256
    _of_doctor(),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger),
    Index("code_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

attempt = Table(  # sign-ins tried in a window of time, by a keyed hash of account or address
    "attempt",
    IDENTITY,
    Column("key", LargeBinary, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Index("attempt_by_window", "window"),
    sqlite_with_rowid=False,
)

belongings = Table(  # own and pinned rooms, read marks, faces: sealed
    "belongings",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),  # to the day
    sqlite_with_rowid=False,
)

me = Table(  # each doctor's private log, as a room: seq 1, 2, 3...
    "me",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("oldest", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

me_entry = Table(
    "me_entry",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("letter", LargeBinary, nullable=False, unique=True),  # so that none is carried twice
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

revocation = Table(  # one row, raised by whatever ends a session or token or changes a doctor
    "revocation",
    IDENTITY,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

fact = Table(  # about the store itself: which key it is for, that it is a demonstration
    "fact",
    IDENTITY,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
