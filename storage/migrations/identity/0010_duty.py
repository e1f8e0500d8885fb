"""Which moderators are on duty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duty",
        sa.Column(
            "doctor", sa.Text, sa.ForeignKey("doctor.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
