"""From which row on the audit's hashes are keyed, and which settings and policy were seen last."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_head", sa.Column("keyed_from", sa.BigInteger(), nullable=True))
    op.create_table(
        "configuration_digest",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_configuration_digest"),
    )
