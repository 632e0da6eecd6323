"""Code tables and units: CSV files that a hospital can edit in a spreadsheet.

`mappings/codes/tables.csv` names the tables and the code system of their local codes; see
`mappings/codes/README.md` for the columns. Everything is checked on loading: columns,
duplicates, LOINC check digits. Nothing is guessed: an unknown code stays what it is.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapter.texts import say

__all__ = ["LOINC", "Codes", "Concept", "Table", "Unit", "is_loinc_code", "load_codes", "normal"]

LOINC = "http://loinc.org"
_COLUMNS = ("code", "display", "system", "target", "target_display", "equivalence")
_UNIT_COLUMNS = ("unit", "ucum", "dimension", "factor")
_EQUIVALENCES = frozenset(
    ("relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact")
)  # http://hl7.org/fhir/R4/valueset-concept-map-equivalence.html


@dataclass(frozen=True, slots=True)
class Concept:
    """One row of a code table. `more` holds the columns that only this table has."""

    code: str
    display: str
    system: str | None
    target: str | None
    target_display: str | None
    more: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A code table. `system` is the URI of its local codes, None when those are never sent."""

    name: str
    system: str | None
    concepts: Mapping[str, Concept]
    columns: frozenset[str] = frozenset()
    caseless: Mapping[str, Concept] = field(default_factory=dict)

    def find(self, code: str | None) -> Concept | None:
        """The row of a code; letter case is looked at only where two rows differ in nothing else."""
        if not code:
            return None
        found = self.concepts.get(code)
        return found if found is not None else self.caseless.get(normal(code))


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is written, in UCUM (https://ucum.org). `factor` turns the written value into it."""

    ucum: str
    dimension: str
    factor: Decimal | None


@dataclass(frozen=True, slots=True)
class Codes:
    """All code tables and units of one folder."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)  # by UCUM code
    spellings: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = field(default_factory=dict)

    def unit(self, written: str | None) -> Unit | None:
        """The unit as written; letter case matters only where it changes the meaning (G/L, g/L)."""
        if not written:
            return None
        text = _unit_text(written)
        return self.units.get(text) or self.units.get("\0" + text.casefold())

    def spelled(self, value: str, measure: str) -> str | None:
        """Code of the table `qualitative` for a result as laboratories spell it ("âm tính", "(+)")."""
        for code, only in self.spellings.get(normal(value), ()):
            if not only or measure in only:
                return code
        return None


def normal(text: str) -> str:
    """NFC, without case and superfluous white space: the form in which spellings are compared."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _unit_text(text: str) -> str:
    # two code points look like the same micro sign: U+00B5 and the Greek mu U+03BC
    return unicodedata.normalize("NFC", text).replace("\u03bc", "\u00b5").replace(" ", "").strip()


def is_loinc_code(code: str) -> bool:
    """Whether the code has LOINC's form and a right check digit (Luhn, mod 10). Answer codes (LA…)
    count their check digit in another way, so only their form is looked at.
    """
    if re.fullmatch(r"LA\d{1,6}-\d", code):
        return True
    match = re.fullmatch(r"(\d{1,7})-(\d)", code)
    if match is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return (10 - total % 10) % 10 == int(match[2])


def load_codes(folder: Path, problems: list[str]) -> Codes:
    """Load every table of `folder`; what is wrong is added to `problems`, one line each."""
    tables: dict[str, Table] = {}
    for line, row in _rows(folder / "tables.csv", ("table", "system"), problems):
        name = row["table"]
        if name in tables:
            problems.append(_at("mapping.duplicate", folder / "tables.csv", line, 1, word=name))
        tables[name] = _load_table(folder / f"{name}.csv", name, row["system"] or None, problems)
    units, dimensions = _load_units(folder / "units.csv", problems)
    return Codes(tables, units, dimensions, _spellings(tables.get("qualitative")))


def _load_table(path: Path, name: str, system: str | None, problems: list[str]) -> Table:
    concepts: dict[str, Concept] = {}
    columns: frozenset[str] = frozenset()
    for line, row in _rows(path, _COLUMNS, problems):
        columns = frozenset(row)
        code = row["code"]
        if not code or code in concepts:
            problems.append(_at("mapping.duplicate", path, line, 1, word=code))
            continue
        if row["system"] == LOINC and not is_loinc_code(row["target"]):
            problems.append(_at("mapping.bad_loinc", path, line, 1, word=row["target"]))
        if bool(row["system"]) != bool(row["target"]):
            problems.append(_at("mapping.half_target", path, line, 1, word=code))
        if row["target"] and row["equivalence"] not in _EQUIVALENCES:
            problems.append(_at("mapping.bad_equivalence", path, line, 1, word=row["equivalence"]))
        concepts[code] = Concept(
            code=code,
            display=row["display"],
            system=row["system"] or None,
            target=row["target"] or None,
            target_display=row["target_display"] or None,
            more={key: value for key, value in row.items() if key not in _COLUMNS},
        )
    return Table(name, system, concepts, columns, _caseless_codes(concepts))


def _caseless_codes(concepts: Mapping[str, Concept]) -> dict[str, Concept]:
    found: dict[str, Concept | None] = {}
    for code, concept in concepts.items():
        found[normal(code)] = None if normal(code) in found else concept
    return {code: concept for code, concept in found.items() if concept is not None}


def _load_units(path: Path, problems: list[str]) -> tuple[dict[str, Unit], dict[str, str]]:
    units: dict[str, Unit] = {}
    dimensions: dict[str, str] = {}
    for line, row in _rows(path, _UNIT_COLUMNS, problems):
        text = _unit_text(row["unit"])
        if text in units or not row["ucum"]:
            problems.append(_at("mapping.duplicate", path, line, 1, word=row["unit"]))
            continue
        try:
            factor = Decimal(row["factor"]) if row["factor"] else None
        except InvalidOperation:
            problems.append(_at("mapping.bad_factor", path, line, 1, word=row["factor"]))
            continue
        units[text] = Unit(row["ucum"], row["dimension"], factor)
        if "\u00b5" in text:  # keyboards have no micro sign
            units.setdefault(text.replace("\u00b5", "u"), units[text])
        dimensions[row["ucum"]] = row["dimension"]
    return units | _caseless(units), dimensions


def _caseless(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """Units by their text without case, where that has one meaning only."""
    by_text: dict[str, set[Unit]] = {}
    for text, unit in units.items():
        by_text.setdefault("\0" + text.casefold(), set()).add(unit)
    return {text: next(iter(found)) for text, found in by_text.items() if len(found) == 1}


def _spellings(table: Table | None) -> dict[str, tuple[tuple[str, frozenset[str]], ...]]:
    found: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {}
    for concept in table.concepts.values() if table else ():
        only = frozenset(filter(None, concept.more.get("measures", "").split("|")))
        for spelling in concept.more.get("spellings", "").split("|"):
            if spelling:
                key = normal(spelling)
                found[key] = (*found.get(key, ()), (concept.code, only))
    return found


def _rows(path: Path, needed: tuple[str, ...], problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line number, every cell stripped and NFC. A table that cannot be read has none."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(_at("mapping.unreadable", path, 1, 1, problem=type(error).__name__))
        return
    reader = csv.reader(unicodedata.normalize("NFC", text).splitlines())
    head = [cell.strip() for cell in next(reader, [])]
    missing = [column for column in needed if column not in head]
    if missing:
        problems.append(_at("mapping.no_column", path, 1, 1, word=", ".join(missing)))
        return
    for cells in reader:
        if len(cells) > len(head):
            problems.append(_at("mapping.too_many_cells", path, reader.line_num, 1, word=str(len(cells))))
        elif any(cells):
            padded = [cell.strip() for cell in cells] + [""] * (len(head) - len(cells))
            yield reader.line_num, dict(zip(head, padded, strict=True))


def _at(text: str, path: Path, line: int, column: int, **params: str) -> str:
    return f"{path.name}:{line}:{column}: {say(text, **params)}"
