"""Delivery: pace and breaker in the hospital's row, histories, server cards, receipts, alarms, workers,
and which person was merged into whom.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_HOSPITAL: tuple[sa.Column[Any], ...] = (
    sa.Column("breaker", sa.String(9), nullable=False, server_default="closed"),
    sa.Column("failing_since", UtcDateTime()),
    sa.Column("mode", sa.String(8), nullable=False, server_default="running"),
    sa.Column("mode_by", sa.String(100)),
    sa.Column("mode_at", UtcDateTime()),
    sa.Column("mode_note", sa.String(200)),
    sa.Column("asked_until", UtcDateTime()),
    sa.Column("token_mark", sa.String(32)),
    sa.Column("slowed_at", UtcDateTime()),
    sa.Column("allowed", sa.Float()),
    sa.Column("tokens", sa.Float()),
    sa.Column("tokens_at", UtcDateTime()),
    sa.Column("entries", sa.Integer()),
)
_ENTRY: tuple[sa.Column[Any], ...] = (
    sa.Column("wished_at", UtcDateTime()),
    sa.Column("sent_at", UtcDateTime()),
    sa.Column("lookups", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("history", sa.String(2000)),
)


def upgrade() -> None:
    for column in _HOSPITAL:
        op.add_column("ledger_hospital", column)
    for column in _ENTRY:
        op.add_column("ledger_entry", column)
    op.create_table(
        "server_card",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("measured_at", UtcDateTime(), nullable=False),
        sa.Column("card", sa.LargeBinary(), nullable=False),
        sa.Column("before", sa.LargeBinary()),
        sa.Column("drift", sa.String(2000)),
        sa.PrimaryKeyConstraint("hospital", name="pk_server_card"),
    )
    op.create_table(
        "ledger_receipt",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("proved_at", UtcDateTime(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("remote_id", sa.String(64)),
        sa.Column("how", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("hospital", "identity", "proved_at", name="pk_ledger_receipt"),
    )
    op.create_index("ix_ledger_receipt_record", "ledger_receipt", ["kind", "key"])
    op.create_table(
        "alarm",
        sa.Column("hospital", sa.String(64), nullable=False),
        sa.Column("code", sa.String(30), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcDateTime()),
        sa.Column("told_count", sa.Integer()),
        sa.PrimaryKeyConstraint("hospital", "code", name="pk_alarm"),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("host", sa.String(100), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    op.create_table(
        "turn",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("next_at", UtcDateTime()),
        sa.Column("holder", sa.String(32)),
        sa.Column("signs", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("name", name="pk_turn"),
    )
    leased = sa.text("lease_token IS NOT NULL")
    op.create_index(
        "ix_ledger_shipment_leased",
        "ledger_shipment",
        ["hospital"],
        sqlite_where=leased,
        postgresql_where=leased,
    )
    op.create_table(
        "record_merge",
        sa.Column("loser", sa.String(200), nullable=False),
        sa.Column("survivor", sa.String(200), nullable=False),
        sa.Column("merged_at", UtcDateTime(), nullable=False),
        sa.Column("merged_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("loser", name="pk_record_merge"),
    )
