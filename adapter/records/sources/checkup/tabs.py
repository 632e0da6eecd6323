"""Check-up forms as tabs of rows. Nobody is made of a form: it says no tier, so whose it is must be known."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from adapter.records.serialisation import identifier_forms
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.tab import Tab, TabSource
from adapter.records.sources.checkup.form_mapping import FormMapping, FormRule, load_form_mapping
from adapter.records.sources.checkup.xml_parser import XmlElement, read_checkups
from adapter.records.tables import cadre_identifier, record
from adapter.texts import current_language

__all__ = ["form_tabs"]

_UNKNOWN = "?"  # no one's key: the row is told as one of somebody unknown


def form_tabs(files: Sequence[Path], form: Path | None) -> list[Tab]:
    """The tabs of XML files, one for each file and kind, in the files' order."""
    origin = _FormOrigin(load_form_mapping(form))
    return [tab for path in files for tab in origin.tabs(path)]


class _FormOrigin(TabSource):
    def __init__(self, form: FormMapping) -> None:
        self._form = form
        self._people: dict[tuple[str, ...], str] = {}

    def tabs(self, path: Path) -> list[Tab]:
        """A file's tabs. What a form does not hold stays, and of strangers nothing is shown."""
        size = path.stat().st_size
        return [
            Tab(
                path.name,
                self._form.sheet(kind).title(current_language()),
                self._form.sheet(kind),
                True,
                size,
                True,
                lambda tab, rules=rules: self._rows(path, tab, rules),  # type: ignore[misc] # its own rules
                origin=self,
                conceal_unknown=True,
            )
            for kind, rules in self._form.records.items()
        ]

    def begin(self, connection: Connection, now: datetime) -> None:
        self._store: Connection = connection

    def _rows(self, path: Path, tab: Tab, rules: Sequence[FormRule]) -> Iterator[tuple[int, list[CellValue]]]:
        fields = list(dict.fromkeys(field for rule in rules for field in rule.values))
        if repeats := tab.sheet.kind == "measurement" and "key" not in fields:
            fields.append("key")
        yield 1, _titles(tab.sheet, ["cadre", *fields])
        for checkup, done in read_checkups(path, self._form.checkup):
            tab.done = done
            person = self._person(checkup)
            met: Counter[tuple[str, str]] = Counter()
            for rule in rules:
                for line, row in rule.rows(checkup):
                    if repeats:
                        _name_repeated(row, met)
                    yield line, [person, *(row.get(field, "") for field in fields)]

    def _person(self, checkup: XmlElement) -> str:
        """The key of the one person whom all that the form says of him names."""
        named = tuple(
            cell_text(checkup.find_text(path)) for path in (*self._form.key, *self._form.identifiers)
        )
        if named not in self._people:
            self._people[named] = self._find(named)
        return self._people[named]

    def _find(self, named: tuple[str, ...]) -> str:
        keys, numbers = named[: len(self._form.key)], named[len(self._form.key) :]
        parts = identifier_forms(part for number in numbers for part in number.split(";"))
        people = (
            select(record.c.key)
            .where(record.c.kind == "cadre", record.c.deleted.is_(False), record.c.key.in_(keys))
            .union(select(cadre_identifier.c.cadre).where(cadre_identifier.c.value.in_(parts)))
        )
        found = list(self._store.execute(people).scalars())
        return found[0] if len(found) == 1 else _UNKNOWN


def _titles(sheet: Sheet, fields: Sequence[str]) -> list[CellValue]:
    """Headers in the language in use: a form has none, and messages name them."""
    known = {column.field: column.header(current_language()) for column in sheet.columns}
    return [known.get(field, field) for field in fields]


def _name_repeated(row: dict[str, str], met: Counter[tuple[str, str]]) -> None:
    """A test that stands in a check-up again (before and after a meal, a service with many results) is a
    result of its own: the second has the key `VISIT/MEASURE/2`.
    """
    visit, measure = cell_text(row.get("visit", "")), cell_text(row.get("measure", ""))
    met[visit, measure] += 1
    if visit and measure and met[visit, measure] > 1:
        row["key"] = f"{visit}/{measure}/{met[visit, measure]}"
