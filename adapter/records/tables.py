"""Tables of the records: what is known, in which order it became known, and whom numbers belong to."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from adapter.database import UtcDateTime, metadata

__all__ = [
    "cadre_identifier",
    "erased_name",
    "erasure",
    "feed",
    "held_row",
    "import_change",
    "import_draft",
    "import_row",
    "import_run",
    "record",
    "record_merge",
    "result_attention",
    "result_view",
    "source_cursor",
]

record = Table(
    "record",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("cadre", String(200), nullable=False),
    # Whom the record belonged to before it moved: both people's shipments change then.
    Column("former_cadre", String(200)),
    # JSON without nulls. A tombstone has none, except a referral's fulfilment (see store.tombstone_body).
    Column("body", Text),
    Column("digest", String(32), nullable=False),
    # Digest of what the import alone decides, so that an inbox's writing is not mistaken for a change.
    Column("source_digest", String(32)),
    Column("position", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("source", String(255)),
    Column("sheet", String(255)),
    Column("row", Integer),
    Column("imported_at", UtcDateTime),  # when an import wrote this content; NULL before schema 3
    Index("ix_record_position", "position"),
    Index("ix_record_cadre_kind", "cadre", "kind"),
    sqlite_with_rowid=False,
)

# One row. Whoever writes records locks it first, so positions become visible in their order.
feed = Table(
    "feed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

cadre_identifier = Table(
    "cadre_identifier",
    metadata,
    Column("value", String(32), primary_key=True),
    Column("cadre", String(200), primary_key=True),
    Index("ix_cadre_identifier_cadre", "cadre"),
    sqlite_with_rowid=False,
)

# Whom a name and a date of birth together fit: a digest of both (`person_names`), so no name stands here.
cadre_name = Table(
    "cadre_name",
    metadata,
    Column("value", String(32), primary_key=True),
    Column("cadre", String(200), primary_key=True),
    Index("ix_cadre_name_cadre", "cadre"),
    sqlite_with_rowid=False,
)

# Who turned out to be whom: records of the loser are the survivor's.
record_merge = Table(
    "record_merge",
    metadata,
    Column("loser", String(200), primary_key=True),
    Column("survivor", String(200), nullable=False),
    Column("merged_at", UtcDateTime, nullable=False),
    Column("merged_by", String(100), nullable=False),
)

# What an import under way has met: lives only inside its transaction. Never holds a T0 key.
import_row = Table(
    "import_row",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("row", Integer, nullable=False),
    Column("sheet", String(255), nullable=False),
    Column("rejected", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# One row for each import that changed something: what came in when, from where.
import_run = Table(
    "import_run",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(100), nullable=False),
    Column("files", Text, nullable=False),  # JSON: name and digest of each
    Column("first_position", BigInteger, nullable=False),  # of the feed, before it
    Column("last_position", BigInteger, nullable=False),
    Column("created", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("undoes", Integer),
    Column("undone_by", Integer),
    # How records were before it is not remembered any more.
    Column("forgotten", Boolean, nullable=False, server_default=false()),
)

# How a record was before an import changed or deleted it. What it created has no row: its position says so.
import_change = Table(
    "import_change",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("cadre", String(200), nullable=False),
    Column("before", Text),
    Column("was_deleted", Boolean, nullable=False),
    Index("ix_import_change_cadre", "cadre"),
    sqlite_with_rowid=False,
)

# A workbook that somebody has uploaded and not imported yet, for a day. It may tell of people whose records
# are not handled: only the holder of the identity key can read it, and it goes when somebody becomes T0.
import_draft = Table(
    "import_draft",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("uploaded_by", String(100), nullable=False),
    Column("size", Integer, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("state", String(10), nullable=False),  # uploaded, checking, checked, refused, importing, imported
    Column("options", String(200), nullable=False),  # JSON: what was said yes to
    Column("seen", String(32)),  # the version of the records that the report is about
    Column("report", LargeBinary),  # sealed, as the two behind it
    Column("rejects", LargeBinary),
    Column("content", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# How far a database has been read, one row for each of its queries.
source_cursor = Table(
    "source_cursor",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("version", String(32), nullable=False),  # digest of the query: another one is read from its start
    Column("people", String(32), nullable=False),  # digest of whom the store knew
    Column("value", String(200)),  # the newest change met, see sql.cursor
    Column("read_at", UtcDateTime, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),  # whether the last read was of everything
)

# Keyed hashes of the keys and numbers of people who were erased as T0, among made-up ones (`erased_names`).
erased_name = Table(
    "erased_name", metadata, Column("hash", String(32), primary_key=True), sqlite_with_rowid=False
)

# One row. Its mark is another after each erasure; whoever writes what was read before compares it.
erasure = Table(
    "erasure",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
)

# Rows that can be read and that hardly can be true: a person lets them in. One row for a key. Never a T0's.
held_row = Table(
    "held_row",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("key", String(200), nullable=False),
    Column("cadre", String(200), nullable=False),
    Column("state", String(8), nullable=False),  # waiting, released, dropped
    Column("body", Text, nullable=False),  # the record that it would be
    Column("digest", String(32), nullable=False),
    Column("cells", Text, nullable=False),  # JSON: header -> cell as written
    Column("findings", Text, nullable=False),  # JSON: column, value, text, params
    Column("source", String(255), nullable=False),
    Column("file_digest", String(32), nullable=False),
    Column("sheet", String(255), nullable=False),
    Column("row", Integer, nullable=False),
    Column("held_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", String(100)),
    Column("reason", String(500)),
    Column("replaced_at", UtcDateTime),  # an import of that moment brought another of its key, or undid it
    Index(
        "ix_held_row_key",
        "kind",
        "key",
        unique=True,
        sqlite_where=text("replaced_at IS NULL"),
        postgresql_where=text("replaced_at IS NULL"),
    ),
    Index(
        "ix_held_row_replaced",
        "replaced_at",
        sqlite_where=text("replaced_at IS NOT NULL"),
        postgresql_where=text("replaced_at IS NOT NULL"),
    ),
    Index("ix_held_row_cadre", "cadre"),
    sqlite_autoincrement=True,  # a number that a person has noted never becomes another row's
)

# What a result states now, and since when that waits for a doctor. One row for a result since migration 0038.
result_attention = Table(
    "result_attention",
    metadata,
    Column("result", String(200), primary_key=True),
    Column("hospital", String(60), nullable=False),
    Column("digest", String(32), nullable=False),  # of what it tells (`stated_content`)
    Column("urgency", String(10), nullable=False),
    Column("waits_since", UtcDateTime),  # NULL: a doctor has seen just that
    Index(
        "ix_result_attention_unseen",
        "urgency",
        "waits_since",
        sqlite_where=text("waits_since IS NOT NULL"),
        postgresql_where=text("waits_since IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

# That somebody saw what a result stated, and what is to follow; what was withdrawn stays, and counts no more.
result_view = Table(
    "result_view",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("result", String(200), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("stated", Text, nullable=False),  # JSON: what it stated then
    Column("decision", String(10), nullable=False),
    Column("note", Text),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("seen_by", String(100), nullable=False),
    Column("position", BigInteger, nullable=False),  # of the feed: what follows has a later one
    Column("withdrawn_at", UtcDateTime),
    Column("withdrawn_by", String(100)),
    Column("closed_at", UtcDateTime),  # what is to follow was ended by hand
    Column("closed_by", String(100)),
    Column("closed_reason", Text),
    Index("ix_result_view_result", "result"),
    Index(
        "ix_result_view_task",
        "seen_at",
        sqlite_where=text("decision <> 'nothing' AND withdrawn_at IS NULL AND closed_at IS NULL"),
        postgresql_where=text("decision <> 'nothing' AND withdrawn_at IS NULL AND closed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)
