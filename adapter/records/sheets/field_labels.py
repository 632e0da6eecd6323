"""What a person reads for the name of a field."""

from adapter.records.sheets.layout import SHEETS
from adapter.texts import current_language

__all__ = ["field_label"]


def field_label(kind: str, field: str) -> str:
    """What a clerk calls a field of a record: its column's header in the language in use, else its name."""
    columns = (column for sheet in SHEETS if sheet.kind == kind for column in sheet.columns)
    return next((one.header(current_language()) for one in columns if one.field == field), field)
