"""The ledger's tables."""

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    false,
    func,
)

from adapter.database import UtcDateTime, metadata
from adapter.ledger.schema.transitions import MAX_HISTORY_CHARS

__all__ = [
    "alarm",
    "append_history",
    "entry",
    "former_identity_key",
    "hospital",
    "identity_key",
    "mapping_in_force",
    "mapping_snapshot",
    "person_disclosure",
    "policy_in_force",
    "receipt",
    "server_card",
    "shipment",
    "traffic",
    "turn",
    "worker",
]

hospital = Table(
    "ledger_hospital",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("planned_position", Integer, nullable=False),  # of the records' change feed
    Column("planned_version", String(32), nullable=False),  # of mappings, policy and settings
    Column("failures", Integer, nullable=False),  # in a row
    Column("not_before", UtcDateTime),  # the breaker: nothing is claimed before
    Column("last_contact", UtcDateTime),
    Column("last_error", String(500)),
    Column("breaker", String(9), nullable=False, server_default="closed"),  # closed, open, half-open
    Column("failing_since", UtcDateTime),
    Column("mode", String(8), nullable=False, server_default="running"),  # running, paused, draining
    Column("mode_by", String(100)),
    Column("mode_at", UtcDateTime),
    Column("mode_note", String(200)),
    Column("asked_until", UtcDateTime),  # it asked to be left alone: a new run respects it too
    Column("token_mark", String(32)),  # changes with the token in use; tells nothing of it
    Column("slowed_at", UtcDateTime),  # when `allowed` was halved
    Column("allowed", Float),  # shipments in flight over all workers: grows slowly, halves
    Column("tokens", Float),  # requests that may go now, as of tokens_at
    Column("tokens_at", UtcDateTime),
    Column("entries", Integer),  # of a Bundle that it manages in time
    Column("server_url", String(500)),  # the address of the server that its entries are at
    Column("server_says", String(500)),  # what that server says it is
    Column("halted", String(20)),  # why nothing may be written: it is another server, or lost what we sent
    Column("halted_at", UtcDateTime),
)

shipment = Table(
    "ledger_shipment",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("cadre", String(200), primary_key=True),
    Column("due_at", UtcDateTime),  # NULL: nothing to do, or waiting for a person
    Column("attempts", Integer, nullable=False),
    Column("wish", Integer, nullable=False),  # counts plans, so that a finishing worker sees a newer one
    Column("lease_token", String(32)),  # begins with the worker's id
    Column("lease_until", UtcDateTime),  # another value for each renewal; compared with no clock
    Index("ix_ledger_shipment_due", "hospital", "due_at"),
    # Of what is leased alone (the migration says so: to say it here would load a dialect in every command).
    Index("ix_ledger_shipment_leased", "hospital"),
)

entry = Table(
    "ledger_entry",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("identity", String(64), primary_key=True),
    Column("cadre", String(200), nullable=False),
    Column("type", String(40), nullable=False),
    Column("rank", Integer, nullable=False),  # dependency order: what is referred to comes first
    Column("kind", String(20), nullable=False),
    Column("key", String(200), nullable=False),
    Column("state", String(12), nullable=False),
    Column("desired_digest", String(32)),  # NULL: should not be there
    Column("sent_digest", String(32)),
    Column("delivered_digest", String(32)),
    Column("body", LargeBinary),  # kept only until it is delivered
    Column("mapping_version", String(32), nullable=False),
    Column("remote_id", String(64)),
    Column("etag", String(200)),
    Column("attempts", Integer, nullable=False),
    Column("reason", String(40)),
    Column("detail", String(500)),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("wished_at", UtcDateTime),  # since when it should hold just this
    Column("sent_at", UtcDateTime),
    Column("lookups", Integer, nullable=False, server_default="0"),  # since it was sent and not answered
    Column("history", String(2000)),  # its transitions, packed
    # Under the identity key before: what the hospital still has it under until it is sent again.
    Column("former_identity", String(64)),
    Index("ix_ledger_entry_cadre", "hospital", "cadre"),
    Index("ix_ledger_entry_remote", "hospital", "type", "remote_id"),
    Index("ix_ledger_entry_record", "kind", "key"),
    Index("ix_ledger_entry_state", "hospital", "state"),
    # Of what was delivered alone, as above.
    Index("ix_ledger_entry_delivered", "hospital", "delivered_at"),
    Index("ix_ledger_entry_former", "hospital", "former_identity"),
)

