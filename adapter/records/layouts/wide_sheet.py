"""What a wide sheet may hold besides its measures: whose row it is, and which visit it is of."""

from dataclasses import replace

from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import Column, Sheet
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.vietnamese_text.readings import all_readings

__all__ = ["HELD_COLUMN", "PERSON_SHEET", "VISIT_SHEET", "WIDE_SHEET", "is_wide_name"]

PERSON_SHEET, VISIT_SHEET, _MEASUREMENT = SHEETS[:3]
_DAY_NAMES = ("ngày", "date", "ngày xét nghiệm", "ngày làm xét nghiệm", "ngày lấy mẫu", "ngày đo")


def _optional(column: Column) -> Column:
    more = _DAY_NAMES if column.field == "started_at" else ()
    return replace(column, required=False, aliases=(*column.aliases, *more))


# Of a rejects file: which held visit the row corrects, since what is corrected makes another key.
HELD_COLUMN = Column(
    "held_visit", "Thay lượt khám đang giữ", "Instead of held visit", cell_text, "expect_text"
)
WIDE_SHEET = Sheet(
    "measurement",
    "Kết quả theo hàng",
    "Results by row",
    (
        replace(_MEASUREMENT.column("cadre"), aliases=("cadre", "mã cb", "mã số cán bộ", "mã số")),
        _MEASUREMENT.column("visit"),
        *(_optional(one) for one in VISIT_SHEET.columns if one.field not in ("key", "cadre")),
        _MEASUREMENT.column("taken_at"),
        HELD_COLUMN,
    ),
    ("kết quả ngang", "bảng kết quả", "wide"),
)


_NAMES = {fold_label(name) for name in (WIDE_SHEET.vi, WIDE_SHEET.en, *WIDE_SHEET.aliases)}


def is_wide_name(name: str) -> bool:
    """Whether a sheet of this name is one of a row a visit and a column a measure."""
    return any(fold_label(read) in _NAMES for read in all_readings(name))  # of old fonts too
