"""Disclosures: which policy is in force at each hospital, and what of whom waits for consent."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_in_force",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hospital", name="pk_policy_in_force"),
    )
    op.create_table(
        "ledger_person",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("cadre", sa.String(200), nullable=False),
        sa.Column("exposure", sa.Integer()),
        sa.Column("aside", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("newly", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("withdrawn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("gone", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("hospital", "cadre", name="pk_ledger_person"),
    )
    op.create_index("ix_ledger_person_aside", "ledger_person", ["hospital", "aside"])
