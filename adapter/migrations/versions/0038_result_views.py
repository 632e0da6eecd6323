"""What results tell, and who saw it. What came before is asked after by nobody."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0038"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "result_attention",
        sa.Column("result", sa.String(200), primary_key=True),
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("waits_since", UtcDateTime()),
        sqlite_with_rowid=False,
    )
    unseen = sa.text("waits_since IS NOT NULL")
    op.create_index(
        "ix_result_attention_unseen",
        "result_attention",
        ["urgency", "waits_since"],
        sqlite_where=unseen,
        postgresql_where=unseen,
    )
    op.create_table(
        "result_view",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("result", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("stated", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("seen_by", sa.String(100), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime()),
        sa.Column("withdrawn_by", sa.String(100)),
        sa.Column("closed_at", UtcDateTime()),
        sa.Column("closed_by", sa.String(100)),
        sa.Column("closed_reason", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_result_view_result", "result_view", ["result"])
    is_task = sa.text("decision <> 'nothing' AND withdrawn_at IS NULL AND closed_at IS NULL")
    op.create_index(
        "ix_result_view_task", "result_view", ["seen_at"], sqlite_where=is_task, postgresql_where=is_task
    )
