"""The first schema."""

import importlib
from importlib.util import find_spec

from alembic import op

from adapter.database import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for module in ("records.tables", "ledger.tables", "repository.tables", "inbox.tables", "web.tables", "audit"):
        if find_spec(f"adapter.{module}"):
            importlib.import_module(f"adapter.{module}")
    metadata.create_all(op.get_bind())
