"""The sample's rows as different clerks would write them: seeded layouts, headers, habits, types of file."""

import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dialect_files import CSV_ENCODINGS, WORKBOOKS, Grid, write_csvs, write_workbook
from legacy_text import WRITERS

from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.sheets.cell_parsers import CellError, parse_datetime
from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.columns import Column, Sheet
from adapter.records.sheets.layout import SHEETS

__all__ = ["Dialect"]

Row = Mapping[str, Any]
_PERSON, _VISIT, _MEASUREMENT = SHEETS[:3]
_DATES = ("{:%d/%m/%Y}", "{:%Y-%m-%d}", "{:%Y%m%d}", "{:%d-%m-%Y}", "{:%d.%m.%Y}", "{0.day}/{0.month}/{0:%Y}")
_TIMES = ("{:%H:%M}", "{:%Hh%M}", "{:%H:%M:00}")
_DAYS = {"birth_date", "deceased_on", "recorded_on", "due_on", "expires_on", "given_at"}
_MOMENTS = {"started_at", "ended_at", "taken_at", "ordered_at"}
_KEYS = {"key", "cadre", "visit", "measure", "hospital", "service", "code", "vaccine", "supporting", "tier"}
_NUMBERS = {"phone", "national_id", "old_national_id"}
_WIDE_NAMES = ("Kết quả theo hàng", "Results by row", "kết quả ngang", "bảng kết quả")
_SEX = {"Nam": ("Nam", "nam", "NAM", "M", "1"), "Nữ": ("Nữ", "nữ", "NỮ", "F", "2")}
_YES = {"Có": ("Có", "x", "1", "có", "C\u00f3 "), "Không": ("Không", "0", "không", "KHÔNG", "no")}
_PRESSURE = "VS-BP"


