"""The doctors, their sessions and tokens, and what each keeps for herself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "doctor",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("region", sa.Text),
        sa.Column("specialty", sa.Text, nullable=False),
        sa.Column("grade", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False, unique=True),
        _of_doctor(),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("session_by_doctor", "session", ["doctor"])
    op.create_table(
        "token",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False, unique=True),
        _of_doctor(),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("token_by_doctor", "token", ["doctor"])
    op.create_table(
        "code",
        sa.Column("secret", sa.LargeBinary, primary_key=True),
        _of_doctor(),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("code_by_doctor", "code", ["doctor"])
    op.create_table(
        "attempt",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("window", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("attempt_by_window", "attempt", ["window"])
    op.create_table(
        "belongings",
        _of_doctor(primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "me",
        _of_doctor(primary_key=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("oldest", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "me_entry",
        _of_doctor(primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("letter", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fact",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _of_doctor(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("doctor.id", ondelete="CASCADE")
    return sa.Column("doctor", sa.Text, owner, primary_key=primary_key, nullable=False)
