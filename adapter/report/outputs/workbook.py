"""The year's tables as a workbook to print: a sheet for each, numbers as numbers."""

import io
import re
from collections.abc import Sequence
from typing import Any

from adapter.report.outputs.tables import KEPT_BACK, YearTable

__all__ = ["workbook_bytes"]

_NOT_IN_A_SHEETS_NAME = re.compile(r"[\[\]:*?/\\]")
_LONGEST_NAME = 31  # characters, of Excel
_WIDEST = 60  # characters of a column


def workbook_bytes(tables: Sequence[YearTable], notes: Sequence[str]) -> bytes:
    """XLSX, landscape A4. `notes` stand below the first table."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    del book["Sheet"]
    for table in tables:
        sheet: Any = book.create_sheet(_NOT_IN_A_SHEETS_NAME.sub(" ", table.title)[:_LONGEST_NAME].strip())
        sheet.append([table.title])
        sheet.append([table.head, *table.columns])
        for row in table.rows:
            sheet.append([row.label, *(KEPT_BACK if one is None else one for one in row.cells)])
            sheet.cell(sheet.max_row, 1).data_type = "s"  # never a formula
        for line in notes if table is tables[0] else ():
            sheet.append([])
            sheet.append([line])
        sheet["A1"].font = Font(bold=True, size=14)
        for cell in sheet[2]:
            cell.font = Font(bold=True)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        longest = max((len(row.label) for row in table.rows), default=0)
        sheet.column_dimensions["A"].width = min(max(longest, len(table.head)) + 2, _WIDEST)
        for at in range(len(table.columns)):
            sheet.column_dimensions[chr(ord("B") + at)].width = 14
        sheet.freeze_panes = "B3"
        sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.print_title_rows = "2:2"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