class Dialect:
    """One clerk. The same seed writes the same files."""

    def __init__(self, seed: int, measures: MeasureNames) -> None:
        self._random = random.Random(seed)  # noqa: S311 # a sample
        self._measures = measures
        self._tiers: set[str] = set()
        pick = self._random.choice
        self.form = (*WORKBOOKS, "csv")[seed % 5]
        book = self.form != "csv"
        merges = self.form in ("xlsx", "xls")
        # An XLS has no room for all measurements one below the other.
        self.results = pick(
            ["wide", "beside visits"] if self.form == "xls" else ["long", "wide", "beside visits", "long"]
        )
        self.encoding = CSV_ENCODINGS[seed // 5 % len(CSV_ENCODINGS)]
        self.separator = pick(";,\t")
        self.said, self.quoted, self.ending = pick([True, False]), pick([True, False]), pick(["\r\n", "\n"])
        self.font = pick([*WRITERS, *[None] * 12]) if book else None
        self.mac = merges and pick([True, False, False])
        self.real_dates = book and pick([True, False])
        self.real_numbers = book and pick([True, False])
        self.date, self.time = pick(_DATES), pick(_TIMES)
        self.point = pick([",", "."])
        self.split_name = pick([None, "parts", "merged" if merges else "parts"])
        self.titles = pick([0, 1, 3])
        self.numbered, self.grouped, self.totals = (pick([True, False]) for _ in range(3))
        self.page = pick([None, 7, 40])
        self.two_rows = merges and pick([True, False])
        self.down = self.form == "xlsx" and pick([True, False])
        self.headers = pick(["own", "own", "alias", "upper", "noted", "english", "both", "numbered", "apart"])
        # In capitals a font's letters become others: such a name is asked about.
        self.sheets = pick(["own", "english", "alias", "plain"] + ["upper"] * (not self.font))
        self.running = pick([True, False])  # a first column with running numbers
        self.remarks = pick([True, False])  # a last column that nobody knows
        self.shuffled = pick([True, False])
        self.choices = pick(["own", "english", "upper", "code"])
        self.spaces = pick(["", " ", "\xa0", "  "])
        self.apart = not self.font and pick(
            [False, False, True]
        )  # marks apart from their letters, as a Mac writes them
        self.phone = pick(["{}", "{:.4} {:.3} {}", "{:.4}.{:.3}.{}", "+84", "number" if book else "{}"])
        self.number = pick(["own", "grouped", "number" if book else "own"])
        self.units_below = book and pick([True, False])
        self.others = pick([True, False])  # sheets that are none of ours

    def __repr__(self) -> str:
        return str({name: value for name, value in vars(self).items() if name[0] != "_"})

    @property
    def long(self) -> bool:
        """Whether a measurement has a row of its own, with its range and flag."""
        return self.results == "long"

    # cells ----------------------------------------------------------------------------------------

    def _cell(self, column: Column, row: Row) -> Any:
        value, field = row.get(column.field), column.field
        if value is None or value == "":
            return ""
        if field in _DAYS | _MOMENTS or isinstance(value, date):
            return self._day(value)
        if field in ("value", "low", "high"):
            return self._number(value)
        if field in _NUMBERS:
            return self._digits(field, str(value))
        if column.choice and field != "tier":
            return self._choice(column.choice, str(value))
        return self._text(value) if isinstance(value, str) and field not in _KEYS else value

    def _day(self, value: Any) -> Any:
        try:
            moment = parse_datetime(value).replace(tzinfo=None)
        except CellError:
            return value  # a year alone
        whole = moment.hour == moment.minute == 0
        if self.real_dates:
            return moment.date() if whole and self.form != "xlsb" else moment
        return self.date.format(moment) + ("" if whole else f" {self.time.format(moment)}")

    def _number(self, value: Any) -> Any:
        text = str(value).replace(",", ".")
        try:
            number = float(text)
        except ValueError:
            return self._text(value) if isinstance(value, str) and text != str(value) else value
        if self.real_numbers and f"{number:.15g}" == text:
            return number
        return text.replace(".", self.point)

    def _digits(self, field: str, value: str) -> Any:
        if field != "phone":
            if self.number == "number":
                return int(value) if not value.startswith("00") and field == "national_id" else value
            return " ".join((value[:3], value[3:6], value[6:])) if self.number == "grouped" else value
        if self.phone == "number":
            return int(value)
        if self.phone == "+84":
            return f"+84{value[1:]}"
        return self.phone.format(*([value] if self.phone == "{}" else (value[:4], value[4:7], value[7:])))

    def _choice(self, name: str, value: str) -> str:
        known = _SEX if name == "sex" else _YES
        if name in ("sex", "yes_no"):
            return self._text(
                known[value][self._random.randrange(2) if name == "sex" else 0]
                if self.choices == "own"
                else self._random.choice(known[value])
            )
        choice = CHOICE_LISTS[name]
        if self.choices == "own" or ";" in value:
            return self._text(value)
        code = choice.parse(value)
        if self.choices == "code":
            return code
        label = choice.label(code, "en" if self.choices == "english" else "vi")
        return self._text(label.upper() if self.choices == "upper" else label)

    def _text(self, value: str) -> str:
        """With spaces too many, with marks apart from their letters, or in an old font."""
        if self.font:
            return WRITERS[self.font](unicodedata.normalize("NFC", value))
        spaced = value.replace(" ", f" {self.spaces}", 1) + self.spaces
        return unicodedata.normalize("NFD", spaced) if self.apart and self.encoding_knows_marks else spaced

    @property
    def encoding_knows_marks(self) -> bool:
        return self.form != "csv" or self.encoding != "cp1258"

    # headers --------------------------------------------------------------------------------------

    def _title(self, column: Column, place: int) -> str:
        vi = column.vi
        known = {
            "alias": self._random.choice(column.aliases) if column.aliases else vi,
            "upper": vi.upper(),
            "noted": f"{vi} (*)",
            "english": column.en,
            "both": f"{vi} / {column.en}",
            "numbered": f"{place + 1}. {vi}",
            "apart": unicodedata.normalize("NFD", vi) if self.encoding_knows_marks and not self.font else vi,
        }
        return self._old(known.get(self.headers, vi))

    def _old(self, title: str) -> str:
        return WRITERS[self.font](title) if self.font else title

    def _sheet_name(self, sheet: Sheet) -> str:
        plain = "".join(
            one for one in unicodedata.normalize("NFD", sheet.vi) if not unicodedata.combining(one)
        )
        known = {
            "english": sheet.en,
            "alias": self._random.choice(sheet.aliases),
            "upper": sheet.vi.upper(),
            "plain": plain.replace("đ", "d").replace("Đ", "D"),
        }
        return self._old(known.get(self.sheets, sheet.vi)).replace("\x90", "")

    # sheets ---------------------------------------------------------------------------------------

    def write(self, folder: Path, rows: Iterable[tuple[str, Row]]) -> Path:
        """Write the rows; the path to import."""
        found: dict[str, list[Row]] = defaultdict(list)
        for kind, row in rows:
            found[kind].append(row)
        by_visit: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in found["measurement"]:
            by_visit[row["visit"]][row["measure"]] = row
        grids = []
        for sheet in SHEETS:
            some = found[sheet.kind]
            if sheet is _MEASUREMENT and not self.long:
                if self.results == "wide":
                    grids.append(self._wide(by_visit, found["measurement"]))
            else:
                grids.append(self._long(sheet, some, by_visit, found["measurement"]))
        if self.others:
            grids[1:1] = [
                Grid("Ghi chú chung", [["Nộp trước ngày 15"], ["", "Hỏi chị Lan"]]),
                Grid("Sheet3", []),
            ]
        folder.mkdir(parents=True)
        if self.form != "csv":
            path = folder / f"year.{self.form}"
            write_workbook(path, grids, mac=self.mac)
            return path
        write_csvs(
            folder,
            grids,
            self.encoding,
            self.separator,
            said=self.said,
            quoted=self.quoted,
            ending=self.ending,
        )
        return folder

    def _long(
        self,
        sheet: Sheet,
        rows: Sequence[Row],
        by_visit: Mapping[str, Mapping[str, Row]],
        measured: Sequence[Row],
    ) -> Grid:
        columns = [one for one in sheet.columns if any(row.get(one.field) is not None for row in rows)]
        if self.shuffled and not (self.down and sheet is _MEASUREMENT):
            self._random.shuffle(columns)
        titles = [self._title(column, place) for place, column in enumerate(columns)]
        self._tiers = {title for title, one in zip(titles, columns, strict=True) if one.field == "tier"}
        cells = [[self._cell(column, row) for column in columns] for row in rows]
        spans: list[tuple[int, int]] = []
        if sheet is _PERSON and self.split_name:
            place = [column.field for column in columns].index("name")
            two = ["Họ và tên", ""] if self.split_name == "merged" else ["Họ và tên đệm", "Tên"]
            titles[place : place + 1] = map(self._old, two)
            spans = [(place, place + 1)] if self.split_name == "merged" else []
            for row in cells:
                family, _, given = (
                    str(row[place]) if self.font else str(row[place]).strip("\xa0 ")
                ).rpartition(" ")
                row[place : place + 1] = [family, given]
        if sheet is _VISIT and self.results == "beside visits":
            units = {row["measure"]: row.get("unit") for row in measured}
            titles += [self._measure_title(code, unit) for code, unit in units.items()]
            for row, source in zip(cells, rows, strict=True):
                row += [self._measure_cell(by_visit, source["key"], code) for code in units]
        down = (
            [column.field for column in columns].index("visit")
            if self.down and sheet is _MEASUREMENT
            else None
        )
        return self._grid(self._sheet_name(sheet), titles, cells, spans, down=down)

    def _wide(self, by_visit: Mapping[str, Mapping[str, Row]], rows: Sequence[Row]) -> Grid:
        units = {row["measure"]: row.get("unit") for row in rows}
        below = self.units_below and not self.font
        titles = [self._title(_MEASUREMENT.column("visit"), 0)]
        titles += [self._measure_title(code, None if below else unit, unit) for code, unit in units.items()]
        cells = [
            [visit, *(self._measure_cell(by_visit, visit, code) for code in units)] for visit in by_visit
        ]
        second = ["", *(unit or "" for unit in units.values())] if below else None
        return self._grid(self._old(self._random.choice(_WIDE_NAMES)), titles, cells, [], second=second)

    def _measure_cell(self, by_visit: Mapping[str, Mapping[str, Row]], visit: str, code: str) -> Any:
        value = by_visit.get(visit, {}).get(code, {}).get("value")
        return "" if value is None else self._number(value)

    def _measure_title(self, code: str, unit: str | None, below: str | None = None) -> str:
        name = self._measures.measures[code].vi
        for title in (f"{name} ({unit})", f"{name} [{unit}]", f"{code} ({unit})") if unit else (name, code):
            found = self._measures.find(f"{title} ({below})" if below and not unit else title)
            if found and (found.code, found.unit or None) == (code, unit or below):
                return self._old(title) if title.startswith(name) and self.font != "VPS" else title
        return code

    def _grid(
        self,
        name: str,
        titles: list[str],
        rows: list[list[Any]],
        spans: list[tuple[int, int]],
        *,
        down: int | None = None,
        second: list[str] | None = None,
    ) -> Grid:
        if self.running:
            titles, down = ["STT", *titles], None if down is None else down + 1
            rows = [[number, *row] for number, row in enumerate(rows, 1)]
            spans = [(first + 1, last + 1) for first, last in spans]
            second = None if second is None else ["", *second]
        if self.remarks:
            titles = [*titles, self._old("Ghi chú")]
            rows = [
                [*row, self._text("đã đối chiếu") if number % 9 == 0 else ""]
                for number, row in enumerate(rows)
            ]
        width = len(titles)
        above = [["SỔ THEO DÕI SỨC KHỎE"], ["", "Năm 2026"], [""]][: self.titles]
        lines: list[list[Any]] = [list(map(self._old, line)) for line in above]
        merged = [(0, 0, 0, width - 1)] if self.titles and self.form in ("xlsx", "xls") else []
        header = len(lines)
        if self.two_rows and not spans and not second and width > 3:
            lines += [[self._old("Thông tin chung"), "", *titles[2:]], [*titles[:2], *[""] * (width - 2)]]
            merged.append((header, header, 0, 1))
            merged += [(header, header + 1, place, place) for place in range(2, width)]
        else:
            lines.append(list(titles))
            merged += [(header, header, first, last) for first, last in spans]
            lines += [] if second is None else [second]
        lines += self._body(titles, rows, len(lines), merged, plain=not spans, down=down)
        return Grid(name, lines, merged)

    def _body(
        self,
        titles: list[str],
        rows: list[list[Any]],
        begins: int,
        merged: list[tuple[int, int, int, int]],
        *,
        plain: bool,
        down: int | None,
    ) -> list[list[Any]]:
        """The rows with what is none between and below them."""
        out: list[list[Any]] = []
        if self.numbered:
            out.append([f"({place})" for place in range(1, len(titles) + 1)])
        for number, row in enumerate(rows):
            if self.grouped and number % 5 == 0 and down is None:
                # A heading in the tiers' column is taken for a tier that cannot be read, and said.
                apart = number % 2 == 0 and titles[1] not in self._tiers
                out.append(["", self._old("Khối cơ quan Nhà nước")] if apart else [self._old("Khối Đảng")])
            if (
                self.page
                and number
                and number % self.page == 0
                and plain
                and down is None
                and not self.two_rows
            ):
                out.append(list(titles))
            out.append(row)
        if down is not None:
            merged += _same_below(out, begins, down)
        if self.totals:
            out += [[self._old("Tổng cộng"), len(rows)], ["", self._old("Người lập biểu")]]
        return out


def _same_below(rows: list[list[Any]], begins: int, place: int) -> list[tuple[int, int, int, int]]:
    """Merge what is the same in rows below one another, as clerks do with a person's or a visit's key."""
    merged, first = [], 0
    for number in range(1, len(rows) + 1):
        if number < len(rows) and rows[number][place] == rows[first][place]:
            continue
        if number - first > 1:
            merged.append((begins + first, begins + number - 1, place, place))
            for row in rows[first + 1 : number]:
                row[place] = ""
        first = number
    return merged
