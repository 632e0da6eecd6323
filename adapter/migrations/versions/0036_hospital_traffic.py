"""Requests to hospitals, counted by hour, outcome and how long the answer took."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0036"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hospital_traffic",
        sa.Column("hospital", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime(), primary_key=True),
        sa.Column("outcome", sa.String(8), primary_key=True),
        sa.Column("within_ms", sa.Integer(), primary_key=True),
        sa.Column("requests", sa.Integer(), nullable=False),
    )
