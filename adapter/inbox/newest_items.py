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

from adapter.fhir.codec import dumps
from adapter.inbox.ordering import OLDER
from adapter.inbox.tables import inbox_item

__all__ = ["newest_of_each"]

_OUT_OF_ORDER = tuple(dumps([reason]).decode() for reason in OLDER)


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
    )
    last = select(inbox_item.c.id).where(*mine).order_by(inbox_item.c.id.desc()).limit(1)
    # a report shows what its parts are, not what came last; what came again under another name has that alone
    holding = last.where(inbox_item.c.reasons.not_in(_OUT_OF_ORDER))
    newest = func.coalesce(*(one.correlate(line).scalar_subquery() for one in (holding, last)))
    return select(line.c.key, newest).select_from(line)
