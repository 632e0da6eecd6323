"""When an item is to be looked at next, and which names it waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox_item", sa.Column("due_at", sa.DateTime(timezone=True)))
    op.add_column("inbox_item", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    waits = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_inbox_item_due",
        "inbox_item",
        ["hospital", "due_at", "id"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "awaited_name",
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("value", "item", name="pk_awaited_name"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_awaited_name_item", "awaited_name", ["item"])
    op.create_table(
        "awaited_arrival",
        sa.Column("id", number, nullable=False),
        sa.Column("value", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_awaited_arrival"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "inbox_position",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_position"),
    )
    _everything_is_due()


def _everything_is_due() -> None:
    """What waits says which names it waits for when it is read the next time."""
    names = ("state", "reasons", "received_at", "due_at")
    item = sa.table("inbox_item", *(sa.column(name) for name in names))
    waits = item.c.state.in_(("new", "unmatched")) & (item.c.reasons != '["unlinked"]')
    op.get_bind().execute(sa.update(item).where(waits).values(due_at=item.c.received_at))
    position = sa.table("inbox_position", sa.column("id"), sa.column("position"))
    feed = sa.table("feed", sa.column("id"), sa.column("position"))
    newest = sa.select(sa.literal(1), sa.func.coalesce(sa.func.max(feed.c.position), 0))
    op.get_bind().execute(sa.insert(position).from_select(["id", "position"], newest))
