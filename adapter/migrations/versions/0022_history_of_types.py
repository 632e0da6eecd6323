"""The history of a type is read from its newest version on."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["owner", "type", "updated", "id", "version"]
    op.create_index("ix_repository_version_updated", "repository_version", columns)
