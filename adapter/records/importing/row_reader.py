"""One row of a sheet read into the fields of a record, with every bad cell it has. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapter.bounded_cache import BoundedCache
from adapter.records.importing.measured_cells import PERCENT, settle_value
from adapter.records.importing.parsed_row import InvalidCell, ParsedRow, remarks_of
from adapter.records.importing.text_columns import is_text
from adapter.records.partial_dates import earliest_day, is_before
from adapter.records.plausible.finding import Finding
from adapter.records.sheets import cell_parsers, code_cells
from adapter.records.sheets.cell_parsers import CellError, CellValue, is_blank
from adapter.records.sheets.columns import DELETED_COLUMN, HeaderRow, Sheet
from adapter.records.sheets.key_space import in_key_space
from adapter.records.sheets.lenient_cells import LENIENT_FIELDS, restored_citizen_id
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.records.sheets.words import NO_WORDS, Words, words_line
from adapter.texts import say

__all__ = ["ImportContext", "RowReader"]

_SHOWN = 60
_CODE = re.compile(r"[A-Z0-9._/-]+")  # how codes are written; `Vaxigrip` is a name


@dataclass(frozen=True)
class ImportContext:
    """What a row may refer to outside the workbook. `measures` None: any. `key_space`: whose keys the file
    has, where it is another centre's list; "" for the centre's own. `words` are the centre's own; `codes`
    those that a field's code table has, by field.
    """

    hospitals: frozenset[str]
    measures: frozenset[str] | None
    now: datetime
    key_space: str = ""
    words: Words = NO_WORDS
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)


_REMEMBERED = 2_000  # cells of a column: measures, units and values come again and again
_UNREAD = object()
ColumnPlan = tuple[str, int, Callable[[CellValue], Any], bool, str, BoundedCache[CellValue, Any]]


class RowReader:
    """Reads the rows of one tab."""

    def __init__(
        self, sheet: Sheet, headers: HeaderRow, known: ImportContext, width: int | None = None
    ) -> None:
        """`width`: as many cells as the header has; a row of a CSV with more has slipped (RFC 4180, 2.4)."""
        self.kind = sheet.kind
        self._width = width
        self._known = known
        self._headers = headers
        self._tier = headers.places.get("tier")
        self._deleted = headers.places.get(DELETED_COLUMN.field)
        places = headers.places
        self._limits = [(name, places[name]) for name in ("low", "high") if name in places]
        self._sheet = sheet
        self.text_fields = [column.field for column, _ in headers.plan(sheet) if is_text(sheet, column)]
        self._plan: list[ColumnPlan] = [
            (
                column.field,
                place,
                in_key_space(column.field, known.words.parser(column.field, column.parse), known.key_space),
                column.required,
                headers.written[column.field],
                BoundedCache(_REMEMBERED),
            )
            for column, place in headers.plan(sheet)
        ]
        self._last = self._plan[-1][4] if self._plan else ""
        self._lenient = LENIENT_FIELDS[sheet.kind]
        self.odd = False  # whether text was read that nobody writes so
        self.text_places = {
            column.field: place
            for column, place in headers.plan(sheet)
            if column.parse is not cell_parsers.parse_key and column.field != "tier"
        }

    def read(self, number: int, cells: list[CellValue]) -> ParsedRow:  # noqa: C901, PLR0912 - once for every cell
        """The row in full; of the row of a T0 person, or perhaps of one, nothing is looked at but its key."""
        row = ParsedRow(number, cells, None, {}, [])
        if self._tier is not None and self._stop(row, self._tier):
            return row
        fields, width = row.fields, len(cells)
        for field_, place, parse, required, title, remembered in self._plan:
            cell = cells[place] if place < width else ""
            text = cell.__class__ is str
            again = text or cell.__class__ is float  # 1 and True are the same to a dict
            if again and cell and (found := remembered.get(cell, _UNREAD)) is not _UNREAD:
                fields[field_] = found
                continue
            if cell == "" or cell is None or (text and is_blank(cell)):
                if required:
                    row.bad.append(InvalidCell(title, "", "expect_something"))
                continue
            if text:
                if cell[0] == "#" and cell.strip().upper() in cell_parsers.SPREADSHEET_ERRORS:
                    self._is_bad(row, field_, _failed(title, cell.strip()))
                    continue
                if not cell.isascii() and legacy_readings(cell):
                    self.odd = True
            try:
                fields[field_] = parse(cell)
            except CellError as error:
                shown = cell_parsers.cell_text(cell)[:_SHOWN]
                self._is_bad(row, field_, InvalidCell(title, shown, error.expected, error.params))
            else:
                if again:
                    remembered.put(cell, fields[field_])
        row.key = self._key(row)
        if row.key is not None:
            row.fields["key"] = row.key
        if self._deleted is not None:
            self._mark(row, self._deleted)
        if self._width is not None and len(cells) > self._width and self._has_slipped(row):
            # What stands in a column may be another's, the key too.
            surplus: dict[str, object] = {"count": len(cells)}
            row.bad = [InvalidCell(self._last, "", "expect_no_more_cells", surplus, hidden=True)]
            row.key, row.deleted, row.remarks = None, False, None
        if not row.bad and not row.deleted:
            _CHECKS[self.kind](self, row)
        return row

    def _has_slipped(self, row: ParsedRow) -> bool:
        """Whether a row of a CSV that is longer than its header holds cells of other columns: the surplus is
        not empty, or something is where it cannot be, as the halves of a number with a comma are.
        """
        lost = row.remarks.lost if row.remarks else {}
        unit = str(row.fields.get("unit", ""))
        return any(row.cells[self._width :]) or bool(row.bad or lost) or unit.isdecimal()

    def written(self, cells: list[CellValue], field_: str) -> str:
        """The cell of a field as text; empty where there is no such column."""
        place = self._headers.places.get(field_)
        return "" if place is None else cell_parsers.cell_text(_at(cells, place))

    def is_refused(self, cells: list[CellValue]) -> bool:
        """Whether the row's own tier says T0."""
        return (
            self._tier is not None
            and self._known.words.read_tier(_at(cells, self._tier)) is TierReading.REFUSED
        )

    def belongs_to_nobody(self, row: ParsedRow) -> bool:
        """Whether the row does not say, so that it can be read, whose it is."""
        owner = {"cadre": None, "measurement": "visit"}.get(self.kind, "cadre")
        return owner is not None and owner not in row.fields

    def withhold(self, row: ParsedRow, field_: str, expected: str) -> None:
        """Note that the row is not to be handled because of a cell; nothing of it is shown."""
        title = self._headers.written.get(field_, field_)
        row.bad, row.withheld = [InvalidCell(title, "", expected, hidden=True)], True
        row.remarks = None

    def _is_bad(self, row: ParsedRow, field_: str, cell: InvalidCell) -> None:
        """A cell that cannot be read costs the row, or where nothing hangs on it itself alone."""
        if field_ in self._lenient:
            remarks_of(row).lost[field_] = cell
        else:
            row.bad.append(cell)

    def lose(self, row: ParsedRow, field_: str, cell: InvalidCell) -> None:
        """A cell that was read is not to be believed: what `_is_bad` says of one that was not."""
        row.fields.pop(field_, None)
        self._is_bad(row, field_, cell)

    def read_again(self, row: ParsedRow, cells: list[CellValue]) -> None:
        """The row as if it held these cells; what the file holds is kept for the rejects file."""
        again = self.read(row.number, cells)
        row.key, row.fields, row.bad = again.key, again.fields, again.bad
        row.deleted, row.warning, row.remarks = again.deleted, again.warning, again.remarks
        row.other_cells = cells

    def place(self, field_: str) -> int | None:
        """Where a field's column is; None without one."""
        return self._headers.places.get(field_)

    def title(self, field_: str) -> str:
        """The header of a field's column."""
        return self._headers.written[field_]

    def _stop(self, row: ParsedRow, place: int) -> bool:
        """Whether the tier's cell alone decides about the row."""
        cell = _at(row.cells, place)
        tier = self._known.words.read_tier(cell)
        if tier in (TierReading.KEPT, TierReading.PLAIN):
            return False
        row.key = self._refused_key(row.cells)
        if tier is TierReading.REFUSED:
            row.refused = True
            return True
        if self._deleted is not None:
            self._mark(row, self._deleted)
        if not row.deleted or row.key is None:
            hidden = bool(cell_parsers.cell_text(cell))
            row.bad = [InvalidCell(self._headers.written["tier"], "", "expect_tier", hidden=hidden)]
            row.deleted, row.withheld = False, True
        return True

    def _refused_key(self, cells: list[CellValue]) -> str | None:
        try:
            key = cell_parsers.parse_key(_at(cells, self._headers.places["key"]))
        except CellError:
            return None
        return f"{key}{self._known.key_space}"

    def _key(self, row: ParsedRow) -> str | None:
        found: str | None = row.fields.get("key")
        if found is not None or self.kind != "measurement":
            return found
        place = self._headers.places.get("key")
        cell = "" if place is None else _at(row.cells, place)
        if cell != "" and cell_parsers.cell_text(cell):
            return None  # written, but wrong
        visit, measure = row.fields.get("visit"), row.fields.get("measure")
        return f"{visit}/{measure}" if visit and measure else None

    def _mark(self, row: ParsedRow, place: int) -> None:
        """A row marked deleted needs its key alone: whatever else is wrong with it goes away."""
        cell = _at(row.cells, place)
        if not cell_parsers.cell_text(cell):
            return
        try:
            row.deleted = cell_parsers.parse_boolean(cell)
        except CellError as error:
            title = self._headers.written[DELETED_COLUMN.field]
            row.bad.append(InvalidCell(title, cell_parsers.cell_text(cell)[:_SHOWN], error.expected))
        if row.deleted and row.key:
            row.bad.clear()

    def add_invalid_cell(self, row: ParsedRow, field_: str, expected: str, /, **params: object) -> None:
        """Note that a cell is wrong together with others."""
        row.bad.append(InvalidCell(*self.shown_cell(row, field_), expected, params))

    def add_note(self, row: ParsedRow, field_: str, text: str, /, **params: object) -> None:
        """Note what the report says of a cell, though the row comes in."""
        remarks_of(row).notes.append(InvalidCell(*self.shown_cell(row, field_), text, params))

    def add_certain_note(self, row: ParsedRow, field_: str, text: str, /, **params: object) -> None:
        """Note what is said of a cell only where the same is said of another cell of the sheet."""
        remarks_of(row).certain.append(InvalidCell(*self.shown_cell(row, field_), text, params))

    def shown_cell(self, row: ParsedRow, field_: str) -> tuple[str, str]:
        """Column and cell of a field, as written."""
        if field_ == "key" and "key" not in self._headers.places:
            field_ = "measure"  # what makes a measurement's key when there is no column for it
        place = self._headers.places.get(field_)
        shown = "" if place is None else cell_parsers.cell_text(_at(row.cells, place))[:_SHOWN]
        return self._headers.written.get(field_, field_), shown

    def written_cells(self, row: ParsedRow) -> list[tuple[str, str]]:
        """Every known column with its cell, as written; empty ones are left out."""
        places = ((self._headers.written[name], place) for name, place in self._headers.places.items())
        cells = ((title, cell_parsers.cell_text(_at(row.cells, place))) for title, place in places)
        return [(title, cell) for title, cell in cells if cell]

    def check_cadre(self, row: ParsedRow) -> None:
        """Born before today and before dying; a CCCD that disagrees is only warned about."""
        fields = row.fields
        born = earliest_day(fields["birth_date"])
        if born > self._known.now.astimezone(cell_parsers.VIETNAM_OFFSET).date():
            self.add_invalid_cell(row, "birth_date", "expect_past")
        if (died := fields.get("deceased_on")) and died < born:
            self.add_invalid_cell(row, "deceased_on", "expect_after_birth")
        self._restore_citizen_id(row)
        number = fields.get("national_id")
        if number and code_cells.citizen_id_disagrees(number, fields["sex"], fields["birth_date"]):
            row.warning = "import.citizen_id_disagrees"

    def _restore_citizen_id(self, row: ParsedRow) -> None:
        remarks, place = row.remarks, self._headers.places.get("national_id")
        if remarks is None or place is None or "national_id" not in remarks.lost:
            return
        fields = row.fields
        if number := restored_citizen_id(_at(row.cells, place), fields["sex"], fields["birth_date"]):
            del remarks.lost["national_id"]
            fields["national_id"] = number
            self.add_note(row, "national_id", "noted_zero")

    def check_visit(self, row: ParsedRow) -> None:
        """Ends after it starts; a trip says where to."""
        fields = row.fields
        if (ended := fields.get("ended_at")) and is_before(ended, fields["started_at"]):
            self.add_invalid_cell(row, "ended_at", "expect_after_start")
        if fields["type"] == "trip" and "hospital" not in fields:
            self.add_invalid_cell(row, "hospital", "expect_trip_hospital")
        self._hospital(row)

    def check_measurement(self, row: ParsedRow) -> None:
        """The range is the right way round. An unknown measure is kept, with a warning."""
        value = row.fields["value"]
        if not (value[0].isdecimal() and value[-1].isdecimal()) and (finding := settle_value(row.fields)):
            remarks_of(row).held.append(finding)
        for field_, place in self._limits:
            cell = row.cells[place] if place < len(row.cells) else ""
            if cell.__class__ is str and cell[-1:] == PERCENT and row.fields.get("unit") != PERCENT:
                self._lose_limit(row, field_)
        low, high = row.fields.get("low"), row.fields.get("high")
        if low is not None and high is not None and low > high:
            self.add_invalid_cell(row, "high", "expect_above_low")
        measures = self._known.measures
        if measures is not None and row.fields["measure"] not in measures:
            row.warning = "import.unknown_measure"

    def _lose_limit(self, row: ParsedRow, field_: str) -> None:
        """A limit in per cent is none of a value that is not."""
        title, shown = self.shown_cell(row, field_)
        self.lose(row, field_, InvalidCell(title, shown, "expect_same_unit"))

    def check_diagnosis(self, row: ParsedRow) -> None:
        """Nothing more than its cells say."""

    def check_procedure(self, row: ParsedRow) -> None:
        """Ends after it starts; its code is known."""
        self._check_code(row, "code")
        if (ended := row.fields.get("ended_at")) and is_before(ended, row.fields["started_at"]):
            self.add_invalid_cell(row, "ended_at", "expect_after_start")

    def check_immunization(self, row: ParsedRow) -> None:
        """Its vaccine is known."""
        self._check_code(row, "vaccine")

    def check_referral(self, row: ParsedRow) -> None:
        """Addressed to a hospital of the settings, due after it was ordered; its service is known."""
        self._check_code(row, "service")
        due = row.fields.get("due_on")
        if due and is_before(due, row.fields["ordered_at"]):
            self.add_invalid_cell(row, "due_on", "expect_after_order")
        self._hospital(row)

    def _check_code(self, row: ParsedRow, field_: str) -> None:
        """A code that the table does not have is said; what looks like a name waits for a person: as a code
        it would mean nothing to anybody, and pass by what the policy says of the code.
        """
        known, code = self._known.codes.get(field_), row.fields[field_]
        if not known or code in known:
            return
        if _CODE.fullmatch(code):
            self.add_note(row, field_, "noted_unknown_code")
        else:
            line = words_line(field_, self.shown_cell(row, field_)[1])
            remarks_of(row).held.append(Finding(field_, "held_unknown_word", {"line": line}))

    def _hospital(self, row: ParsedRow) -> None:
        name = row.fields.get("hospital")
        if name is not None and name not in self._known.hospitals:
            known = ", ".join(sorted(self._known.hospitals)) or say("import.no_hospitals")
            self.add_invalid_cell(row, "hospital", "expect_known_hospital", known=known)


def _failed(title: str, cell: str) -> InvalidCell:
    if cell == cell_parsers.NOT_CALCULATED:
        return InvalidCell(title, "=…", "expect_calculated")
    return InvalidCell(title, cell, "expect_no_error")


def _at(cells: list[CellValue], place: int) -> CellValue:
    cell = cells[place] if place < len(cells) else None
    return "" if cell is None else cell


_CHECKS: dict[str, Callable[[RowReader, ParsedRow], None]] = {
    "cadre": RowReader.check_cadre,
    "visit": RowReader.check_visit,
    "measurement": RowReader.check_measurement,
    "diagnosis": RowReader.check_diagnosis,
    "procedure": RowReader.check_procedure,
    "immunization": RowReader.check_immunization,
    "referral": RowReader.check_referral,
}
