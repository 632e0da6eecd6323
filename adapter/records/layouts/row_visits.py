"""Of which visit a row of a wide table is: the one that it names, one that stands already, or one made."""

from collections.abc import Callable
from typing import NamedTuple

from adapter.records.layouts.reading import ColumnRole, TableReading
from adapter.records.layouts.wide_sheet import VISIT_SHEET
from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, parse_datetime
from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.vietnamese_text.readings import all_readings
from adapter.records.sheets.visit_finder import AskedVisit, made_key
from adapter.records.sheets.words import NO_WORDS, Words

__all__ = ["RowVisit", "VisitsElsewhere", "asked_visit", "made_visit_key"]

_ONLY_VISITS = {column.field for column in VISIT_SHEET.columns} - {"key", "cadre", "type", "started_at"}
_EXAMPLES = 3


def made_visit_key(cadre: CellValue, kind: CellValue, day: CellValue, words: Words = NO_WORDS) -> str | None:
    """The key of a visit that has none: person, kind and day, however the kind is worded. None where one of
    them cannot be read: the visit is refused, and what is corrected must not find a key of the error.
    """
    made = asked_visit(cadre, kind, day, words)
    return None if made is None else made_key(made)


def asked_visit(cadre: CellValue, kind: CellValue, day: CellValue, words: Words) -> AskedVisit | None:
    """What a visit is found by, and its key made of."""
    person, code = cell_text(cadre), _visit_kind(kind, words)
    try:
        written = f"{parse_datetime(day):%Y%m%d}"
    except CellError:
        return None
    return (person, code, written) if person and code else None


def _visit_kind(kind: CellValue, words: Words) -> str | None:
    """The kind's code, in the encodings of old fonts too: the row is read in them later."""
    parse = words.parser("type", CHOICE_LISTS["visit_type"].parse)
    found = set()
    for read in all_readings(kind) if isinstance(kind, str) else (kind,):
        try:
            code = str(parse(read))
        except CellError:
            continue
        if read == kind:
            return code
        found.add(code)
    return found.pop() if len(found) == 1 else None


class RowVisit(NamedTuple):
    """Of which visit a row is. `known`: the key is one; `made` of the row; `owner`: whose it is, where
    that is not whom the row names but who was merged with him.
    """

    key: str
    known: bool = True
    made: bool = False
    owner: str | None = None


class VisitsElsewhere:
    """What is said of rows whose visits are not made of them."""

    def __init__(self, reading: TableReading) -> None:
        self._named = reading.place("visit")
        told = [one for one in reading.having(ColumnRole.FIELD) if one.field in _ONLY_VISITS]
        self._told = {one.title: one.place for one in told}
        self._examples: dict[str, None] = {}
        self._count = 0
        self._left: dict[str, None] = {}

    def note(self, key: str, cells: list[CellValue]) -> None:
        """A row of a visit."""
        self._left.update(dict.fromkeys(title for title, place in self._told.items() if _cell(cells, place)))
        if not cell_text(_cell(cells, self._named) or ""):
            self._count += 1
            if len(self._examples) < _EXAMPLES:
                self._examples[key] = None

    def say(self, warn: Callable[..., None]) -> None:
        """Which visits they are, and what of the rows is not theirs to say."""
        if self._count:
            more = ", …" if self._count > len(self._examples) else ""
            warn("layout.visits_found", count=self._count, visits=f"{', '.join(self._examples)}{more}")
        if self._left:
            warn("layout.visits_cells_left", headers=", ".join(self._left))


def _cell(cells: list[CellValue], place: int | None) -> CellValue:
    return cells[place] if place is not None and place < len(cells) else ""
