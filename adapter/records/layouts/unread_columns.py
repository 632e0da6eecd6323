"""Columns of a table of measures that were not read though they may be measures: a person must not miss them.

One may be a measure where it has values, and its header comes near a measure's name or most of its cells are
numbers. Rows of T0 people decide nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableReading
from adapter.records.sheets.cell_parsers import CellValue, cell_text, is_number
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.words import words_line
from adapter.texts import current_language

__all__ = ["UnreadColumns", "may_be_measure"]

_ROWS = 500  # that are looked at
_NUMBER = re.compile(r"[<>≤≥]?=?\s*\d+(?:[.,]\d+)*\s*%?")
# Numbers that clerks keep beside the results.
_BESIDE = frozenset(
    map(
        fold_label,
        (
            *("STT", "TT", "Số TT", "Số thứ tự", "No", "No.", "Tuổi", "Age", "Năm", "Year", "Tháng", "Lần"),
            *("Số phiếu", "Số hồ sơ", "Số bệnh án", "Mã bệnh phẩm", "Mã mẫu", "Số mẫu", "Barcode", "Mã vạch"),
            *("Phòng", "Giường", "Khoa", "Ghi chú", "Note", "Notes", "Đơn giá", "Thành tiền", "Số tiền"),
        ),
    )
)


def may_be_measure(header: str, candidates: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether an unknown column of a table of measures, with some of its cells, may be one."""
    if fold_label(header.rpartition(" / ")[2]) in _BESIDE:
        return False
    numbers = sum(bool(_NUMBER.fullmatch(text)) for text in texts)
    return bool(candidates) or numbers * 2 > len(texts)


class UnreadColumns:
    """The unknown columns of one table. `warn` says something of the sheet; `measures` have the names."""

    def __init__(
        self, reading: TableReading, measures: MeasureNames, warn: Callable[..., None], *, partial: bool
    ) -> None:
        self._header = reading.header
        self._measures = measures
        self._warn = warn
        self._rows: dict[int, tuple[int, int]] = {}  # bits of the columns that are filled, and with a number
        self._open: list[ColumnReading] = []
        for one in reading.having(ColumnRole.UNKNOWN):
            if partial or self._names(one) & _BESIDE:
                self._leave(one)
            else:
                self._open.append(one)

    def note(self, number: int, cells: Sequence[CellValue]) -> None:
        """A row that has measures."""
        if not self._open or len(self._rows) >= _ROWS:
            return
        filled = numbers = 0
        for bit, one in enumerate(self._open):
            cell = cells[one.place] if one.place < len(cells) else ""
            if cell not in ("", None):
                filled |= 1 << bit
                numbers |= (is_number(cell) or bool(_NUMBER.fullmatch(cell_text(cell)))) << bit
        self._rows[number] = filled, numbers

    def forget(self, numbers: Iterable[int]) -> None:
        """These rows are T0 people's."""
        for number in numbers:
            self._rows.pop(number, None)

    def finish(self) -> None:
        """All rows were read."""
        for bit, one in enumerate(self._open):
            filled = sum(seen >> bit & 1 for seen, _ in self._rows.values())
            numbers = sum(seen >> bit & 1 for _, seen in self._rows.values())
            may_be_one = filled and (one.candidates or numbers * 2 > filled)
            (self._say if may_be_one else self._leave)(one)
        self._open = []

    def _names(self, column: ColumnReading) -> set[str]:
        return {fold_label(title) for title in self._header.titles[column.place]}

    def _leave(self, column: ColumnReading) -> None:
        self._warn("import.unknown_column", header=column.title)

    def _say(self, column: ColumnReading) -> None:
        word = self._header.titles[column.place][-1] or column.title
        line = words_line("measure", word)
        near = ", ".join(map(self._named, column.candidates))
        text = "import.unread_column_near" if near else "import.unread_column"
        self._warn(text, header=column.title, line=line, candidates=near)

    def _named(self, code: str) -> str:
        known = self._measures.measures[code]
        return f"{code} ({known.vi if current_language() == 'vi' else known.en})"
