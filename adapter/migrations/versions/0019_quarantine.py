"""What the endpoint refused for its content waits in quarantine."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refused_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("hospital", "digest", name="uq_refused_request_hospital_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_refused_request_hospital_last_at_id", "refused_request", ["hospital", "last_at", "id"]
    )
    op.create_index("ix_refused_request_last_at", "refused_request", ["last_at"])
    op.create_table(
        "refused_volume",
        sa.Column("hospital", sa.String(60), primary_key=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
