"""A row of a sheet as it was read: the fields of a record, every bad cell, and what is said of it."""

from dataclasses import dataclass, field
from typing import Any

from adapter.records.plausible.finding import Finding
from adapter.records.sheets.cell_parsers import CellValue

__all__ = ["ConvertedCell", "InvalidCell", "ParsedRow", "RowRemarks", "remarks_of"]


@dataclass(frozen=True, slots=True)
class InvalidCell:
    """A cell that is wrong. `expected` is a text key of area `import`; `hidden`: its value is not shown."""

    column: str
    value: str
    expected: str
    params: dict[str, object] = field(default_factory=dict)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ConvertedCell:
    """One cell that was read in another encoding."""

    column: str
    encoding: str
    before: str
    after: str


@dataclass(slots=True)
class RowRemarks:
    """What is said of a row though every cell can be read. `held`: why it waits for a person; `notes`: what
    the report says of it, `certain` only where the same is said of others; `converted`: cells that were read
    in another encoding; `lost`: fields whose cells could not be read, and were left out.
    """

    held: list[Finding] = field(default_factory=list)
    notes: list[InvalidCell] = field(default_factory=list)
    certain: list[InvalidCell] = field(default_factory=list)
    converted: list[ConvertedCell] = field(default_factory=list)
    lost: dict[str, InvalidCell] = field(default_factory=dict)


@dataclass(slots=True)
class ParsedRow:
    """A row. `key` is None when its cell cannot be read; `warning` a text key.

    `refused`: a T0 person's. `withheld`: perhaps one's, so it is neither imported nor copied anywhere.
    `is_empty`: it says that there is no such value. `is_anothers`: what is stored under the key is another
    person's, so that nothing of it is this row's.
    """

    number: int
    cells: list[CellValue]
    key: str | None
    fields: dict[str, Any]
    bad: list[InvalidCell]
    deleted: bool = False
    refused: bool = False
    withheld: bool = False
    is_anothers: bool = False
    is_empty: bool = False
    warning: str | None = None
    refused_above: int = 0
    remarks: RowRemarks | None = None
    other_cells: list[CellValue] | None = None

    @property
    def as_read(self) -> list[CellValue]:
        """The cells as they were read: those of the file, unless a whole column was read otherwise."""
        return self.cells if self.other_cells is None else self.other_cells

    @property
    def kept_number(self) -> int:
        """The row's number as it is kept: that of the sheet without the rows of T0 people."""
        return self.number - self.refused_above


def remarks_of(row: ParsedRow) -> RowRemarks:
    """The remarks on a row, to add to: most rows have none."""
    if row.remarks is None:
        row.remarks = RowRemarks()
    return row.remarks
