"""The table of what was read."""

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table

from adapter.database import UtcDateTime, metadata

__all__ = ["poll_mark"]

poll_mark = Table(
    "poll_mark",
    metadata,
    Column("hospital", String(64), nullable=False),
    Column("type", String(40), nullable=False),
    Column("watermark", UtcDateTime),  # by the clock of the hospital's server; NULL: nothing was read so far
    Column("done_at", UtcDateTime),  # when it was last read to the end, by ours
    Column("failing_since", UtcDateTime),
    Column("problem", String(40)),  # why it failed, in a word
    PrimaryKeyConstraint("hospital", "type"),
)
