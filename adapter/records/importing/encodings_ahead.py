"""In which encodings the text of a file's other sheets is, where that of one sheet could be of two."""

from collections.abc import Iterable, Iterator
from itertools import islice

from adapter.records.importing.column_texts import FileEncodings, column_encodings
from adapter.records.importing.hidden_people import HiddenPeople, open_rows
from adapter.records.importing.row_reader import ImportContext, RowReader
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.tab import Tab

__all__ = ["encodings_of_others"]

_ROWS = 1000  # of a sheet


def encodings_of_others(tabs: Iterable[Tab], known: ImportContext, hidden: HiddenPeople) -> set[str]:
    """What the first rows of these sheets are surely in. Rows of hidden people, and such as tell of them,
    decide nothing; nor do sheets that do not say whose their rows are, and what is no file.
    """
    found = FileEncodings()
    for tab in tabs:
        if tab.origin is None:
            column_encodings(_texts(tab, known, hidden), found)
    return found.found


def _texts(tab: Tab, known: ImportContext, hidden: HiddenPeople) -> dict[str, list[str]]:
    opened = open_rows(tab, tab.read_ahead())
    if opened is None:
        return {}
    headers, _, rows = opened
    reader = RowReader(tab.sheet, headers, known)
    owner = headers.places.get("cadre")
    if owner is None or not reader.text_places:
        return {}

    def kept() -> Iterator[list[CellValue]]:
        for _, cells in rows:
            whose = cell_text(cells[owner]) if owner < len(cells) else ""
            if whose and not hidden.has_key(whose) and not hidden.is_told_of(*cells):
                yield cells

    first = list(islice(kept(), _ROWS))
    tab.done = 0
    return {
        field: [
            cells[place]
            for cells in first
            if place < len(cells) and isinstance(cells[place], str) and not cells[place].isascii()
        ]
        for field, place in reader.text_places.items()
    }
