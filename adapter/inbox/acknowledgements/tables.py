"""The table of messages that were taken in."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table

from adapter.database import UtcDateTime, metadata

__all__ = ["acknowledged_message"]

acknowledged_message = Table(
    "acknowledged_message",
    metadata,
    Column("hospital", String(60), nullable=False),
    Column("message", String(32), nullable=False),  # hash of MSH-3, MSH-4, MSH-10 and MSH-7
    Column("digest", String(32), nullable=False),  # of the message's bytes
    Column("answer_id", String(20), nullable=False),  # the answer's own control id
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("hospital", "message"),
    Index(None, "at"),
)
