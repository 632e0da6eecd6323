"""A column that a sheet does not have says nothing: what is stored of it stays. An empty cell clears it."""

from typing import Any

import orjson

from adapter.records.importing.stored_records import StoredRow
from adapter.records.sheets.columns import HeaderRow, Sheet

__all__ = ["absent_fields", "with_stored_fields"]

_MADE = frozenset({"key", "cadre"})  # of other cells, where they have no column of their own


def absent_fields(sheet: Sheet, headers: HeaderRow) -> frozenset[str]:
    """The fields that no column of this sheet says anything of."""
    return frozenset(column.field for column in sheet.columns) - headers.places.keys() - _MADE


def with_stored_fields(
    fields: dict[str, Any], stored: StoredRow | None, absent: frozenset[str]
) -> dict[str, Any]:
    """What was read of a row, and what is stored of the fields that it does not say."""
    if stored is None or stored.deleted or not stored.body:
        return fields
    before = orjson.loads(stored.body)
    return {**{name: before[name] for name in absent if name in before}, **fields}
