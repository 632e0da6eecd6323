"""Which server a hospital's ledger and card belong to, and why nothing may be written there."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger_hospital", sa.Column("server_url", sa.String(500)))
    op.add_column("ledger_hospital", sa.Column("server_says", sa.String(500)))
    op.add_column("ledger_hospital", sa.Column("halted", sa.String(20)))
    op.add_column("ledger_hospital", sa.Column("halted_at", UtcDateTime()))
    op.add_column("server_card", sa.Column("base_url", sa.String(500)))
    delivered = sa.text("delivered_at IS NOT NULL")
    op.create_index(
        "ix_ledger_entry_delivered",
        "ledger_entry",
        ["hospital", "delivered_at"],
        sqlite_where=delivered,
        postgresql_where=delivered,
    )
