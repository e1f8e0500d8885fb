"""Screen names: one a doctor, and none that looks like another that was ever taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("doctor", sa.Column("screen_name", sa.Text))
    op.create_table(
        "screen_name",
        sa.Column("skeleton", sa.Text, primary_key=True),
        sa.Column("doctor", sa.Text, sa.ForeignKey("doctor.id", ondelete="SET NULL")),
        sqlite_with_rowid=False,
    )
    op.create_index("screen_name_by_doctor", "screen_name", ["doctor"])
