"""A referral's fulfilment, four words, becomes its state, of the referral guides."""

from collections.abc import Iterator

import orjson
import sqlalchemy as sa
from alembic import op

from adapter.fhir.codec import digest

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_STATES = {"none": "received", "in-progress": "accepted", "completed": "completed", "failed": "declined"}
_PAGE = 1000


def upgrade() -> None:
    connection = op.get_bind()
    _rewrite(connection, "record", ("kind", "key"), "body", has_digest=True)
    _rewrite(connection, "held_row", ("id",), "body", has_digest=True)
    _rewrite(connection, "import_change", ("run", "kind", "key"), "before", has_digest=False)


def _rewrite(
    connection: sa.Connection, name: str, key: tuple[str, ...], body: str, *, has_digest: bool
) -> None:
    """The digest of what the source decides stays: the fulfilment was none of it, nor is the state."""
    written = (body, "digest") if has_digest else (body,)
    table = sa.table(name, *map(sa.column, dict.fromkeys(("kind", *key, *written))))
    change = sa.update(table).where(*(table.c[one] == sa.bindparam(f"_{one}") for one in key))
    change = change.values({one: sa.bindparam(f"_{one}") for one in written})
    for page in _pages(connection, table, key, body):
        changed = []
        for row in page:
            values = row._asdict()
            values[body] = _with_state(values[body])
            if has_digest and values["digest"]:
                values["digest"] = digest(values[body].encode())
            changed.append({f"_{name}": values[name] for name in (*key, *written)})
        connection.execute(change, changed)


def _pages(
    connection: sa.Connection, table: sa.TableClause, key: tuple[str, ...], body: str
) -> Iterator[list[sa.Row[tuple[object, ...]]]]:
    columns = [table.c[one] for one in key]
    asked = sa.select(table).where(table.c.kind == "referral", table.c[body].like('%"fulfilment":%'))
    last: tuple[object, ...] | None = None
    while True:
        after = [] if last is None else [sa.tuple_(*columns) > sa.tuple_(*last)]
        page = list(connection.execute(asked.where(*after).order_by(*columns).limit(_PAGE)))
        if not page:
            return
        yield page
        last = tuple(getattr(page[-1], one) for one in key)


def _with_state(body: str) -> str:
    """The same fields in the same order, the state in the fulfilment's place."""
    fields = orjson.loads(body)
    return orjson.dumps(
        {
            "state" if name == "fulfilment" else name: _STATES[value] if name == "fulfilment" else value
            for name, value in fields.items()
        }
    ).decode()
