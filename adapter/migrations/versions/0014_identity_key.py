"""The identity key can be changed: which one is in use, those before it, and old imports are forgotten."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger_entry", sa.Column("former_identity", sa.String(64), nullable=True))
    op.create_index("ix_ledger_entry_former", "ledger_entry", ["hospital", "former_identity"])
    op.add_column("audit_head", sa.Column("key_mark", sa.String(32), nullable=True))
    op.add_column("audit_head", sa.Column("sealed_from", sa.BigInteger(), nullable=True))
    op.add_column(
        "import_run", sa.Column("forgotten", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "identity_key",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "former_identity_key",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("wrapped", sa.String(64), nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
    )
