"""Workbooks that were uploaded and are not imported yet."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_draft",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("options", sa.String(200), nullable=False),
        sa.Column("seen", sa.String(32)),
        sa.Column("report", sa.LargeBinary()),
        sa.Column("rejects", sa.LargeBinary()),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
