"""The centre's own staff: accounts, one-time codes, sessions."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0034"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "staff_account",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("display", sa.String(100), nullable=False),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("sees_t1", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("password", sa.String(200)),
        sa.Column("totp_key", sa.Text()),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("outside", sa.String(64), unique=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime()),
    )
    op.create_table(
        "staff_code",
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(40)),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_staff_code_account", "staff_code", ["account"])
    op.create_index("ix_staff_code_expires_at", "staff_code", ["expires_at"])
    op.create_table(
        "staff_session",
        sa.Column("session", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("notice", sa.Text()),
        sa.Column("last_used", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_staff_session_account", "staff_session", ["account"])
    op.create_index("ix_staff_session_expires_at", "staff_session", ["expires_at"])
