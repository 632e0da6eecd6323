"""The statement that finds the newest version of each of many resources that hospitals sent."""

from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    String,
    bindparam,
    cast,
    column,
    func,
    select,
)

from adapter.inbox.tables import inbox_item

__all__ = ["newest_of_each"]

_OUT_OF_ORDER = '["older-version"]'


@cache
def newest_of_each(dialect: str) -> Select[Any]:
    """`Type/id` and number of the newest version at `hospital`. `rows`: `Type/id` -> [type, id]. Each is
    looked up by itself, however many versions it has.
    """
    rows: ColumnElement[Any] = bindparam("rows", type_=String)
    made = func.json_each(rows if dialect == "sqlite" else cast(rows, JSON))
    line = made.table_valued(column("key", String), column("value", JSON), name="line")
    mine = (
        inbox_item.c.hospital == bindparam("hospital"),
        inbox_item.c.type == line.c.value[0].as_string(),
        inbox_item.c.resource_id == line.c.value[1].as_string(),
        inbox_item.c.reasons != _OUT_OF_ORDER,
    )
    newest = select(inbox_item.c.id).where(*mine).order_by(inbox_item.c.id.desc()).limit(1)
    return select(line.c.key, newest.correlate(line).scalar_subquery()).select_from(line)
