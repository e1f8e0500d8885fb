"""Consults, polls and their ballots, and what is due at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entry", sa.Column("withdrawn", sa.BigInteger))
    _consults()
    _polls()
    _due()


def _consults() -> None:
    op.create_table(
        "consult",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("room_id", sa.Integer, nullable=False, unique=True),
        sa.Column("author", sa.LargeBinary, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("specialties", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("closes", sa.BigInteger),
        sa.Column("enough", sa.Integer),
        sa.Column("told", sa.Integer, nullable=False, server_default="0"),
        sa.Column("withdrawn", sa.Integer, nullable=False, server_default="0"),
        sa.Column("casts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("first", sa.BigInteger),
        sa.Column("revealed", sa.BigInteger),
        sa.Column("decided", sa.BigInteger),
        sa.Column("outcome", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("consult_by_state", "consult", ["state", "opened"])
    op.create_table(
        "card",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("consult", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("card_by_consult", "card", ["consult"])
    op.create_table(
        "look",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("consult", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("look_by_consult", "look", ["consult"])
    op.create_table(
        "consent",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sqlite_with_rowid=False,
    )


def _polls() -> None:
    op.create_table(
        "poll",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("choices", sa.Integer, nullable=False),
        sa.Column("multiple", sa.Boolean, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("closes", sa.BigInteger),
        sa.Column("told", sa.Integer, nullable=False, server_default="0"),
        sa.Column("casts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("closed", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ballot",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("told", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_index("ballot_by_subject", "ballot", ["subject"])


def _due() -> None:
    op.create_table(
        "due",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("leased", sa.BigInteger, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index("due_at", "due", ["at"])
    op.create_index("due_by_subject", "due", ["subject"])
