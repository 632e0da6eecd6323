"""The sample's rows as different clerks would write them: seeded layouts, headers, habits, kinds of file."""

import csv
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.sheets.cell_parsers import CellError, parse_datetime
from adapter.records.sheets.columns import Column
from adapter.records.sheets.layout import SHEETS

Row = Mapping[str, Any]
_DATES = ("{:%d/%m/%Y}", "{:%Y-%m-%d}", "{:%Y%m%d}", "{:%d-%m-%Y}", "{:%d.%m.%Y}")
_TONES = {"\u0300": b"\xcc", "\u0301": b"\xec", "\u0303": b"\xde", "\u0309": b"\xd2", "\u0323": b"\xf2"}
_DAYS = {"birth_date", "deceased_on", "recorded_on", "due_on", "expires_on"}


class Dialect:
    """One clerk. The same seed writes the same files."""

    def __init__(self, seed: int, measures: MeasureNames) -> None:
        self._random = random.Random(seed)  # noqa: S311 # a sample
        self._measures = measures
        pick = self._random.choice
        self.form = pick(["xlsx", "xlsx", "utf-8-sig", "utf-16", "cp1258"])
        self.separator = pick(";,\t")
        self.wide = pick([True, False])
        self.split_name = pick([None, "parts", "merged" if self.form == "xlsx" else "parts"])
        self.date = pick(_DATES)
        self.comma = pick([True, False])
        self.titles = pick([0, 1, 3])
        self.numbered = pick([True, False])
        self.grouped = pick([True, False])
        self.page = pick([None, 7])
        self.totals = pick([True, False])
        self.two_rows = self.form == "xlsx" and pick([True, False])
        self.headers = pick(["own", "alias", "upper", "noted"])

    def write(self, folder: Path, rows: Iterable[tuple[str, Row]]) -> Path:
        """Write the rows; the path to import."""
        found: dict[str, list[Row]] = defaultdict(list)
        for kind, row in rows:
            found[kind].append(row)
        pages = {}
        for sheet in SHEETS:
            some = found[sheet.kind]
            if sheet.kind == "measurement" and self.wide:
                pages["Kết quả theo hàng"] = self._wide(some)
            else:
                fields = [one for one in sheet.columns if any(row.get(one.field) is not None for row in some)]
                pages[sheet.vi] = self._long(sheet.kind, fields, some)
        return self._file(folder, pages)

    def _long(self, kind: str, columns: Sequence[Column], rows: Sequence[Row]) -> "_Page":
        titles, cells = [], [self._cells(columns, row) for row in rows]
        for column in columns:
            titles.append(self._title(column))
        merged = None
        if kind == "cadre" and self.split_name:
            place = [column.field for column in columns].index("name")
            merged = place if self.split_name == "merged" else None
            titles[place : place + 1] = ["Họ và tên", ""] if merged is not None else ["Họ và tên đệm", "Tên"]
            for row in cells:
                family, _, given = str(row[place]).rpartition(" ")
                row[place : place + 1] = [family, given]
        return _Page(titles, self._around(titles, cells), merged)

    def _cells(self, columns: Sequence[Column], row: Row) -> list[Any]:
        return [self._cell(column.field, row.get(column.field)) for column in columns]

    def _cell(self, field: str, value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, date):
            moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 # as cells are
            return self.date.format(moment) + (f" {moment:%H:%M}" if isinstance(value, datetime) else "")
        if field in _DAYS:
            try:
                return self.date.format(parse_datetime(value))
            except CellError:
                return value
        if field == "value" and isinstance(value, str) and value.replace(",", "").isdigit():
            return value if self.comma else value.replace(",", ".")
        return value

    def _title(self, column: Column) -> str:
        if self.headers == "alias" and column.aliases:
            return self._random.choice(column.aliases)
        if self.headers == "upper":
            return column.vi.upper()
        return f"{column.vi} (*)" if self.headers == "noted" else column.vi

    def _around(self, titles: Sequence[str], rows: list[list[Any]]) -> list[list[Any]]:
        """The rows with what is none between and below them."""
        out: list[list[Any]] = []
        if self.numbered:
            out.append([f"({place})" for place in range(1, len(titles) + 1)])
        for number, row in enumerate(rows):
            if self.grouped and number % 5 == 0:
                out.append(
                    [f"Khối số {number}: cơ quan Đảng"] if number % 2 else ["", "Khối cơ quan Nhà nước"]
                )
            if self.page and number and number % self.page == 0 and self.split_name != "merged":
                out.append(list(titles))
            out.append(row)
        if self.totals:
            out += [["Tổng cộng", len(rows)], ["", "Người lập biểu"]]
        return out

    def _wide(self, rows: Sequence[Row]) -> "_Page":
        by_visit: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in rows:
            by_visit[row["visit"]][row["measure"]] = row
        units = {row["measure"]: row.get("unit") for row in rows}
        titles = ["Mã lượt khám", *(self._measure_title(code, unit) for code, unit in units.items())]
        cells = []
        for visit, some in by_visit.items():
            cells.append([visit, *(self._cell("value", some.get(code, {}).get("value")) for code in units)])
        return _Page(titles, self._around(titles, cells), None)

    def _measure_title(self, code: str, unit: str | None) -> str:
        name = self._measures.measures[code].vi
        for title in (f"{name} ({unit})", f"{name} [{unit}]", f"{code} ({unit})") if unit else (name, code):
            found = self._measures.find(title)
            if found and (found.code, found.unit or None) == (code, unit):
                return title
        return code

    def _file(self, folder: Path, pages: Mapping[str, "_Page"]) -> Path:
        folder.mkdir(parents=True)
        if self.form == "xlsx":
            return self._workbook(folder / "year.xlsx", pages)
        for name, page in pages.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter=self.separator)
                writer.writerows(self._lines(page))
            text = (folder / f"{name}.csv").read_text("utf-8")
            content = _windows(text) if self.form == "cp1258" else text.encode(self.form)
            (folder / f"{name}.csv").write_bytes(content)
        return folder

    def _lines(self, page: "_Page") -> list[list[Any]]:
        above = [["SỔ THEO DÕI SỨC KHỎE"], ["", "Năm 2026"], [""]][: self.titles]
        return [*above, list(page.titles), *page.rows]

    def _workbook(self, path: Path, pages: Mapping[str, "_Page"]) -> Path:
        book = Workbook()
        book.remove(book.worksheets[0])
        for name, page in pages.items():
            sheet = book.create_sheet(name)
            lines = self._lines(page)
            header = self.titles
            two = self.two_rows and not (page.merged is not None)
            if two:  # the first two columns under a heading, all others merged downwards
                over = ["Thông tin chung", "", *page.titles[2:]]
                lines[header : header + 1] = [over, [*page.titles[:2], *[""] * (len(page.titles) - 2)]]
                lines = lines[: header + 2] + [
                    line for line in lines[header + 2 :] if line != list(page.titles)
                ]
            for line in lines:
                sheet.append([None if cell == "" else cell for cell in line])
            if self.titles:
                sheet.merge_cells(f"A1:{get_column_letter(len(page.titles))}1")
            if page.merged is not None:
                first, last = get_column_letter(page.merged + 1), get_column_letter(page.merged + 2)
                sheet.merge_cells(f"{first}{header + 1}:{last}{header + 1}")
            if two:
                sheet.merge_cells(f"A{header + 1}:B{header + 1}")
                for place in range(3, len(page.titles) + 1):
                    letter = get_column_letter(place)
                    sheet.merge_cells(f"{letter}{header + 1}:{letter}{header + 2}")
        book.save(path)
        return path


class _Page:
    def __init__(self, titles: list[str], rows: list[list[Any]], merged: int | None) -> None:
        self.titles, self.rows, self.merged = titles, rows, merged


def _windows(text: str) -> bytes:
    """Windows-1258, in which a tone stands behind its letter."""
    out = b""
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tone = next((one for one in parts if one in _TONES), "")
        plain = unicodedata.normalize("NFC", parts.replace(tone, "") if tone else letter)
        out += plain.encode("cp1258") + _TONES.get(tone, b"")
    return out
