"""What proves a doctor besides her password, what a session is bound to, and how she leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (
        ("doctor", sa.Column("held", sa.BigInteger)),
        ("doctor", sa.Column("left", sa.BigInteger)),
        ("session", sa.Column("kind", sa.Text, nullable=False, server_default="plain")),
        ("session", sa.Column("device", sa.LargeBinary)),
        ("session", sa.Column("fresh", sa.BigInteger)),
    ):
        op.add_column(table, column)
    op.create_table(
        "passkey",
        sa.Column("id", sa.Text, primary_key=True),
        _of_doctor(),
        sa.Column("credential", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger),
        sa.Column("stopped", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("passkey_by_doctor", "passkey", ["doctor"])
    op.create_table(
        "challenge",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("doctor", sa.Text, sa.ForeignKey("doctor.id", ondelete="CASCADE")),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("challenge_by_expiry", "challenge", ["expires"])
    op.create_table(
        "totp",
        _of_doctor(primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("confirmed", sa.BigInteger),
        sa.Column("step", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        _of_doctor(),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("recovery_code_by_doctor", "recovery_code", ["doctor"])
    op.create_table(
        "half_session",
        sa.Column("secret", sa.LargeBinary, primary_key=True),
        _of_doctor(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("half_session_by_expiry", "half_session", ["expires"])


def _of_doctor(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("doctor.id", ondelete="CASCADE")
    return sa.Column("doctor", sa.Text, owner, primary_key=primary_key, nullable=False)
