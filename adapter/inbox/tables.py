"""The inbox's table: every version of every result that a hospital sent, and what became of it.

States: `new` (stored, nobody looked yet), `applied` (certain, written into the local record),
`unmatched` (waits for a person), `linked` (a person said whose it is), `ignored` (context such as
a Patient, or a version that says nothing newer; `settled_by` is "matching" until a person has seen that).

All versions of one result are a *lineage*, named by the number of its first item. What a later version is
recognised by is in `inbox_mark`; which reports and panels list a result in `inbox_listing`.

What is `new` or `unmatched` is looked at again when it is due, and due at once when a name that it awaits
arrives (`adapter.awaited`). Of people and referrals that is read from the records' change feed:
`inbox_position` is how far.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from adapter.database import UtcDateTime, metadata

__all__ = ["STATES", "inbox_item", "inbox_listing", "inbox_mark", "inbox_position", "patient_ruling"]

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
    Column("lineage", BigInteger, nullable=False, server_default="0"),  # the first item's id
    Column("delivery", String(32)),  # what came in one request has one
    Column("sender_version", Integer),  # as its server numbers it; NULL: by no number, or it does not say
    Column("sender_updated", UtcDateTime),  # when its server wrote it; NULL: it does not say
    Column("due_at", UtcDateTime),  # NULL: nobody looks at it again unless something that it names arrives
    Column("failures", Integer, nullable=False, server_default="0"),  # of ours, in a row
    Index(None, "hospital", "type", "resource_id", "id"),
    Index(None, "digest", "id"),
    Index(None, "lineage", "id"),
    Index(None, "cadre", "id"),
    Index(None, "state", "id"),
    Index(None, "settled_by", "state", "id"),
    # Of what is due some time alone (the migration says so: to say it here would load a dialect).
    Index("ix_inbox_item_due", "hospital", "due_at", "id"),
    sqlite_autoincrement=True,
)

inbox_mark = Table(
    "inbox_mark",
    metadata,
    Column("hospital", String(60), primary_key=True),
    Column("type", String(60), primary_key=True),
    Column("value", String(32), primary_key=True),  # a digest of identifier and code
    Column("lineage", BigInteger, primary_key=True, autoincrement=False),
    Index(None, "lineage"),
    sqlite_with_rowid=False,
)

inbox_listing = Table(
    "inbox_listing",
    metadata,
    Column("hospital", String(60), primary_key=True),
    Column("member", String(130), primary_key=True),  # Type/id
    Column("listed_by", String(130), primary_key=True),  # Type/id of a report or panel
    Index(None, "listed_by"),
    sqlite_with_rowid=False,
)

inbox_position = Table(  # one row
    "inbox_position",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),  # of the records' change feed
)

# What a person said of a hospital's patient: this person here, or never this one.
patient_ruling = Table(
    "patient_ruling",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("hospital", String(60), nullable=False),
    Column("subject", String(32), nullable=False),  # a digest of the patient's number there, or of an item
    Column("cadre", String(200), nullable=False),
    Column("is_never", Boolean, nullable=False),
    Column("item", BigInteger, nullable=False),  # of which it was said
    Column("ruled_at", UtcDateTime, nullable=False),
    Column("ruled_by", String(100), nullable=False),
    Index(None, "hospital", "subject", "cadre", unique=True),
    Index(None, "cadre"),
    Index(None, "item"),
    sqlite_autoincrement=True,
)
