"""When an import wrote what a record holds."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("record", sa.Column("imported_at", UtcDateTime(), nullable=True))
