"""The first schema: records, ledger, repository, inbox, tokens, audit."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("hospital", sa.String(length=60), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "cadre_identifier",
        sa.Column("value", sa.String(length=32), nullable=False),
        sa.Column("cadre", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("value", "cadre", name="pk_cadre_identifier"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cadre_identifier_cadre", "cadre_identifier", ["cadre"], unique=False)
    op.create_table(
        "disclosure_refusal",
        sa.Column("hospital", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hospital", "subject", "kind", "reason", name="pk_disclosure_refusal"),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
    )
    op.create_table(
        "hospital_token",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("hospital", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("last_used", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token", name="pk_hospital_token"),
    )
    op.create_index("ix_hospital_token_hospital", "hospital_token", ["hospital"], unique=False)
    op.create_table(
        "import_row",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("sheet", sa.String(length=255), nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_import_row"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hospital", sa.String(length=60), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("resource_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=400), nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("cadre", sa.String(length=200), nullable=True),
        sa.Column("referral", sa.String(length=200), nullable=True),
        sa.Column("result_key", sa.String(length=120), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("settled_by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_item"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_inbox_item_hospital_type_identity_id",
        "inbox_item",
        ["hospital", "type", "identity", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbox_item_hospital_type_resource_id_id",
        "inbox_item",
        ["hospital", "type", "resource_id", "id"],
        unique=False,
    )
    op.create_index("ix_inbox_item_state_id", "inbox_item", ["state", "id"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("hospital", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("cadre", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("desired_digest", sa.String(length=32), nullable=True),
        sa.Column("sent_digest", sa.String(length=32), nullable=True),
        sa.Column("delivered_digest", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("mapping_version", sa.String(length=32), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=True),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.String(length=500), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("hospital", "identity", name="pk_ledger_entry"),
    )
    op.create_index("ix_ledger_entry_cadre", "ledger_entry", ["hospital", "cadre"], unique=False)
    op.create_index("ix_ledger_entry_record", "ledger_entry", ["kind", "key"], unique=False)
    op.create_index("ix_ledger_entry_remote", "ledger_entry", ["hospital", "type", "remote_id"], unique=False)
    op.create_index("ix_ledger_entry_state", "ledger_entry", ["hospital", "state"], unique=False)
    op.create_table(
        "ledger_hospital",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("planned_position", sa.Integer(), nullable=False),
        sa.Column("planned_version", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("last_contact", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_ledger_hospital"),
    )
    op.create_table(
        "ledger_shipment",
        sa.Column("hospital", sa.String(length=64), nullable=False),
        sa.Column("cadre", sa.String(length=200), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("wish", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("hospital", "cadre", name="pk_ledger_shipment"),
    )
    op.create_index("ix_ledger_shipment_due", "ledger_shipment", ["hospital", "due_at"], unique=False)
    op.create_table(
        "record",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("cadre", sa.String(length=200), nullable=False),
        sa.Column("former_cadre", sa.String(length=200), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("source_digest", sa.String(length=32), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=True),
        sa.Column("sheet", sa.String(length=255), nullable=True),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_record"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_record_cadre_kind", "record", ["cadre", "kind"], unique=False)
    op.create_index("ix_record_position", "record", ["position"], unique=False)
    op.create_table(
        "repository_index",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.Column("system", sa.String(length=256), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("owner", "type", "name", "value", "system", "id", name="pk_repository_index"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repository_index_resource", "repository_index", ["owner", "type", "id"], unique=False)
    op.create_table(
        "repository_resource",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "type", "id", name="pk_repository_resource"),
    )
    op.create_index(
        "ix_repository_resource_updated",
        "repository_resource",
        ["owner", "type", "updated", "id"],
        unique=False,
    )
    op.create_table(
        "repository_version",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "type", "id", "version", name="pk_repository_version"),
        sqlite_with_rowid=False,
    )
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
