"""What a version of a result is recognised by, which results a report lists, and whom a name fits."""

import json

import sqlalchemy as sa
from alembic import op

from adapter.inbox.lineage import identity_marks
from adapter.person_names import name_and_birth_date

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_PAGE = 500
_RESULTS = ("DiagnosticReport", "Observation", "Procedure", "ServiceRequest", "Task")
_LISTS = {"DiagnosticReport": "result", "Observation": "hasMember"}


def upgrade() -> None:
    op.create_table(
        "cadre_name",
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("cadre", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("value", "cadre", name="pk_cadre_name"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cadre_name_cadre", "cadre_name", ["cadre"])
    op.create_table(
        "inbox_mark",
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("lineage", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("hospital", "type", "value", "lineage", name="pk_inbox_mark"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inbox_mark_lineage", "inbox_mark", ["lineage"])
    op.create_table(
        "inbox_listing",
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("member", sa.String(130), nullable=False),
        sa.Column("listed_by", sa.String(130), nullable=False),
        sa.PrimaryKeyConstraint("hospital", "member", "listed_by", name="pk_inbox_listing"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inbox_listing_listed_by", "inbox_listing", ["listed_by"])
    op.add_column("inbox_item", sa.Column("lineage", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("inbox_item", sa.Column("delivery", sa.String(32)))
    op.drop_index("ix_inbox_item_hospital_type_identity_id", table_name="inbox_item")
    for columns in (("digest",), ("lineage",), ("cadre",), ("settled_by", "state")):
        op.create_index(f"ix_inbox_item_{'_'.join((*columns, 'id'))}", "inbox_item", [*columns, "id"])
    connection = op.get_bind()
    _name_people(connection)
    _join_versions(connection)


def _name_people(connection: sa.Connection) -> None:
    record = sa.table("record", *(sa.column(name) for name in ("kind", "key", "body", "deleted")))
    people = sa.table("cadre_name", sa.column("value"), sa.column("cadre"))
    last = ""
    while True:
        query = (
            sa.select(record.c.key, record.c.body)
            .where(record.c.kind == "cadre", record.c.deleted.is_(sa.false()), record.c.key > last)
            .order_by(record.c.key)
        )
        page = connection.execute(query.limit(_PAGE)).all()
        if not page:
            return
        last = page[-1].key
        rows = []
        for key, body in page:
            person = json.loads(body)
            rows.append({"value": name_and_birth_date(person["name"], person["birth_date"]), "cadre": key})
        connection.execute(sa.insert(people), rows)


def _join_versions(connection: sa.Connection) -> None:
    """Versions were one result's by URL, or by the first identifier and code: so they stay."""
    names = ("id", "hospital", "type", "resource_id", "identity", "body", "lineage")
    item = sa.table("inbox_item", *(sa.column(name) for name in names))
    mark = sa.table("inbox_mark", *(sa.column(name) for name in ("hospital", "type", "value", "lineage")))
    listing = sa.table("inbox_listing", *(sa.column(name) for name in ("hospital", "member", "listed_by")))
    lineages: dict[tuple[str, ...], int] = {}
    marks: set[tuple[object, ...]] = set()
    listings: set[tuple[object, ...]] = set()
    last = 0
    while page := connection.execute(
        sa.select(item).where(item.c.id > last).order_by(item.c.id).limit(_PAGE)
    ).all():
        last = page[-1].id
        new_marks: set[tuple[object, ...]] = set()
        new_listings: set[tuple[object, ...]] = set()
        for row in page:
            by_url = (row.hospital, row.type, "url", row.resource_id)
            by_number = (row.hospital, row.type, "number", row.identity or "")
            lineage = lineages.get(by_url) or (lineages.get(by_number) if row.identity else None) or row.id
            lineages.setdefault(by_url, lineage)
            if row.identity and row.type in _RESULTS:
                lineages.setdefault(by_number, lineage)
            connection.execute(sa.update(item).where(item.c.id == row.id).values(lineage=lineage))
            resource = json.loads(row.body)
            if row.type in _RESULTS:
                found, alone = identity_marks(resource)
                new_marks |= {(row.hospital, row.type, value, lineage) for value in (*found, *alone)}
            for one in resource.get(_LISTS.get(row.type, "")) or ():
                member = one.get("reference") if isinstance(one, dict) else None
                if isinstance(member, str) and member.startswith("Observation/") and len(member) <= 130:
                    member = member.partition("/_history/")[0]
                    new_listings.add((row.hospital, member, f"{row.type}/{row.resource_id}"))
        _insert(connection, mark, new_marks - marks)
        _insert(connection, listing, new_listings - listings)
        marks |= new_marks
        listings |= new_listings


def _insert(connection: sa.Connection, table: sa.TableClause, rows: set[tuple[object, ...]]) -> None:
    if rows:
        names = [column.name for column in table.columns]
        connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in rows])
