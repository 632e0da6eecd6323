"""The year's tables as one CSV, a line for each figure: so a spreadsheet turns it as it likes."""

import csv
import io
from collections.abc import Sequence

from adapter.records.sheets.formula_cells import defused
from adapter.report.outputs.tables import YearTable, shown_figure

__all__ = ["csv_bytes"]


def csv_bytes(tables: Sequence[YearTable], headers: Sequence[str]) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets expect Vietnamese. `headers`: of table, row, column and
    figure.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([defused(one) for one in headers])
    for table in tables:
        for row in table.rows:
            for column, figure in zip(table.columns, row.cells, strict=True):
                if figure != "":
                    line = (table.title, row.label, column, shown_figure(figure))
                    writer.writerow([defused(one) for one in line])
    return text.getvalue().encode("utf-8-sig")
