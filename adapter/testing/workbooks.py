"""Workbooks made from another: its first people alone, or with some cells changed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from python_calamine import CalamineWorkbook

__all__ = ["first_people", "with_cells"]

Row = dict[str, Any]


def first_people(source: Path, target: Path, people: int = 1, measures: int = 10) -> Path:
    """A workbook of a sample's first people with a few measurements each."""
    seen: dict[str, int] = {}

    def keep(sheet: str, row: Row) -> bool:
        whose = _whose(row)
        seen[whose] = seen.get(whose, 0) + (sheet == "Chỉ số")
        return int(whose[3:]) <= people and (sheet != "Chỉ số" or seen[whose] <= measures)

    return with_cells(source, target, keep)


def with_cells(source: Path, target: Path, keep: Callable[[str, Row], bool]) -> Path:
    """A copy of a workbook. `keep` is asked for every row (its sheet's name, its cells by column), may
    change the cells, and says whether the row stays.
    """
    read = CalamineWorkbook.from_path(source)
    written = Workbook(write_only=True)
    for name in read.sheet_names:
        rows = read.get_sheet_by_name(name).to_python()
        header, *rest = rows or [[]]
        sheet = written.create_sheet(name)
        sheet.append(header)
        for cells in rest:
            row = dict(zip(map(str, header), cells, strict=False))
            if any(cell != "" for cell in cells) and keep(name, row):
                sheet.append([None if cell == "" else cell for cell in row.values()])
    written.save(target)
    return target


def _whose(row: Mapping[str, Any]) -> str:
    """The key of the person that a row is about."""
    return str(row.get("Mã cán bộ") or row["Mã lượt khám"]).split(".")[0]
