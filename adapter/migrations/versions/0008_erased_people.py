"""Whom the centre may not keep any more: keyed hashes among made-up ones, and a mark that changes with each
erasure, so that a plan which was made before is not written after it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_name",
        sa.Column("hash", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_erased_name"),
        sqlite_with_rowid=False,
    )
    erasure = op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
    )
    op.bulk_insert(erasure, [{"id": 1, "mark": ""}])
