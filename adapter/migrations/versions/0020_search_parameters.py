"""What is stored is found by all of R4's search parameters: it is indexed anew."""

from collections.abc import Iterable, Mapping
from typing import Any

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
    """A page of resources at a time, in the order of their keys: a handful of statements for each page. All
    of it is one transaction, so who is killed meanwhile begins anew and has lost no more than minutes.
    """
    stored = sa.table("repository_resource", *map(sa.column, (*_KEY, "deleted", "body")))
    place = tuple(stored.c[name] for name in _KEY)
    query = sa.select(*place, stored.c.deleted, stored.c.body).order_by(*place).limit(_PAGE)
    last = ("", "", "")
    while page := connection.execute(query.where(sa.tuple_(*place) > last)).all():
        last = (page[-1].owner, page[-1].type, page[-1].id)
        bodies = {(row.owner, row.type, row.id): row.body for row in page if row.body and not row.deleted}
        if bodies:
            _index_page(connection, bodies)


def _index_page(connection: sa.Connection, bodies: Mapping[tuple[str, str, str], bytes]) -> None:
    index = sa.table("repository_index", *map(sa.column, (*_KEY, "name", "system", "value")))
    spans = sa.table("repository_range", *map(sa.column, (*_KEY, "number", *RangeRow._fields)))
    place = tuple(index.c[name] for name in _KEY)
    mine = sa.and_(*(index.c[name] == sa.bindparam(f"of_{name}") for name in _KEY), index.c.name != _CONTENT)
    keys = [{f"of_{name}": part for name, part in zip(_KEY, key, strict=True)} for key in bodies]
    before: dict[tuple[str, str, str], set[str]] = {}
    there = sa.select(*place, index.c.value).where(
        sa.tuple_(*place).in_(list(bodies)), index.c.name != _CONTENT
    )
    for row in connection.execute(there):
        before.setdefault((row.owner, row.type, row.id), set()).add(row.value)
    connection.execute(sa.delete(index).where(mine), keys)
    plain: list[dict[str, Any]] = []
    ranges: list[dict[str, Any]] = []
    for key, body in bodies.items():
        whose = dict(zip(_KEY, key, strict=True))
        rows = index_rows(loads(body), None)
        found = {_as_before(row, before.get(key, ())) for row in rows if isinstance(row, IndexRow)}
        plain += ({**whose, **row._asdict()} for row in found)
        listed = [row for row in rows if isinstance(row, RangeRow)]
        ranges += ({**whose, **row._asdict(), "number": number} for number, row in enumerate(listed))
    for table, new in ((index, plain), (spans, ranges)):
        if new:
            connection.execute(sa.insert(table), new)


def _as_before(row: IndexRow, before: Iterable[str]) -> IndexRow:
    """A reference to this server's own URL stays known as a relative one: the URL is not known here."""
    if "://" in row.value and not row.system:
        relative = "/".join(row.value.rsplit("/", 2)[1:])
        if relative in before:
            return row._replace(value=relative)
    return row
