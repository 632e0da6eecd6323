"""Whether the point in `1.250` parts thousands, or is the decimal one; the same for a comma.

A cell alone does not say. Where a living person can have only one of the two numbers, in the row's unit, it
is that one. Else it is what the file's other numbers say: who writes `5,3` parts thousands by points. Where
neither says it, or cells that are certain say otherwise, the row waits for a person. The rule is the same for
all columns, and where anything is said of it, it is said of all cells that it was used for. Numbers of T0
people decide nothing: their rows are gone by then.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from adapter.records.importing.parsed_row import ParsedRow, remarks_of
from adapter.records.importing.row_reader import RowReader
from adapter.records.plausible.finding import Finding
from adapter.records.sheets.cell_parsers import CellValue, cell_text

__all__ = ["ColumnSeparators"]

_FIELDS = ("value", "low", "high")
_NUMBER = r"\d+(?:[.,]\d+)*"
_SIGNS = r"[^\w.,]{0,3}"
# A number, or two, with what may stand around them: a comparison, a flag, a unit. Else it is a sentence.
_MEASURED = re.compile(
    rf"(?:{_SIGNS}|(?:từ|trên|dưới|lớn hơn|nhỏ hơn|[HL]{{1,2}})\s)\s*{_NUMBER}"
    rf"(?:\s*(?:[-\u2013\u2014/÷]|đến|tới)\s*{_NUMBER})?(?:\s*[^\d\s.,;:][^\s;:]*(?:\s+[^\d\s]\S*)?)?\s*",
    re.IGNORECASE,
)
_NUMBERS = re.compile(_NUMBER)
_OPEN = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")  # 0.125 and 1250.125 have no thousands
_GROUPS = re.compile(r"\d{1,3}(?:([.,])\d{3}){2,}")

_NONE: frozenset[str] = frozenset()
_POINT, _COMMA = ".", ","
_Finding = Callable[[str, str, str | None], Finding | None]


@lru_cache(maxsize=50_000)
def _read(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of a cell's numbers: the separators of which nothing is certain, and those that are decimal ones."""
    text = cell_text(text)
    if not ("." in text or "," in text) or not _MEASURED.fullmatch(text):
        return _NONE, _NONE
    unsure, decimal = set(), set()
    for number in _NUMBERS.findall(text):
        if match := _OPEN.fullmatch(number):
            unsure.add(match[1])
        elif match := _GROUPS.fullmatch(number):
            decimal.add(_other(match[1]))
        elif separators := re.findall("[.,]", number):
            decimal.add(separators[-1])
    return frozenset(unsure), frozenset(decimal)


def _other(separator: str) -> str:
    return _COMMA if separator == _POINT else _POINT


class _Readings(NamedTuple):
    """A row of which it is not certain what its `separators` part: as it was read, and with thousands.
    `can_be`: which of the two a living person can have.
    """

    row: ParsedRow
    separators: str
    cells: list[CellValue]
    grouped: ParsedRow
    can_be: tuple[bool, bool]

    @property
    def by_range(self) -> bool | None:
        """Whether they part thousands, where only one of the two can be."""
        return None if self.can_be[0] == self.can_be[1] else self.can_be[1]