identity_key = Table(  # one row, once the key was changed: how the one in use is told from others
    "identity_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

former_identity_key = Table(  # the oldest first; each wrapped under the key in use
    "former_identity_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
    Column("wrapped", String(64), nullable=False),
    Column("mark", String(32), nullable=False),
)

server_card = Table(
    "server_card",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("measured_at", UtcDateTime, nullable=False),
    Column("card", LargeBinary, nullable=False),  # JSON
    Column("before", LargeBinary),  # the one measured before, where it differed
    Column("drift", String(2000)),  # what differs from it, until somebody has seen it
    Column("base_url", String(500)),  # the address at which it was measured
)

receipt = Table(
    "ledger_receipt",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("identity", String(64), primary_key=True),
    Column("proved_at", UtcDateTime, primary_key=True),  # read back: gone, or marked as entered in error
    Column("type", String(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("key", String(200), nullable=False),
    Column("remote_id", String(64)),
    Column("how", String(20), nullable=False),
    Index("ix_ledger_receipt_record", "kind", "key"),
)

alarm = Table(
    "alarm",
    metadata,
    Column("hospital", String(64), primary_key=True),  # "" for the adapter itself
    Column("code", String(30), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    Column("told_at", UtcDateTime),
    Column("told_count", Integer),
)

traffic = Table(  # requests to a hospital, counted by hour, outcome and how long the answer took
    "hospital_traffic",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("outcome", String(8), primary_key=True),
    Column("within_ms", Integer, primary_key=True),  # 0: longer than all others
    Column("requests", Integer, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("host", String(100), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(40), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

turn = Table(  # what only one process does at a time
    "turn",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("next_at", UtcDateTime),  # the next beat of its schedule
    Column("holder", String(32)),  # a token that begins with the worker's id; NULL: nobody
    Column("signs", Integer, nullable=False, server_default="0"),  # of life, counted
)

mapping_snapshot = Table(
    "mapping_snapshot",
    metadata,
    Column("digest", String(32), primary_key=True),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("files", LargeBinary, nullable=False),  # a ZIP archive
)

mapping_in_force = Table(
    "mapping_in_force",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("snapshot", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    # what the folder holds instead, and why it is not in force
    Column("waiting_version", String(32)),
    Column("waiting_why", String(20)),
    Column("weighed", String(64)),  # under which policy, settings and records `resend` was counted
    Column("resend", Integer),
    Column("held", Integer),
)

policy_in_force = Table(
    "policy_in_force",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("digest", String(32), nullable=False),
    Column("level", String(20), nullable=False),  # the hospital's then: which of the policy's lines counts
    Column("since", UtcDateTime, nullable=False),
    Column("content", LargeBinary, nullable=False),  # the file
)

person_disclosure = Table(
    "ledger_person",
    metadata,
    Column("hospital", String(64), primary_key=True),
    Column("cadre", String(200), primary_key=True),
    Column("exposure", Integer),  # what the hospital may know of who it is, as in force; NULL: not known
    Column(
        "aside", Boolean, nullable=False, server_default=false()
    ),  # whether anything of the rest is above 0
    # Resources that are set aside until somebody consents, or the plan turns out to be a small one.
    Column("newly", Integer, nullable=False, server_default="0"),
    Column("withdrawn", Integer, nullable=False, server_default="0"),
    Column("gone", Integer, nullable=False, server_default="0"),
    Index("ix_ledger_person_aside", "hospital", "aside"),
)


def append_history(dialect: str, step: ColumnElement[str] | str) -> ColumnElement[str]:
    """An entry's history with one `step` more, the oldest cut off. SQL, so that nobody need read it."""
    longer = func.coalesce(entry.c.history, "") + step
    return (
        func.substr(longer, -MAX_HISTORY_CHARS)
        if dialect == "sqlite"
        else func.right(longer, MAX_HISTORY_CHARS)
    )
