"""Pages, and whom they were put to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("room_id", sa.Integer, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("asker", sa.LargeBinary, nullable=False),
        sa.Column("acceptor", sa.LargeBinary),
        sa.Column("layer", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("formal", sa.Boolean, nullable=False),
        sa.Column("overridden", sa.Boolean, nullable=False),
        sa.Column("number", sa.Text),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("next", sa.BigInteger),
        sa.Column("declined", sa.Integer, nullable=False),
        sa.Column("acknowledged", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger),
        sa.Column("delivered", sa.BigInteger),
        sa.Column("seen", sa.BigInteger),
        sa.Column("accepted", sa.BigInteger),
        sa.Column("answered", sa.BigInteger),
        sa.Column("closed", sa.BigInteger),
        sa.Column("consult", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("page_by_role", "page", ["role", "opened"])
    op.create_index("page_by_state", "page", ["state", "opened"])
    op.create_table(
        "alerted",
        sa.Column("page", sa.Text, primary_key=True),
        sa.Column("persona", sa.LargeBinary, primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("layer", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("delivered", sa.BigInteger),
        sa.Column("seen", sa.BigInteger),
        sa.Column("accepted", sa.BigInteger),
        sa.Column("declined", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sqlite_with_rowid=False,
    )
