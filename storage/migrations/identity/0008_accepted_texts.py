"""Which version of the screens before the first room a doctor has accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("doctor", sa.Column("accepted_texts", sa.Integer))
    op.execute("UPDATE doctor SET accepted_texts = 1 WHERE accepted IS NOT NULL")
