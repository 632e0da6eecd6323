"""Where a row of a table that is not of people says who it is about, beside the key. Pure."""

from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableReading
from adapter.records.layouts.titles import name_part
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.tab import PersonCell

__all__ = ["person_cells", "said_of"]

_NOT_TELLING = frozenset(("key", "tier", "sex"))
_UNREAD = (ColumnRole.PERSON, ColumnRole.UNKNOWN, ColumnRole.IGNORED)


def person_cells(reading: TableReading) -> list[PersonCell]:
    """The columns that say it; a name over several columns is one."""
    people = [one for one in reading.having(ColumnRole.PERSON) if one.field not in _NOT_TELLING]
    parts = _name_parts(reading)
    found = [] if not parts else [_joined(parts)]
    taken = {one.place for one in parts}
    spans, known = reading.header.spans, {one.place for one in reading.columns if one.title}
    for one in people:
        places = [one.place]
        while one.field == "name" and places[-1] + 1 in spans and places[-1] + 1 not in known:
            places.append(places[-1] + 1)
        if one.place not in taken:
            found.append(PersonCell(one.field, one.title, tuple(places)))
    return found


def said_of(one: PersonCell, cells: list[CellValue]) -> str:
    """What a row says there, as text."""
    said = (cells[place] for place in one.places if place < len(cells))
    return " ".join(filter(None, (cell_text("" if cell is None else cell) for cell in said)))


def _name_parts(reading: TableReading) -> list[ColumnReading]:
    """The columns of a name in parts, family name first; none where it is not in parts."""
    parts = {
        one: part
        for one in reading.columns
        if one.role in _UNREAD and (part := name_part(one.title)) is not None
    }
    return (
        sorted(parts, key=parts.__getitem__)
        if {0, 2} <= set(parts.values()) and len(parts) == len(set(parts.values()))
        else []
    )


def _joined(parts: list[ColumnReading]) -> PersonCell:
    return PersonCell("name", ", ".join(one.title for one in parts), tuple(one.place for one in parts))
