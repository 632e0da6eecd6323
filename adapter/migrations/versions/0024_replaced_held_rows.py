"""Held rows in whose place others came stay, so that the import which brought those can be taken back."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("held_row", sa.Column("replaced_at", UtcDateTime(), nullable=True))
    op.drop_index("ix_held_row_key", "held_row")
    current = sa.text("replaced_at IS NULL")
    op.create_index(
        "ix_held_row_key",
        "held_row",
        ["kind", "key"],
        unique=True,
        sqlite_where=current,
        postgresql_where=current,
    )
    op.create_index(
        "ix_held_row_replaced",
        "held_row",
        ["replaced_at"],
        sqlite_where=sa.text("replaced_at IS NOT NULL"),
        postgresql_where=sa.text("replaced_at IS NOT NULL"),
    )
