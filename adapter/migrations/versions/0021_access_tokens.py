"""Access tokens that are given for a signed assertion, and the assertions that were used."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(4000), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_access_token_hospital", "access_token", ["hospital"])
    op.create_index("ix_access_token_expires_at", "access_token", ["expires_at"])
    op.create_table(
        "used_assertion",
        sa.Column("assertion", sa.String(64), primary_key=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_used_assertion_expires_at", "used_assertion", ["expires_at"])
