"""A day without a time, stored as its midnight, is a day: in records, held rows and earlier states."""

import re
from collections.abc import Iterator

import orjson
import sqlalchemy as sa
from alembic import op

from adapter.fhir.codec import digest

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KINDS = ("visit", "measurement", "procedure", "referral")
_MIDNIGHT = re.compile(
    r'("(?:started_at|ended_at|taken_at|ordered_at)":"\d{4}-\d\d-\d\d)T00:00:00(?:\.0+)?\+07:00"'
)
_SINCE_SENT = ("fulfilment", "fulfilled_at", "fulfilled_by")
_PAGE = 1000


def upgrade() -> None:
    connection = op.get_bind()
    _rewrite(connection, "record", ("kind", "key"), "body", ("digest", "source_digest"))
    _rewrite(connection, "held_row", ("id",), "body", ("digest",))
    _rewrite(connection, "import_change", ("run", "kind", "key"), "before", ())


def _rewrite(
    connection: sa.Connection, name: str, key: tuple[str, ...], body: str, digests: tuple[str, ...]
) -> None:
    table = sa.table(name, *map(sa.column, dict.fromkeys(("kind", *key, body, *digests))))
    change = sa.update(table).where(*(table.c[one] == sa.bindparam(f"_{one}") for one in key))
    change = change.values({one: sa.bindparam(f"_{one}") for one in (body, *digests)})
    for page in _pages(connection, table, key, body):
        changed = []
        for row in page:
            values = row._asdict()
            written = _MIDNIGHT.sub(r'\1"', values[body])
            if written != values[body]:
                new = {one: _digest(one, values, body, written) for one in digests}
                changed.append({f"_{one}": value for one, value in (values | new | {body: written}).items()})
        if changed:
            connection.execute(change, changed)


def _pages(
    connection: sa.Connection, table: sa.TableClause, key: tuple[str, ...], body: str
) -> Iterator[list[sa.Row[tuple[object, ...]]]]:
    columns = [table.c[one] for one in key]
    asked = sa.select(table).where(table.c.kind.in_(_KINDS), table.c[body].like("%T00:00:00%"))
    last: tuple[object, ...] | None = None
    while True:
        after = [] if last is None else [sa.tuple_(*columns) > sa.tuple_(*last)]
        page = list(connection.execute(asked.where(*after).order_by(*columns).limit(_PAGE)))
        if not page:
            return
        yield page
        last = tuple(getattr(page[-1], one) for one in key)


def _digest(name: str, values: dict[str, object], body: str, written: str) -> str | None:
    """The digest of the new body. A referral's source digest leaves out what hospitals said."""
    if name == "digest" or values["source_digest"] == values["digest"]:
        return digest(written.encode())
    if values["source_digest"] == _of_source(str(values[body])):
        return _of_source(written)
    return None  # the next import compares the whole


def _of_source(body: str) -> str:
    fields = {name: value for name, value in orjson.loads(body).items() if name not in _SINCE_SENT}
    return digest(orjson.dumps(fields))
