"""Faces: a persona's room, its name there, and what is offered between two of one thread."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("persona", sa.Column("room_id", sa.Integer))
    op.add_column("persona", sa.Column("name", sa.Text))
    op.add_column(
        "persona", sa.Column("exact", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute(  # who has spoken before is found in her room; she gets a name with her next say
        "UPDATE persona SET room_id = said.room_id FROM ("
        "SELECT persona AS id, MIN(room_id) AS room_id FROM entry WHERE kind = 'say' GROUP BY persona"
        ") AS said WHERE said.id = persona.id"
    )
    made_up = sa.text("face = 'anonymous'")
    op.create_index(
        "persona_name",
        "persona",
        ["room_id", "name"],
        unique=True,
        sqlite_where=made_up,
        postgresql_where=made_up,
    )
    op.create_table(
        "offer",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
