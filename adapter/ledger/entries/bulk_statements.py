"""Many lines of the ledger in one statement: their keys and what differs go as one JSON text.

A statement for each line would be half of what a delivery costs: binding its parameters is Python's work,
line by line. SQLite and PostgreSQL both read JSON as a table.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    null,
    select,
    update,
)

from adapter.fhir import codec
from adapter.ledger.entries.row_values import SettlementRow
from adapter.ledger.schema import tables

__all__ = [
    "EntryInserter",
    "rows_parameter",
    "select_by_records",
    "select_for_settlement",
    "settlement_groups",
    "update_settled",
    "update_started",
]

_E = tables.entry
_OWN = ("delivered_digest", "sent_digest", "remote_id", "etag")  # what differs from line to line
_NEW = (  # what `row_values.desired_row` says of a new line, and whose it is
    *("hospital", "identity", "cadre", "type", "rank", "kind", "key", "state", "desired_digest", "body"),
    *("mapping_version", "attempts", "reason", "detail", "changed_at", "wished_at", "history"),
)
_SAME = ("state", "delivered_at", "attempts", "lookups", "reason", "detail", "changed_at")


def _listed(dialect: str) -> Any:
    """The parameter `rows` as a table: `key` is an identity, `value` the hospital and what is its own."""
    rows: ColumnElement[Any] = bindparam("rows", type_=String)
    made = func.json_each(rows if dialect == "sqlite" else cast(rows, JSON))
    return made.table_valued(column("key", String), column("value", JSON), name="line")


def _is_in(line: Any) -> ColumnElement[bool]:
    # The hospital comes from the list too: were it a parameter, SQLite would rather walk all its lines, by
    # the index on states, than look each of these up.
    return and_(_E.c.hospital == line.c.value[0].as_string(), _E.c.identity == line.c.key)


@cache
def select_for_settlement(dialect: str) -> Select[Any]:
    """The fields of `row_values.SettlementRow`. `rows`: identity -> nothing."""
    return select(*(_E.c[name] for name in SettlementRow._fields)).where(_is_in(_listed(dialect)))


@cache
def select_by_records(dialect: str, columns: tuple[ColumnElement[Any], ...]) -> Select[Any]:
    """The lines of some records at a hospital. `rows`: anything -> [kind, key]."""
    line = _listed(dialect)
    kind, key = (line.c.value[place].as_string() for place in (1, 2))
    # Not by its column, or SQLite would walk all lines of the hospital instead of those of each record.
    here = func.coalesce(_E.c.hospital, "") == line.c.value[0].as_string()
    return select(*columns).where(here, _E.c.kind == kind, _E.c.key == key)


@cache
def update_started(dialect: str) -> Update:
    """Lines become what `b_state` says, sent at `b_at`, where they are `b_before`. `rows`: identity ->
    [digest of the body that goes].
    """
    line = _listed(dialect)
    before = func.coalesce(_E.c.state, "") == bindparam("b_before")
    at = bindparam("b_at", type_=_E.c.sent_at.type)
    return (
        update(_E)
        .where(_is_in(line), before)
        .values(
            state=bindparam("b_state"),
            sent_digest=line.c.value[1].as_string(),
            delivered_digest=None,
            sent_at=at,
            lookups=0,
            changed_at=at,
            history=tables.append_history(dialect, bindparam("b_step")),
        )
    )


@cache
def update_settled(dialect: str) -> Update:
    """Lines after what became of them: parameters as of `settlement_groups`."""
    line = _listed(dialect)
    own = {name: line.c.value[place].as_string() for place, name in enumerate(_OWN, 1)}
    same = {name: bindparam(f"b_{name}", type_=_E.c[name].type) for name in _SAME}
    body = case((bindparam("b_keep") == 1, _E.c.body), else_=null())
    more = tables.append_history(dialect, bindparam("b_step"))
    return update(_E).where(_is_in(line)).values(**own, **same, body=body, history=more)


def rows_parameter(hospital: str, rows: Mapping[str, Sequence[str | None]]) -> str:
    """The parameter `rows`: identities, each with what is its own."""
    return codec.dumps({identity: [hospital, *own] for identity, own in rows.items()}).decode()


class EntryInserter:
    """Inserts lines of `row_values.desired_row`, all of one hospital and moment. Bound by SQLAlchemy, row by
    row, they take twice as long.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._instant = _E.c.changed_at.type.dialect_impl(dialect).bind_processor(dialect)

    @cached_property
    def _statement(self) -> tuple[str, Sequence[str] | None]:
        """SQL, and the order of its parameters where they have no names; most processes write no new line."""
        made = insert(_E).values({name: bindparam(name) for name in _NEW}).compile(dialect=self._dialect)
        return str(made), made.positiontup

    def write(
        self, connection: Connection, hospital: str, rows: Iterable[Mapping[str, Any]], now: datetime
    ) -> None:
        """Rows, each with its `cadre`."""
        at = self._instant(now) if self._instant else now
        same = {"hospital": hospital, "wished_at": at, "changed_at": at}
        lines = [{**row, **same, "state": row["state"].value} for row in rows]
        sql, order = self._statement
        given = lines if order is None else [tuple(map(line.__getitem__, order)) for line in lines]
        connection.exec_driver_sql(sql, given)


def settlement_groups(hospital: str, rows: Iterable[Mapping[str, Any]]) -> Sequence[dict[str, Any]]:
    """The parameters of `update_settled` for rows of `row_values.settlement_row`: one set for all that differ
    in nothing but their own, and nearly always one set for all.
    """
    found: dict[tuple[Any, ...], dict[str, list[str | None]]] = {}
    for row in rows:
        same = (row["b_keep"], row["b_step"], *(row[name] for name in _SAME))
        found.setdefault(same, {})[row["b_identity"]] = [row[name] for name in _OWN]
    return [
        {
            "b_keep": int(keep),
            "b_step": step,
            **{f"b_{name}": value for name, value in zip(_SAME, same, strict=True)},
            "rows": rows_parameter(hospital, own),
        }
        for (keep, step, *same), own in found.items()
    ]
