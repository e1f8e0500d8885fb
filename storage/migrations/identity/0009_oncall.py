"""On call: roles and their rotas, who is available, how each is reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rotas()
    _reach()


def _rotas() -> None:
    op.create_table(
        "role",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("specialty", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("keeper", sa.Text, sa.ForeignKey("doctor.id", ondelete="SET NULL")),
        sa.Column("rule", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "role_member",
        sa.Column("role", sa.Text, sa.ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
        _of_doctor(primary_key=True),
        sa.Column("since", sa.BigInteger),
        sa.Column("told", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shift_change",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, sa.ForeignKey("role.id", ondelete="CASCADE"), nullable=False),
        sa.Column("layer", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("doctor", sa.Text, sa.ForeignKey("doctor.id", ondelete="CASCADE")),
        sa.Column("instead_of", sa.Text, sa.ForeignKey("doctor.id", ondelete="CASCADE")),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, sa.ForeignKey("doctor.id", ondelete="SET NULL")),
        sqlite_with_rowid=False,
    )
    op.create_index("shift_change_by_role", "shift_change", ["role", "ends"])
    op.create_index("shift_change_by_doctor", "shift_change", ["doctor"])
    op.create_index("shift_change_by_instead_of", "shift_change", ["instead_of"])
    op.create_table(
        "feed",
        _of_doctor(primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("made", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "available",
        _of_doctor(primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _reach() -> None:
    op.create_table(
        "reach",
        sa.Column("id", sa.Text, primary_key=True),
        _of_doctor(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("mark", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("trial", sa.LargeBinary),
        sa.Column("tried", sa.BigInteger),
        sa.Column("confirmed", sa.BigInteger),
        sa.Column("failed", sa.BigInteger),
        sa.Column("used", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("reach_by_doctor", "reach", ["doctor", "mark"], unique=True)
    op.create_table(
        "alert",
        sa.Column("id", sa.Text, primary_key=True),
        _of_doctor(),
        sa.Column("reach", sa.Text, sa.ForeignKey("reach.id", ondelete="CASCADE"), nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("leased", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sent", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_by_time", "alert", ["sent", "at"])
    op.create_index("alert_by_subject", "alert", ["doctor", "subject"])
    op.create_index("alert_by_reach", "alert", ["reach"])
    op.create_table(
        "interruption",
        _of_doctor(primary_key=True),
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _of_doctor(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("doctor.id", ondelete="CASCADE")
    return sa.Column("doctor", sa.Text, owner, primary_key=primary_key, nullable=False)
