"""Which version a sender's server says that an item is."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox_item", sa.Column("sender_version", sa.Integer()))
    op.add_column("inbox_item", sa.Column("sender_updated", UtcDateTime()))
