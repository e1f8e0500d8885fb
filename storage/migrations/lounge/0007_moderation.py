"""Reports with weight, claim and evidence; what is hidden, slow, frozen, pinned; rules; minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("room", sa.Column("slow", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "room", sa.Column("frozen", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("room", sa.Column("moded", sa.BigInteger))
    moded = sa.text("moded IS NOT NULL")
    op.create_index("room_moded", "room", ["id"], sqlite_where=moded, postgresql_where=moded)
    op.add_column("entry", sa.Column("hidden", sa.BigInteger))
    op.add_column("entry", sa.Column("caution", sa.BigInteger))
    op.create_index(
        "entry_waived",
        "entry",
        ["at"],
        sqlite_where=sa.text("instr(body, x'22776169766564223a') > 0"),
        postgresql_where=sa.text("position(decode('22776169766564223a', 'hex') in body) > 0"),
    )
    _reports()
    _appeals()
    _rules()
    op.create_table(
        "pin",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("target", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pulse",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("says", sa.BigInteger),
        sa.Column("held", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waived", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index("pulse_by_minute", "pulse", ["minute"])
    # what was said before is nobody's rate: the first minute is counted from here
    op.execute("INSERT INTO pulse (room_id, minute, says) SELECT id, 0, says FROM room")


def _reports() -> None:
    op.add_column("report", sa.Column("weight", sa.Integer, nullable=False, server_default="1"))
    op.add_column("report", sa.Column("claim", sa.LargeBinary))
    op.add_column("report", sa.Column("claimed_until", sa.BigInteger))
    op.add_column("report", sa.Column("closed", sa.BigInteger))
    op.create_index("report_by_entry", "report", ["room_id", "seq"])
    op.create_table(
        "report_note",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("report_note_by_report", "report_note", ["report", "at"])
    op.create_table(
        "evidence",
        sa.Column("report", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _appeals() -> None:
    op.create_table(
        "hand",
        sa.Column("act", sa.Text, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("mark", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "appeal",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("act", sa.Text, nullable=False, unique=True),
        sa.Column("room_id", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.LargeBinary),
        sa.Column("claimed_until", sa.BigInteger),
        sa.Column("outcome", sa.Text),
        sa.Column("closed", sa.BigInteger),
    )
    op.create_index("appeal_open", "appeal", ["outcome", "at"])


def _rules() -> None:
    op.create_table(
        "rule",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "waiting",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("room_id", sa.Integer, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.LargeBinary),
        sa.Column("claimed_until", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("waiting_at", "waiting", ["at"])
