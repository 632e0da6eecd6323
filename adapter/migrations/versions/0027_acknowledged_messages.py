"""HL7 v2 messages that were taken in are known again."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acknowledged_message",
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("message", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("answer_id", sa.String(20), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hospital", "message", name="pk_acknowledged_message"),
    )
    op.create_index("ix_acknowledged_message_at", "acknowledged_message", ["at"])
