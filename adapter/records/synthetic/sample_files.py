"""The sample year as files: one workbook, or a folder of CSVs. Same seed, same bytes."""

import csv
import os
import re
import tempfile
import zipfile
from collections import Counter
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from adapter.records.sheets.formula_cells import defused
from adapter.records.sheets.layout import SHEETS
from adapter.records.synthetic.sample_rows import sample_year

__all__ = ["write_csv", "write_workbook"]

_SHEETS = {sheet.kind: sheet for sheet in SHEETS}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip entry can have
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def write_workbook(path: Path, *, seed: int = 1, cadres: int = 934, year: int = 2026) -> dict[str, int]:
    """Write the sample year as XLSX with Vietnamese headers; the rows written, by kind."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    counts: Counter[str] = Counter()
    for kind, rows in groupby(sample_year(seed, cadres, year), key=lambda item: item[0]):
        columns = _SHEETS[kind].columns
        page = book.create_sheet(_SHEETS[kind].vi)
        page.freeze_panes = "A2"
        page.append([column.vi for column in columns])
        fields = [column.field for column in columns]
        for _, row in rows:
            page.append([row.get(field) for field in fields])
            counts[kind] += 1
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".xlsx")
    os.close(handle)
    temporary = Path(name)
    try:
        book.save(temporary)
        _same_bytes(temporary, path)
    finally:
        temporary.unlink()
    return dict(counts)


def _same_bytes(source: Path, target: Path) -> None:
    """Copy a workbook without the time it was written at."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            plain = zipfile.ZipInfo(entry.filename, _EPOCH)
            plain.compress_type = zipfile.ZIP_DEFLATED
            plain.external_attr = 0o600 << 16
            if entry.filename == "docProps/core.xml":
                new.writestr(plain, _STAMP.sub(rb"\g<1>2026-01-01T00:00:00Z", old.read(entry)))
                continue
            with old.open(entry) as content, new.open(plain, "w", force_zip64=False) as copy:
                while block := content.read(1 << 20):
                    copy.write(block)


def write_csv(folder: Path, *, seed: int = 1, cadres: int = 934, year: int = 2026) -> dict[str, int]:
    """Write the sample year as a folder of CSVs (UTF-8 with BOM, semicolons), one file a kind."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    for kind, rows in groupby(sample_year(seed, cadres, year), key=lambda item: item[0]):
        sheet = _SHEETS[kind]
        with (folder / f"{sheet.vi}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow([column.vi for column in sheet.columns])
            for _, row in rows:
                writer.writerow([defused(_cell(row.get(column.field))) for column in sheet.columns])
                counts[kind] += 1
    return dict(counts)


def _cell(value: Any) -> Any:
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else value
