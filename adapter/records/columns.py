"""A sheet and its columns: which header means which field, and how a cell is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from adapter.errors import ImportRefused
from adapter.records import formats
from adapter.records.choices import fold
from adapter.records.formats import Cell

__all__ = [
    "DELETED",
    "GUIDE",
    "KEY_FIELD",
    "REASON",
    "Column",
    "Headers",
    "Sheet",
    "column_named",
    "find_header",
]

Parse = Callable[[Cell], Any]


@dataclass(frozen=True)
class Column:
    """A column: the field it fills, its header in both languages, its parser, what to expect of a cell.

    `expected` is a text of area `import`; `choice` names the list whose words a cell may say.
    """

    field: str
    vi: str
    en: str
    parse: Parse
    expected: str
    required: bool = False
    choice: str | None = None
    aliases: tuple[str, ...] = ()

    def header(self, language: str) -> str:
        """The header in a language."""
        return self.vi if language == "vi" else self.en

    @property
    def names(self) -> tuple[str, ...]:
        """Every header that means this column, folded."""
        return tuple(fold(name) for name in (self.field, self.vi, self.en, *self.aliases))


@dataclass(frozen=True)
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
DELETED = Column("deleted", "Xóa", "Deleted", formats.boolean, "expect_boolean", choice="yes_no")
REASON = Column("reason_rejected", "Lý do từ chối", "Rejected because", formats.plain, "expect_text")
GUIDE = frozenset({"huongdan", "guide", "rejects"})


class Headers:
    """The header row of one sheet, the `number`th: which cell holds which column."""

    def __init__(self, sheet: Sheet, row: list[Cell], *, source: str, number: int = 1) -> None:
        known = _known(sheet)
        self.places: dict[str, int] = {}
        self.unknown: list[str] = []
        self.written: dict[str, str] = {}
        for place, cell in enumerate(row):
            title = formats.plain(cell)
            column = known.get(fold(title)) if title else None
            if column is None:
                if title:
                    self.unknown.append(title)
                continue
            if column.field in self.places:
                raise ImportRefused("import.header_twice", file=source, sheet=sheet.vi, header=title)
            self.places[column.field] = place
            self.written[column.field] = title
        self._require(sheet, source, number)

    def _require(self, sheet: Sheet, source: str, number: int) -> None:
        missing = [column for column in sheet.columns if column.required and column.field not in self.places]
        if not missing:
            return
        nearest = {fold(title): title for title in self.unknown}
        lines = []
        for column in missing:
            close = [near for name in column.names for near in get_close_matches(name, nearest, 1, 0.6)]
            lines.append(f"{column.vi} / {column.en}" + (f" (? {nearest[close[0]]})" if close else ""))
        raise ImportRefused(
            "import.no_header", file=source, sheet=sheet.vi, missing="; ".join(lines), row=number
        )

    def plan(self, sheet: Sheet) -> Iterator[tuple[Column, int]]:
        """The sheet's columns that the file has, and where."""
        places: Mapping[str, int] = self.places
        return ((column, places[column.field]) for column in sheet.columns if column.field in places)


def _known(sheet: Sheet) -> dict[str, Column]:
    """Every header that means a column of the sheet, folded."""
    known = {name: column for column in (*sheet.columns, DELETED, REASON) for name in reversed(column.names)}
    # A field's own two headers win over another column's alias of the same spelling.
    return known | {fold(title): column for column in sheet.columns for title in (column.vi, column.en)}


def column_named(sheet: Sheet, title: str) -> Column | None:
    """The column that a header means; None if it is not known."""
    return _known(sheet).get(fold(title))


def find_header(sheet: Sheet, rows: Sequence[list[Cell]]) -> int:
    """Which of the first rows is the header: the first that has most of the sheet's columns.

    Titles such as "DANH SÁCH CÁN BỘ NĂM 2026" stand above it. The first row, if none has any.
    """
    known = _known(sheet)

    def columns(row: list[Cell]) -> int:
        found = (known.get(fold(formats.plain(cell))) for cell in row if isinstance(cell, str))
        return len({column.field for column in found if column})

    counts = [columns(row) for row in rows]
    return counts.index(max(counts))
