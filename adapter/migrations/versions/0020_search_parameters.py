"""What is stored is found by all of R4's search parameters: it is indexed anew."""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

from adapter.fhir.codec import loads
from adapter.repository.search_extraction import IndexRow, RangeRow
from adapter.repository.search_index import index_rows

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_PAGE = 200
_CONTENT = "_content"
_KEY = ("owner", "type", "id")


def upgrade() -> None:
    texts = [sa.Column(name, sa.String(256), nullable=False) for name in ("system", "code", "unit")]
    op.create_table(
        "repository_range",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *texts,
        sa.PrimaryKeyConstraint(
            "owner", "type", "name", "key", "low", "high", "id", "number", name="pk_repository_range"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repository_range_resource", "repository_range", list(_KEY))
    _index_again(op.get_bind())


def _index_again(connection: sa.Connection) -> None:
    """A page of resources at a time, in the order of their keys."""
    stored = sa.table("repository_resource", *map(sa.column, (*_KEY, "deleted", "body")))
    place = tuple(stored.c[name] for name in _KEY)
    last = ("", "", "")
    while True:
        query = sa.select(*place, stored.c.deleted, stored.c.body).where(sa.tuple_(*place) > last)
        page = connection.execute(query.order_by(*place).limit(_PAGE)).all()
        if not page:
            return
        last = (page[-1].owner, page[-1].type, page[-1].id)
        for row in page:
            if row.body and not row.deleted:
                _index_one(connection, (row.owner, row.type, row.id), row.body)


def _index_one(connection: sa.Connection, key: tuple[str, str, str], body: bytes) -> None:
    index = sa.table("repository_index", *map(sa.column, (*_KEY, "name", "system", "value")))
    spans = sa.table("repository_range", *map(sa.column, (*_KEY, "number", *RangeRow._fields)))
    mine = sa.and_(*(index.c[name] == value for name, value in zip(_KEY, key, strict=True)))
    mine = sa.and_(mine, index.c.name != _CONTENT)
    before = set(connection.execute(sa.select(index.c.value).where(mine)).scalars())
    connection.execute(sa.delete(index).where(mine))
    whose = dict(zip(_KEY, key, strict=True))
    rows = index_rows(loads(body), None)
    found = {_as_before(row, before) for row in rows if isinstance(row, IndexRow)}
    if found:
        connection.execute(sa.insert(index), [{**whose, **row._asdict()} for row in found])
    ranges = [row for row in rows if isinstance(row, RangeRow)]
    if ranges:
        listed = [{**whose, **row._asdict(), "number": number} for number, row in enumerate(ranges)]
        connection.execute(sa.insert(spans), listed)


def _as_before(row: IndexRow, before: Iterable[str]) -> IndexRow:
    """A reference to this server's own URL stays known as a relative one: the URL is not known here."""
    if "://" in row.value and not row.system:
        relative = "/".join(row.value.rsplit("/", 2)[1:])
        if relative in before:
            return row._replace(value=relative)
    return row
