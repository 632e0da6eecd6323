"""Reads code tables and units: CSV files that a hospital can edit in a spreadsheet.

`mappings/codes/tables.csv` names the tables and the code system of their local codes. Everything is
checked on loading: columns, duplicates, periods, LOINC check digits, codes of R4's own code systems, units.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from types import MappingProxyType

from adapter.fhir.definitions import types
from adapter.mapping.terminology.code_tables import (
    LOINC_SYSTEM,
    CodeSystemVersion,
    CodeTable,
    CodeTables,
    Concept,
    TargetCode,
    WrittenUnit,
    is_loinc_code,
    newest_first,
    normalise_text,
    normalise_unit,
    periods_overlap,
)
from adapter.mapping.terminology.csv_file import CsvFile
from adapter.mapping.terminology.measure_checks import (
    TableProblem,
    measure_problems,
    spelling_problems,
    spellings_of,
    unit_problems,
)
from adapter.mapping.terminology.spellings import Spellings

__all__ = ["load_code_tables", "load_tables"]

_COLUMNS = ("code", "display", "system", "target", "target_display", "equivalence")
_UNIT_COLUMNS = ("unit", "ucum", "dimension", "factor")
_SYSTEM_COLUMNS = ("name", "uri", "version", "valid_from", "valid_to", "pattern")
_EQUIVALENCES = frozenset(
    ("relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact")
)  # http://hl7.org/fhir/R4/valueset-concept-map-equivalence.html


def load_code_tables(folder: Path, problems: list[str]) -> CodeTables:
    """Load every table of `folder`; what is wrong is added to `problems`, one line each."""
    tables = load_tables(folder, problems)
    before, unit_file = len(problems), CsvFile(folder / "units.csv", problems)
    units, dimensions = _units(unit_file)
    sound = len(problems) == before  # else a unit that is not there was named already
    _say(unit_file, unit_problems(units))
    systems = _systems(CsvFile(folder / "systems.csv", problems))
    codes = CodeTables(
        tables,
        units,
        dimensions,
        Spellings(one for one, _ in spellings_of(tables.get("qualitative"))),
        systems,
    )
    _say(
        CsvFile(folder / "measures.csv", problems),
        measure_problems(codes if sound else replace(codes, units={})),
    )
    _say(CsvFile(folder / "qualitative.csv", problems), spelling_problems(tables))
    return codes


def load_tables(
    folder: Path, problems: list[str], known: Mapping[str, CodeTable] = MappingProxyType({})
) -> dict[str, CodeTable]:
    """The tables of `folder` alone, after those that are `known`: no name or system may be among both."""
    tables = dict(known)
    listed = CsvFile(folder / "tables.csv", problems)
    for line, row in listed.rows(("table", "system")):
        name = row["table"]
        if name in tables or any(row["system"] == one.system for one in tables.values() if one.system):
            listed.add_problem("mapping.duplicate", line, word=name if name in tables else row["system"])
        if row.get("closed", "") not in ("", "yes", "no"):
            listed.add_problem("terms.not_yes", line, word=row["closed"])
        tables[name] = _table(CsvFile(folder / f"{name}.csv", problems), row)
    return tables


def _say(file: CsvFile, problems: Iterable[TableProblem]) -> None:
    for text, line, params in problems:
        file.add_problem(text, line, **params)


def _table(file: CsvFile, listed: Mapping[str, str]) -> CodeTable:
    rows: dict[str, tuple[Concept, ...]] = {}
    columns: frozenset[str] = frozenset()
    for line, row in file.rows(_COLUMNS):
        columns = frozenset(row) - frozenset(_COLUMNS)
        if row["code"]:
            _add(rows, _concept(file, line, row), file)
        else:
            file.add_problem("mapping.duplicate", line, word="")
    newest = {code: found[0] for code, found in rows.items()}
    return CodeTable(
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


def _concept(file: CsvFile, line: int, row: Mapping[str, str]) -> Concept:
    target = _target(file, line, row)
    first, last = (_day(file, line, row.get(name, "")) for name in ("valid_from", "valid_to"))
    if first and last and last < first:
        file.add_problem("terms.period_backwards", line, word=row["code"])
    return Concept(
        code=row["code"],
        display=row["display"],
        targets=(target,) if target else (),
        more={key: value for key, value in row.items() if key not in _COLUMNS},
        line=line,
        valid_from=first,
        valid_to=last,
    )


def _target(file: CsvFile, line: int, row: Mapping[str, str]) -> TargetCode | None:
    system, code = row["system"], row["target"]
    if bool(system) != bool(code):
        file.add_problem("mapping.half_target", line, word=row["code"])
    elif system and (right := _misspelt(system)):
        file.add_problem("terms.bad_system", line, word=system, right=right)
    elif system == LOINC_SYSTEM and not is_loinc_code(code):
        file.add_problem("mapping.bad_loinc", line, word=code)
    elif code and code not in (known := types.code_systems().get(system, (code,))):
        file.add_problem(
            "terms.no_such_target", line, word=code, system=system, known=", ".join(sorted(known))
        )
    if code and row["equivalence"] not in _EQUIVALENCES:
        file.add_problem("mapping.bad_equivalence", line, word=row["equivalence"])
    return TargetCode(system, code, row["target_display"] or None, row["equivalence"], line) if code else None


def _misspelt(system: str) -> str | None:
    """What a code system's URI should be, where it is none, or almost that of a system known here:
    otherwise its codes would go unchecked.
    """
    otherwise = system if re.match(r"[A-Za-z][\w.+-]*:\S+$", system) else "http://…"
    right = _systems_by_host().get(_host(system), otherwise)
    return None if right == system else right


@cache
def _systems_by_host() -> Mapping[str, str]:
    return {_host(uri): uri for uri in (LOINC_SYSTEM, *types.code_systems())}


def _host(uri: str) -> str:
    return re.sub(r"^https?://(www\.)?", "", uri.casefold()).rstrip("/").removesuffix(".org")


def _day(file: CsvFile, line: int, text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date() if text else None  # noqa: DTZ007 - a day
    except ValueError:
        file.add_problem("terms.bad_date", line, word=text)
        return None


def _add(rows: dict[str, tuple[Concept, ...]], concept: Concept, file: CsvFile) -> None:
    """Add a row, newest first. A second row is another target of the same period, or another period."""
    found = rows.get(concept.code, ())
    for index, other in enumerate(found):
        if _period(other) == _period(concept) and _adds_a_target(other, concept):
            joined = replace(other, targets=other.targets + concept.targets)
            rows[concept.code] = (*found[:index], joined, *found[index + 1 :])
            return
    if clash := next((other for other in found if periods_overlap(other, concept)), None):
        text = "mapping.duplicate" if _period(clash) == _period(concept) else "terms.period_overlaps"
        file.add_problem(text, concept.line, word=concept.code, other=str(clash.line))
        return
    rows[concept.code] = newest_first((*found, concept))


def _period(concept: Concept) -> tuple[date | None, date | None]:
    return concept.valid_from, concept.valid_to


def _adds_a_target(known: Concept, new: Concept) -> bool:
    systems = {target.system for target in known.targets}
    return bool(systems) and bool(new.targets) and new.targets[0].system not in systems


def _systems(file: CsvFile) -> dict[str, tuple[CodeSystemVersion, ...]]:
    found: dict[str, tuple[CodeSystemVersion, ...]] = {}
    for line, row in file.rows(_SYSTEM_COLUMNS) if file.path.exists() else ():
        first, last = (_day(file, line, row[name]) for name in ("valid_from", "valid_to"))
        try:
            pattern = re.compile(row["pattern"] or ".+")
        except re.error:
            file.add_problem("terms.bad_pattern", line, word=row["pattern"])
            continue
        system = CodeSystemVersion(
            row["name"], row["uri"], row["version"] or None, pattern, first, last, line
        )
        known = found.get(system.name, ())
        if clash := next((other for other in known if periods_overlap(other, system)), None):
            file.add_problem("terms.period_overlaps", line, word=system.name, other=str(clash.line))
            continue
        found[system.name] = newest_first((*known, system))
    return found


def _caseless_codes(codes: Mapping[str, Concept]) -> dict[str, str]:
    found: dict[str, str | None] = {}
    for code in codes:
        found[normalise_text(code)] = None if normalise_text(code) in found else code
    return {text: code for text, code in found.items() if code is not None}


def _units(file: CsvFile) -> tuple[dict[str, WrittenUnit], dict[str, str]]:
    units: dict[str, WrittenUnit] = {}
    dimensions: dict[str, str] = {}
    for line, row in file.rows(_UNIT_COLUMNS):
        text = normalise_unit(row["unit"])
        if text in units or not row["ucum"]:
            file.add_problem("mapping.duplicate", line, word=row["unit"])
            continue
        try:
            factor = _factor(row["factor"])
        except (ValueError, InvalidOperation):
            file.add_problem("mapping.bad_factor", line, word=row["factor"])
            continue
        units[text] = WrittenUnit(row["ucum"], row["dimension"], factor, line)
        if "\u00b5" in text:  # keyboards have no micro sign
            units.setdefault(text.replace("\u00b5", "u"), units[text])
        dimensions[row["ucum"]] = row["dimension"]
    for unit in tuple(units.values()):  # a laboratory may write UCUM itself
        units.setdefault(unit.ucum, replace(unit, factor=None))
    return units | _caseless(units), dimensions


def _factor(text: str) -> Decimal | None:
    """A number above zero; a spreadsheet may have given it a decimal comma."""
    factor = Decimal(text.replace(",", ".")) if text else None
    if factor is not None and not (factor.is_finite() and factor > 0):
        raise ValueError(text)
    return factor


def _caseless(units: Mapping[str, WrittenUnit]) -> dict[str, WrittenUnit]:
    """Units by their text without case, where that has one meaning only."""
    by_text: dict[str, set[WrittenUnit]] = {}
    for text, unit in units.items():
        by_text.setdefault("\0" + text.casefold(), set()).add(unit)
    return {text: next(iter(found)) for text, found in by_text.items() if len(found) == 1}