class ColumnSeparators:
    """The numbers of one tab of measurements. `finding`: what is wrong with a measure's value in a unit."""

    def __init__(self, reader: RowReader, finding: _Finding) -> None:
        self.reader = reader
        self._finding = finding
        self._places = [place for name in _FIELDS if (place := reader.place(name)) is not None]
        self._decimal: set[str] = set()  # the separators that were met as decimal ones
        self._decimal_by_range: set[str] = set()  # the same, in cells that can be nothing else

    def settle(self, rows: Iterable[ParsedRow]) -> None:
        """Read a chunk's rows again, where a point or comma parts thousands; hold those that stay open."""
        rows = [row for row in rows if not (row.refused or row.withheld or row.deleted)]
        written = [row.as_read for row in rows]
        unsure: dict[int, set[str]] = {}  # by the row's place in the chunk
        for place in self._places:
            open_ = self._open({cells[place] for cells in written if place < len(cells)})
            for number, cells in enumerate(written) if open_ else ():
                if place < len(cells) and cells[place] in open_:
                    unsure.setdefault(number, set()).update(open_[cells[place]])
        found = [
            self._readings(rows[number], "".join(sorted(separators)))
            for number, separators in sorted(unsure.items())
            if not rows[number].bad
        ]
        known = [one for one in found if not one.grouped.bad]
        for one in known:  # before any is decided: the rule is not another for those above
            if one.by_range is not None and len(one.separators) == 1:
                self._decimal_by_range.add(_other(one.separators) if one.by_range else one.separators)
        for one in known:
            self._decide(one)

    def _open(self, cells: Iterable[CellValue]) -> dict[CellValue, frozenset[str]]:
        """The separators of which nothing is certain, by cell. The same values come again and again, so a
        column's are looked at once.
        """
        found = {}
        for cell in cells:
            if isinstance(cell, str) and cell and not cell.isdecimal():
                open_, decimal = _read(cell)
                self._decimal |= decimal
                if open_:
                    found[cell] = open_
        return found

    def _readings(self, row: ParsedRow, separators: str) -> _Readings:
        cells = list(row.as_read)
        for place in self._places:
            if place < len(cells) and isinstance(cells[place], str):
                cells[place] = _without_thousands(cells[place])
        grouped = self.reader.read(row.number, cells)
        can_be = (self._can_be(row), not grouped.bad and self._can_be(grouped))
        return _Readings(row, separators, cells, grouped, can_be)

    def _by_file(self, separators: str) -> bool | None:
        """Whether the file's other numbers say that they part thousands."""
        return separators not in self._decimal if len(separators) == len(self._decimal) == 1 else None

    def _decide(self, one: _Readings) -> None:
        row, grouped = one.row, one.grouped
        by_file = self._by_file(one.separators)
        if one.by_range is not None:
            thousands, why = one.by_range, "noted_separator_range"
        elif by_file is not None and self._decimal_by_range <= self._decimal:
            thousands, why = by_file, "noted_separator_file"
        else:
            self._hold(row, grouped)
            return
        differing = _differing(row, grouped) if thousands else _differing(grouped, row)
        if thousands:
            converted = row.remarks.converted if row.remarks else []
            self.reader.read_again(row, one.cells)
            if converted:
                remarks_of(row).converted += converted
        # Said where both can be, and where it is not what stands there or not how the file writes others.
        is_certain = one.by_range is not None and by_file in ((True,) if thousands else (False, None))
        if differing is not None:
            field, other, read = differing
            params = {"measure": row.fields["measure"], "read": read, "other": other}
            note = self.reader.add_certain_note if is_certain else self.reader.add_note
            note(row, field, why, **params)

    def _can_be(self, row: ParsedRow) -> bool:
        """Whether a living person can have the numbers of the row."""
        fields = row.fields
        measure, unit = fields["measure"], fields.get("unit")
        limits = (str(fields[name]) for name in ("low", "high") if fields.get(name))
        return all(self._finding(measure, one, unit) is None for one in (fields["value"], *limits))

    def _hold(self, row: ParsedRow, grouped: ParsedRow) -> None:
        if (differing := _differing(row, grouped)) is not None:
            field, one, two = differing
            params = {"measure": row.fields["measure"], "one": one, "two": two}
            remarks_of(row).held.append(Finding(field, "held_separator", params))


def _differing(row: ParsedRow, other: ParsedRow) -> tuple[str, str, str] | None:
    """The first field that the two readings of a row have otherwise, and both numbers."""
    found = ((name, row.fields.get(name), other.fields.get(name)) for name in _FIELDS)
    return next(((name, str(one), str(two)) for name, one, two in found if one != two), None)


def _without_thousands(cell: CellValue) -> CellValue:
    text = cell_text(cell)
    if not _read(cell)[0]:
        return cell
    return _NUMBERS.sub(
        lambda number: re.sub("[.,]", "", number[0]) if _OPEN.fullmatch(number[0]) else number[0], text
    )
