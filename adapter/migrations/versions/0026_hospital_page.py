"""Who may open a hospital's page, and the forms that were sent there."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_invitation",
        sa.Column("link", sa.String(64), primary_key=True),
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
    )
    op.create_index("ix_page_invitation_hospital", "page_invitation", ["hospital"])
    op.create_index("ix_page_invitation_expires_at", "page_invitation", ["expires_at"])
    op.create_table(
        "page_session",
        sa.Column("session", sa.String(64), primary_key=True),
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("last_used", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_page_session_hospital", "page_session", ["hospital"])
    op.create_index("ix_page_session_expires_at", "page_session", ["expires_at"])
    op.create_table(
        "page_form",
        sa.Column("form", sa.String(64), primary_key=True),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_page_form_taken_at", "page_form", ["taken_at"])
