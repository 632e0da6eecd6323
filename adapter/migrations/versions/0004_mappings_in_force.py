"""Which mapping is in force at each hospital, and its files."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mapping_snapshot",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_mapping_snapshot"),
    )
    op.create_table(
        "mapping_in_force",
        sa.Column("hospital", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("snapshot", sa.String(length=32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("waiting_version", sa.String(length=32), nullable=True),
        sa.Column("waiting_why", sa.String(length=20), nullable=True),
        sa.Column("weighed", sa.String(length=64), nullable=True),
        sa.Column("resend", sa.Integer(), nullable=True),
        sa.Column("held", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("hospital", name="pk_mapping_in_force"),
    )
