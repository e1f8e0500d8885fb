"""How a doctor stands and why: applications, findings, documents, vouchers, invitations, letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("state", sa.Text, nullable=False, server_default="applied"),
        sa.Column("reason", sa.Text),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("body", sa.Text),
        sa.Column("licence", sa.Text),
        sa.Column("licence_mark", sa.LargeBinary),
        sa.Column("email_confirmed", sa.BigInteger),
        sa.Column("accepted", sa.BigInteger),
    ):
        op.add_column("doctor", column)
    op.create_index("doctor_by_licence_mark", "doctor", ["licence_mark"], unique=True)
    op.create_index("doctor_by_valid_until", "doctor", ["valid_until"])
    op.execute(
        "UPDATE doctor SET state = 'verified', accepted = verified_at WHERE verified_at IS NOT NULL"
    )
    op.create_table(
        "mark",
        sa.Column("mark", sa.LargeBinary, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "application",
        sa.Column("secret", sa.LargeBinary, primary_key=True),
        sa.Column("code", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "finding",
        _of_doctor(),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("covers", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("strong", sa.Boolean, nullable=False),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "document",
        _of_doctor(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("media", sa.Text, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "voucher",
        sa.Column("whom", sa.LargeBinary, primary_key=True),
        sa.Column("by", sa.Text, sa.ForeignKey("doctor.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invitation",
        sa.Column("email", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _of_doctor() -> sa.Column[str]:
    owner = sa.ForeignKey("doctor.id", ondelete="CASCADE")
    return sa.Column("doctor", sa.Text, owner, primary_key=True, nullable=False)
