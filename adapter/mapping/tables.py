"""Reads code tables and units: CSV files that a hospital can edit in a spreadsheet.

`mappings/codes/tables.csv` names the tables and the code system of their local codes. Everything is
checked on loading: columns, duplicates, periods, LOINC check digits, codes of R4's own code systems, units.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapter.fhir import definitions
from adapter.mapping.spellings import Spelling, Spellings
from adapter.mapping.terminology import (
    LOINC,
    Codes,
    Concept,
    System,
    Table,
    Target,
    Unit,
    is_loinc_code,
    newest_first,
    normal,
    overlap,
    unit_text,
)
from adapter.mapping.unitchecks import Problem, measure_problems, unit_problems
from adapter.texts import say

__all__ = ["load_codes"]

_COLUMNS = ("code", "display", "system", "target", "target_display", "equivalence")
_UNIT_COLUMNS = ("unit", "ucum", "dimension", "factor")
_SYSTEM_COLUMNS = ("name", "uri", "version", "valid_from", "valid_to", "pattern")
_EQUIVALENCES = frozenset(
    ("relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact")
)  # http://hl7.org/fhir/R4/valueset-concept-map-equivalence.html


@dataclass(frozen=True, slots=True)
class _File:
    """One CSV and where its problems go, one line each: file, line, column, remedy."""

    path: Path
    problems: list[str]

    def wrong(self, text: str, line: int, **params: str) -> None:
        self.problems.append(f"{self.path.name}:{line}:1: {say(text, **params)}")


def load_codes(folder: Path, problems: list[str]) -> Codes:
    """Load every table of `folder`; what is wrong is added to `problems`, one line each."""
    tables: dict[str, Table] = {}
    listed = _File(folder / "tables.csv", problems)
    for line, row in _rows(listed, ("table", "system")):
        name = row["table"]
        if name in tables:
            listed.wrong("mapping.duplicate", line, word=name)
        tables[name] = _table(_File(folder / f"{name}.csv", problems), row)
    unit_file = _File(folder / "units.csv", problems)
    units, dimensions = _units(unit_file)
    _say(unit_file, unit_problems(units))
    _say(_File(folder / "measures.csv", problems), measure_problems(tables))
    systems = _systems(_File(folder / "systems.csv", problems))
    return Codes(tables, units, dimensions, _spellings(tables.get("qualitative")), systems)


def _say(file: _File, problems: Iterable[Problem]) -> None:
    for text, line, params in problems:
        file.wrong(text, line, **params)


def _table(file: _File, listed: Mapping[str, str]) -> Table:
    rows: dict[str, tuple[Concept, ...]] = {}
    columns: frozenset[str] = frozenset()
    for line, row in _rows(file, _COLUMNS):
        columns = frozenset(row) - frozenset(_COLUMNS)
        if row["code"]:
            _add(rows, _concept(file, line, row), file)
        else:
            file.wrong("mapping.duplicate", line, word="")
    newest = {code: found[0] for code, found in rows.items()}
    return Table(
        name=listed["table"],
        system=listed["system"] or None,
        concepts=newest,
        columns=columns,
        caseless=_caseless_codes(newest),
        rows={code: found for code, found in rows.items() if len(found) > 1},
        file=f"codes/{file.path.name}",
        closed=listed.get("closed") == "yes",
        title=listed.get("title", ""),
        title_en=listed.get("title_en", ""),
    )


def _concept(file: _File, line: int, row: Mapping[str, str]) -> Concept:
    target = _target(file, line, row)
    first, last = (_day(file, line, row.get(name, "")) for name in ("valid_from", "valid_to"))
    if first and last and last < first:
        file.wrong("terms.period_backwards", line, word=row["code"])
    return Concept(
        code=row["code"],
        display=row["display"],
        targets=(target,) if target else (),
        more={key: value for key, value in row.items() if key not in _COLUMNS},
        line=line,
        valid_from=first,
        valid_to=last,
    )


def _target(file: _File, line: int, row: Mapping[str, str]) -> Target | None:
    system, code = row["system"], row["target"]
    if bool(system) != bool(code):
        file.wrong("mapping.half_target", line, word=row["code"])
    elif system == LOINC and not is_loinc_code(code):
        file.wrong("mapping.bad_loinc", line, word=code)
    elif code and code not in (known := definitions.code_systems().get(system, (code,))):
        file.wrong("terms.no_such_target", line, word=code, system=system, known=", ".join(sorted(known)))
    if code and row["equivalence"] not in _EQUIVALENCES:
        file.wrong("mapping.bad_equivalence", line, word=row["equivalence"])
    return Target(system, code, row["target_display"] or None, row["equivalence"], line) if code else None


def _day(file: _File, line: int, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        file.wrong("terms.bad_date", line, word=text)
        return None


def _add(rows: dict[str, tuple[Concept, ...]], concept: Concept, file: _File) -> None:
    """Add a row, newest first. A second row is another target of the same period, or another period."""
    found = rows.get(concept.code, ())
    for index, other in enumerate(found):
        if _period(other) == _period(concept) and _adds_a_target(other, concept):
            joined = replace(other, targets=other.targets + concept.targets)
            rows[concept.code] = (*found[:index], joined, *found[index + 1 :])
            return
    if clash := next((other for other in found if overlap(other, concept)), None):
        text = "mapping.duplicate" if _period(clash) == _period(concept) else "terms.period_overlaps"
        file.wrong(text, concept.line, word=concept.code, other=str(clash.line))
        return
    rows[concept.code] = newest_first((*found, concept))


def _period(concept: Concept) -> tuple[date | None, date | None]:
    return concept.valid_from, concept.valid_to


def _adds_a_target(known: Concept, new: Concept) -> bool:
    systems = {target.system for target in known.targets}
    return bool(systems) and bool(new.targets) and new.targets[0].system not in systems


def _systems(file: _File) -> dict[str, tuple[System, ...]]:
    found: dict[str, tuple[System, ...]] = {}
    for line, row in _rows(file, _SYSTEM_COLUMNS) if file.path.exists() else ():
        first, last = (_day(file, line, row[name]) for name in ("valid_from", "valid_to"))
        try:
            pattern = re.compile(row["pattern"] or ".+")
        except re.error:
            file.wrong("terms.bad_pattern", line, word=row["pattern"])
            continue
        system = System(row["name"], row["uri"], row["version"] or None, pattern, first, last, line)
        known = found.get(system.name, ())
        if clash := next((other for other in known if overlap(other, system)), None):
            file.wrong("terms.period_overlaps", line, word=system.name, other=str(clash.line))
            continue
        found[system.name] = newest_first((*known, system))
    return found


def _caseless_codes(codes: Mapping[str, Concept]) -> dict[str, str]:
    found: dict[str, str | None] = {}
    for code in codes:
        found[normal(code)] = None if normal(code) in found else code
    return {text: code for text, code in found.items() if code is not None}


def _units(file: _File) -> tuple[dict[str, Unit], dict[str, str]]:
    units: dict[str, Unit] = {}
    dimensions: dict[str, str] = {}
    for line, row in _rows(file, _UNIT_COLUMNS):
        text = unit_text(row["unit"])
        if text in units or not row["ucum"]:
            file.wrong("mapping.duplicate", line, word=row["unit"])
            continue
        try:
            factor = Decimal(row["factor"]) if row["factor"] else None
        except InvalidOperation:
            file.wrong("mapping.bad_factor", line, word=row["factor"])
            continue
        units[text] = Unit(row["ucum"], row["dimension"], factor, line)
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


def _spellings(table: Table | None) -> Spellings:
    return Spellings(
        Spelling(text, concept.code, frozenset(filter(None, concept.more.get("measures", "").split("|"))))
        for concept in (table.concepts.values() if table else ())
        for text in concept.more.get("spellings", "").split("|")
        if text
    )


def _rows(file: _File, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line number, every cell stripped and NFC. A table that cannot be read has none."""
    try:
        text = file.path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        file.wrong("mapping.unreadable", 1, problem=type(error).__name__)
        return
    reader = csv.reader(unicodedata.normalize("NFC", text).splitlines())
    head = [cell.strip() for cell in next(reader, [])]
    missing = [column for column in needed if column not in head]
    if missing:
        file.wrong("mapping.no_column", 1, word=", ".join(missing))
        return
    for cells in reader:
        if len(cells) > len(head):
            file.wrong("mapping.too_many_cells", reader.line_num, word=str(len(cells)))
        elif any(cells):
            padded = [cell.strip() for cell in cells] + [""] * (len(head) - len(cells))
            yield reader.line_num, dict(zip(head, padded, strict=True))
