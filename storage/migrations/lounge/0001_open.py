"""Open the lounge: rooms, entries, personas, reports, the outbox, and the search index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    gate = op.create_table(
        "gate",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("key_check", sa.LargeBinary),
    )
    op.bulk_insert(gate, [{"id": 1, "epoch": 0}])
    op.create_table(
        "room",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("oldest", sa.BigInteger, nullable=False),
        sa.Column("says", sa.BigInteger, nullable=False),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "entry",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("persona", sa.LargeBinary),
        sa.Column("target", sa.BigInteger),
        sa.Column("says", sa.BigInteger, nullable=False),
        sa.Column("edited", sa.BigInteger),
        sa.Column("redacted", sa.BigInteger),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_index("entry_by_target", "entry", ["room_id", "target"])
    op.create_table(
        "receipt",
        sa.Column("dedup", sa.LargeBinary, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("room_id", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "persona",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("face", sa.Text, nullable=False),
        sa.Column("badge", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reaction",
        sa.Column("room_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("target", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("emoji", sa.Text, primary_key=True),
        sa.Column("persona", sa.LargeBinary, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("on", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("room_id", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("persona", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text),
    )
    op.create_index("report_open", "report", ["outcome", "at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    _create_index()


def _create_index() -> None:
    """The search index holds our own tokenizer's terms, so that both databases answer alike."""
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE entry_terms USING fts5("
            """terms, content='', tokenize="unicode61 remove_diacritics 0")"""
        )
        return
    op.execute(
        "CREATE TABLE entry_terms (room_id integer NOT NULL, seq bigint NOT NULL,"
        " terms tsvector NOT NULL, PRIMARY KEY (room_id, seq))"
    )
    op.execute("CREATE INDEX entry_terms_found ON entry_terms USING gin (terms)")
