"""The inbox's table: every version of every result that a hospital sent, and what became of it.

States: `new` (stored, nobody looked yet), `applied` (certain, written into the local record),
`unmatched` (waits for a person), `linked` (a person said whose it is), `ignored` (context such as
a Patient, or a version that says nothing newer).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from adapter.database import UtcDateTime, metadata

__all__ = ["STATES", "inbox_item"]

STATES = ("new", "applied", "unmatched", "linked", "ignored")

inbox_item = Table(
    "inbox_item",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("hospital", String(60), nullable=False),
    Column("type", String(60), nullable=False),
    Column("resource_id", String(64), nullable=False),  # in the endpoint's repository
    Column("version", Integer, nullable=False),
    Column("identity", String(400)),  # system|value of the first complete identifier, and the code
    Column("digest", String(32), nullable=False),  # of the content without id and meta
    Column("body", Text, nullable=False),  # FHIR JSON as the repository holds it
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reasons", Text, nullable=False),  # JSON list of reason codes
    Column("candidates", Text, nullable=False),  # JSON list of candidates, best first
    Column("cadre", String(200)),
    Column("referral", String(200)),
    Column("result_key", String(120)),
    Column("attempts", Integer, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("settled_by", String(100)),
    Index(None, "hospital", "type", "identity", "id"),
    Index(None, "hospital", "type", "resource_id", "id"),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)
