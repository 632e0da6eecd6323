"""Subscriptions of hospitals to changes of their referrals, and the events that they are told of."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.LargeBinary()),
        sa.Column("numbered", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("delivered", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", UtcDateTime()),
        sa.Column("problem", sa.String(40)),
        sa.Column("due_at", UtcDateTime()),
        sa.Column("contact_at", UtcDateTime()),
    )
    op.create_index("ix_subscription_hospital", "subscription", ["hospital"])
    op.create_table(
        "subscription_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("subscription", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("interaction", sa.String(6), nullable=False),
        sa.Column("type", sa.String(40)),
        sa.Column("remote_id", sa.String(64)),
        sa.Column("at", UtcDateTime(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscription_event_number", "subscription_event", ["subscription", "number"])
    op.create_index("ix_subscription_event_at", "subscription_event", ["at"])
