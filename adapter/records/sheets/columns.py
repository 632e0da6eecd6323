"""A sheet and its columns: which header means which field, and how a cell is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any

from adapter.errors import ImportRefused
from adapter.records.sheets import cell_parsers
from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.vietnamese_text.readings import all_readings
from adapter.texts import current_language

__all__ = [
    "DELETED_COLUMN",
    "IGNORED_SHEETS",
    "KEY_FIELD",
    "REASON_COLUMN",
    "Column",
    "HeaderRow",
    "Sheet",
    "find_column",
    "find_header_row",
]

CellParser = Callable[[CellValue], Any]


@dataclass(frozen=True)
class Column:
    """A column: the field it fills, its header in both languages, its parser, what to expect of a cell.

    `expected` is a text of area `import`; `choice` names the list whose words a cell may say.
    """

    field: str
    vi: str
    en: str
    parse: CellParser
    expected: str
    required: bool = False
    choice: str | None = None
    aliases: tuple[str, ...] = ()

    def header(self, language: str) -> str:
        """The header in a language."""
        return self.vi if language == "vi" else self.en

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every header that means this column, folded."""
        return tuple(fold_label(name) for name in (self.field, self.vi, self.en, *self.aliases))


@dataclass(frozen=True, eq=False)  # there is one of each: what is remembered of it is found by identity
class Sheet:
    """The sheet of one kind of record."""

    kind: str
    vi: str
    en: str
    columns: tuple[Column, ...]
    aliases: tuple[str, ...] = ()

    def title(self, language: str) -> str:
        """The sheet's name in a language."""
        return self.vi if language == "vi" else self.en

    def column(self, field: str) -> Column:
        """The column of a field."""
        return next(column for column in self.columns if column.field == field)


KEY_FIELD = "key"
DELETED_COLUMN = Column(
    "deleted", "Xóa", "Deleted", cell_parsers.parse_boolean, "expect_boolean", choice="yes_no"
)
REASON_COLUMN = Column(
    "reason_rejected", "Lý do từ chối", "Rejected because", cell_parsers.cell_text, "expect_text"
)
IGNORED_SHEETS = frozenset(
    (
        *("huongdan", "guide", "rejects"),
        *("danhmucchiso", "danhmucdichvu", "danhmucthuthuat", "danhmucvacxin"),
        *("listofmeasures", "listofservices", "listofprocedures", "listofvaccines"),
    )
)


class HeaderRow:
    """The header row of one sheet, the `number`th: which cell holds which column. `complete`: one that lacks
    what is required is refused.
    """

    def __init__(
        self, sheet: Sheet, row: list[CellValue], *, source: str, number: int = 1, complete: bool = True
    ) -> None:
        known = _known(sheet)
        self.places: dict[str, int] = {}
        self.unknown: list[str] = []
        self.written: dict[str, str] = {}
        for place, cell in enumerate(row):
            title = cell_parsers.cell_text(cell)
            column = _column_of(known, cell) if title else None
            if column is None:
                if title:
                    self.unknown.append(title)
                continue
            if column.field in self.places:
                sheet_title = sheet.title(current_language())
                raise ImportRefused("import.header_twice", file=source, sheet=sheet_title, header=title)
            self.places[column.field] = place
            self.written[column.field] = title
        if complete:
            self._require(sheet, source, number)

    def _require(self, sheet: Sheet, source: str, number: int) -> None:
        missing = [column for column in sheet.columns if column.required and column.field not in self.places]
        if not missing:
            return
        nearest = {fold_label(title): title for title in self.unknown}
        lines = []
        for column in missing:
            close = [near for name in column.names for near in get_close_matches(name, nearest, 1, 0.6)]
            lines.append(column.header(current_language()) + (f" (? {nearest[close[0]]})" if close else ""))
        raise ImportRefused(
            "import.no_header",
            file=source,
            sheet=sheet.title(current_language()),
            missing="; ".join(lines),
            row=number,
        )

    def plan(self, sheet: Sheet) -> Iterator[tuple[Column, int]]:
        """The sheet's columns that the file has, and where."""
        places: Mapping[str, int] = self.places
        return ((column, places[column.field]) for column in sheet.columns if column.field in places)


@lru_cache(maxsize=100)
def _known(sheet: Sheet) -> Mapping[str, Column]:
    """Every header that means a column of the sheet, folded."""
    known = {
        name: column
        for column in (*sheet.columns, DELETED_COLUMN, REASON_COLUMN)
        for name in reversed(column.names)
    }
    # A field's own two headers win over another column's alias of the same spelling.
    return known | {fold_label(title): column for column in sheet.columns for title in (column.vi, column.en)}


def _column_of(known: Mapping[str, Column], cell: CellValue) -> Column | None:
    """The column of a header as written, also in the encoding of an old font."""
    if not isinstance(cell, str):
        return known.get(fold_label(cell_parsers.cell_text(cell)))
    columns = (known.get(fold_label(read)) for read in all_readings(cell))
    return next((column for column in columns if column), None)


def find_column(sheet: Sheet, title: str) -> Column | None:
    """The column that a header means; None if it is not known."""
    return _column_of(_known(sheet), title)


def find_header_row(sheet: Sheet, rows: Sequence[list[CellValue]]) -> int:
    """Which of the first rows is the header: the first that has most of the sheet's columns.

    Titles such as "DANH SÁCH CÁN BỘ NĂM 2026" stand above it. The first row, if none has any.
    """
    known = _known(sheet)

    def columns(row: list[CellValue]) -> int:
        found = (_column_of(known, cell) for cell in row if isinstance(cell, str))
        return len({column.field for column in found if column})

    counts = [columns(row) for row in rows]
    return counts.index(max(counts))
