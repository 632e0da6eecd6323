"""Which columns may hold anybody's words."""

from adapter.records.sheets import cell_parsers, code_cells
from adapter.records.sheets.birth_date import parse_birth_date
from adapter.records.sheets.columns import Column, Sheet

__all__ = ["is_text"]

_OWN = {"name", "national_id", "old_national_id", "insurance"}  # of the cadre sheet: who it is
_REFERENCES = {"cadre", "visit"}  # looked at in the row that they refer to
_NO_TEXT = {
    cell_parsers.parse_boolean,
    parse_birth_date,
    cell_parsers.parse_date,
    cell_parsers.parse_date_or_datetime,
    cell_parsers.parse_datetime,
    cell_parsers.parse_decimal,
    code_cells.parse_ethnic_group,
    code_cells.parse_icd10,
    cell_parsers.parse_positive_integer,
    code_cells.parse_province,
    cell_parsers.parse_small_integer,
}


def is_text(sheet: Sheet, column: Column) -> bool:
    """Whether a column's cells may say anything, about anybody."""
    own = sheet.kind == "cadre" and column.field in _OWN
    return not (own or column.choice or column.field in _REFERENCES or column.parse in _NO_TEXT)
