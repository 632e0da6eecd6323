"""The tokens that hospitals send with their results, as hashes."""

from sqlalchemy import Column, String, Table

from adapter.database import UtcDateTime, metadata

__all__ = ["hospital_token"]

hospital_token = Table(
    "hospital_token",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the token, hexadecimal
    Column("hospital", String(64), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used", UtcDateTime),
)
