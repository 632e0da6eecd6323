"""How far the server of a hospital that lets us only read was read."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0031"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "poll_mark",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("watermark", UtcDateTime()),
        sa.Column("done_at", UtcDateTime()),
        sa.Column("failing_since", UtcDateTime()),
        sa.Column("problem", sa.String(40)),
        sa.PrimaryKeyConstraint("hospital", "type", name="pk_poll_mark"),
    )
