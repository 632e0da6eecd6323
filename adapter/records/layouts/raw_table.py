"""A table as a file holds it, before anything of it is understood."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.tab import Tab

__all__ = ["MergedRange", "NumberedRow", "RawTable"]

NumberedRow = tuple[int, list[CellValue]]
MergedRange = tuple[tuple[int, int], tuple[int, int]]  # first and last cell: row and column, from 0


@dataclass(frozen=True)
class RawTable:
    """A sheet of a workbook or a CSV. `size` is bytes; `rows` notes in a tab how many of them are read.

    `partial`: from a rejects file. `top` gives the first rows without reading all; `merged` its merged cells.
    """

    source: str
    name: str
    partial: bool
    size: int
    csv: bool
    rows: Callable[[Tab], Iterator[NumberedRow]]
    top: Callable[[], Sequence[NumberedRow]]
    merged: Callable[[], Sequence[MergedRange]] = tuple
