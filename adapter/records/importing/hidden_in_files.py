"""Who of files must stay hidden, for what is said of files of which nothing is imported, or not yet."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from adapter.errors import ImportRefused
from adapter.records.importing.hidden_people import HiddenPeople, PersonWords
from adapter.records.layouts.body_rows import LeftOutRows, body_rows
from adapter.records.layouts.layout_tabs import key_place, tier_place
from adapter.records.layouts.raw_table import RawTable
from adapter.records.layouts.reading import ColumnRole, TableReading
from adapter.records.layouts.understanding import LayoutContext, nearest_reading, understand
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.tab import Tab
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sources.open_tabs import table_name, tables_of

__all__ = ["find_in_files", "hidden_in_table", "without_hidden"]

_ROLES = (ColumnRole.FIELD, ColumnRole.PERSON)


def find_in_files(files: Sequence[Path], context: LayoutContext, hidden: HiddenPeople) -> None:
    """Add to `hidden` whom the tables of the files call T0, and who was erased as such, however well the
    tables are understood otherwise. Those that say no tiers are not read to their end.
    """
    for path in files:
        with suppress(ImportRefused), ExitStack() as stack:  # what cannot be read says nothing of anybody
            for table in tables_of(path, stack):
                reading = understand(table, table_name(table), context)
                for person in hidden_in_table(table, reading, context, hidden):
                    hidden.add(person)


def hidden_in_table(
    table: RawTable, reading: TableReading, context: LayoutContext, hidden: HiddenPeople
) -> Iterator[PersonWords]:
    """The same of one table, as it was read."""
    if reading.sheet is None and reading.layout is None:
        reading = nearest_reading(table, table_name(table), context) or reading
    tier = tier_place(reading)
    if tier is None or reading.sheet is None:
        return
    tab = Tab(table.source, table.name, reading.sheet, True, table.size, table.csv, table.rows)
    rows = body_rows(
        table.rows(tab),
        reading.header,
        key_place(reading),
        tier,
        merged=table.merged(),
        left_out=LeftOutRows(),
    )
    places = _places(reading)
    for _, cells in rows:
        person = PersonWords.written(partial(_written, places, cells))
        refused = tier < len(cells) and context.words.read_tier(cells[tier]) is TierReading.REFUSED
        if refused or hidden.was_erased(person):
            yield person


def _places(reading: TableReading) -> dict[str, list[int]]:
    """Where a person's fields are: the key that another sheet's rows name is the person's."""
    places = {one.field: [one.place] for one in reading.columns if one.role in _ROLES}
    if parts := [one.place for one in reading.having(ColumnRole.NAME_PART)]:
        places["name"] = sorted(parts)
    if reading.sheet is not None and reading.sheet.kind != "cadre":
        places["key"] = places.get("cadre", [])
    return places


def _written(places: dict[str, list[int]], cells: list[CellValue], field: str) -> str:
    return " ".join(cell_text(cells[place]) for place in places.get(field, ()) if place < len(cells))


def without_hidden(refused: ImportRefused, hidden: HiddenPeople) -> ImportRefused:
    """The same refusal without what tells of the hidden: itself, where nothing does."""
    params = {name: hidden.shown(value) for name, value in refused.params.items()}
    problems = tuple(map(hidden.shown, refused.problems))
    if params == refused.params and problems == refused.problems:
        return refused
    return ImportRefused(refused.text, problems, **params)
