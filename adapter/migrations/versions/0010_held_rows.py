"""Rows of imports that wait for a person."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "held_row",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("cadre", sa.String(200), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("file_digest", sa.String(32), nullable=False),
        sa.Column("sheet", sa.String(255), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("held_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime()),
        sa.Column("decided_by", sa.String(100)),
        sa.Column("reason", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_held_row"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_held_row_key", "held_row", ["kind", "key"], unique=True)
    op.create_index("ix_held_row_cadre", "held_row", ["cadre"])
