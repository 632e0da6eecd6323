"""Values of a database driver as cells, so that what a workbook would say makes the same record. Pure."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any

from adapter.records.sheets import cell_parsers
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET, CellError, CellValue
from adapter.records.sheets.columns import Column

__all__ = ["as_text", "cell_reader", "is_zero_day"]

_ZONED = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_HAS_TIME = re.compile(r"\d[T ]\d|^\d{12}")
_NO_DAY = "0000-00-00"
_UNREADABLE = "\x00"  # which no column takes


def cell_reader(column: Column | None, zone: tzinfo) -> Callable[[Any], CellValue]:
    """How a result column's values are read; `zone` is that of times that say none.

    NULL is an empty cell. A DECIMAL loses the zeros that its column's scale adds, as a spreadsheet's
    number does; text keeps every digit. Times of a column that holds instants become Viet Nam's.
    """
    if column is None or column.parse not in (
        cell_parsers.parse_datetime,
        cell_parsers.parse_date_or_datetime,
        cell_parsers.parse_date,
    ):
        return _cell
    if column.parse is cell_parsers.parse_date:
        return lambda value: "" if is_zero_day(value) else _cell(value)

    def instant(value: Any) -> CellValue:
        if is_zero_day(value):
            return ""
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(VIETNAM_OFFSET)
        if isinstance(value, str) and zone is not VIETNAM_OFFSET:
            return _written(value, zone)
        return _cell(value)

    return instant


def is_zero_day(value: object) -> bool:
    """Whether it is MySQL's and MariaDB's 0000-00-00, which says that there is no date."""
    return value.__class__ is str and str(value).startswith(_NO_DAY)


def _written(value: str, zone: tzinfo) -> CellValue:
    """A time in words: the zone it says, else `zone`. A day without a time is that day in Viet Nam."""
    if not value.strip():
        return ""
    try:
        found = cell_parsers.parse_datetime(value)
    except CellError:
        return value
    if _ZONED.search(value.strip()) or not _HAS_TIME.search(value.strip()):
        return found
    return found.replace(tzinfo=zone).astimezone(VIETNAM_OFFSET)


def _cell(value: Any) -> CellValue:
    if value is None:
        return ""
    kind = value.__class__
    if kind is str or kind is int or kind is float or kind is bool or kind is date:
        return value
    if isinstance(value, datetime):
        return value.astimezone(VIETNAM_OFFSET) if value.tzinfo else value
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return as_text(bytes(value))
    if isinstance(value, list | tuple | set | frozenset):
        return "; ".join(str(_cell(one)) for one in value)
    return value if isinstance(value, date | time) else str(value)


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    return format(value.normalize() if value else Decimal(0), "f")


def as_text(value: bytes) -> str:
    """Bytes as UTF-8, or as what no column takes: such a row is rejected, and its bytes are not shown."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _UNREADABLE
