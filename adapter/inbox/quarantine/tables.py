"""The quarantine's tables: refused requests as they came, and how many bytes each hospital has there.

The sums are kept, so that neither keeping a request nor letting the oldest go reads all there are.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from adapter.database import UtcDateTime, metadata

__all__ = ["refused_request", "refused_volume"]

refused_request = Table(
    "refused_request",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("hospital", String(60), nullable=False),
    Column("digest", String(32), nullable=False),  # of all that was sent
    Column("method", String(10), nullable=False),
    Column("url", Text, nullable=False),  # below the base, with its query: it may name people
    Column("conditions", Text, nullable=False),  # JSON object: the headers that are conditions
    Column("status", Integer, nullable=False),
    Column("kind", String(200), nullable=False),
    Column("outcome", Text, nullable=False),  # OperationOutcome
    Column("size", Integer, nullable=False),  # bytes that it counts for
    Column("times", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),  # unpacked; last, so that SQLite need not read through it
    UniqueConstraint("hospital", "digest"),
    Index(None, "hospital", "last_at", "id"),
    Index(None, "last_at"),
    sqlite_autoincrement=True,
)

refused_volume = Table(
    "refused_volume",
    metadata,
    Column("hospital", String(60), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)
