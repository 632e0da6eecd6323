"""Checks of measures, their units and their words when code tables are loaded.

A LOINC code names a property (https://loinc.org/kb/users-guide/): glucose as mass (MCnc) and as substance
(SCnc) have different codes. So the property of a measure's code decides what kind of unit it may have.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from adapter.mapping.terminology.code_tables import LOINC_SYSTEM, CodeTable, CodeTables, Concept, WrittenUnit
from adapter.mapping.terminology.spellings import Spelling, fold_spelling
from adapter.units.ucum import commensurable, is_ucum_code, parse_unit

__all__ = ["TableProblem", "measure_problems", "spelling_problems", "spellings_of", "unit_problems"]

TableProblem = tuple[str, int, dict[str, str]]  # text, line, its parameters

_Kinds = Mapping[str, int]


def _exactly(*allowed: _Kinds) -> Callable[[_Kinds], bool]:
    return lambda kinds: any(dict(kinds) == dict(one) for one in allowed)


def _arbitrary_in_volume(kinds: _Kinds) -> bool:
    rest = {name: power for name, power in kinds.items() if name != "m"}
    return kinds.get("m") == -3 and list(rest.values()) == [1] and next(iter(rest)).startswith("[")


_PLAIN = _exactly({})
_PROPERTIES: Mapping[str, Callable[[_Kinds], bool]] = {
    "ACnc": _arbitrary_in_volume,
    "ArVRat": _exactly({"m": 3, "s": -1}, {"m": 1, "s": -1}),  # {1.73_m2} is an annotation
    "CCnc": _exactly({"mol": 1, "s": -1, "m": -3}),
    "EntMass": _exactly({"g": 1}),
    "EntVol": _exactly({"m": 3}),
    "Len": _exactly({"m": 1}),
    "MCnc": _exactly({"g": 1, "m": -3}),
    "MFr": _PLAIN,
    "Mass": _exactly({"g": 1}),
    "NCnc": _exactly({"m": -3}),
    "NFr": _PLAIN,
    "NRat": _exactly({"s": -1}),
    "PrThr": lambda _: False,  # a word is the result: no unit fits
    "Pres": _exactly({"g": 1, "m": -1, "s": -2}),
    "SCnc": _exactly({"mol": 1, "m": -3}),
    "SFr": _PLAIN,
    "Temp": _exactly({"K": 1}),
    "Type": lambda _: False,
    "VFr": _PLAIN,
    "Vel": _exactly({"m": 1, "s": -1}),
}

_TYPES = ("panel", "qualitative", "quantity", "report", "text")
_NAMES = {
    "[#/volume]": "NCnc",
    "[Enzymatic activity/volume]": "CCnc",
    "[Entitic mass]": "EntMass",
    "[Entitic volume]": "EntVol",
    "[Mass/volume]": "MCnc",
    "[Moles/volume]": "SCnc",
    "[Presence]": "PrThr",
    "[Units/volume]": "ACnc",
    "[Volume Fraction]": "VFr",
}


def unit_problems(units: Mapping[str, WrittenUnit]) -> Iterator[TableProblem]:
    """What is wrong with the rows of `units.csv`: no UCUM code, or one dimension for two kinds of things."""
    first: dict[str, WrittenUnit] = {}
    for unit in sorted(set(units.values()), key=lambda one: one.line):
        if not is_ucum_code(unit.ucum):
            yield "terms.bad_ucum", unit.line, {"word": unit.ucum}
            continue
        other = first.setdefault(unit.dimension, unit)
        if not commensurable(unit.ucum, other.ucum):
            params = {"word": unit.ucum, "other": other.ucum, "dimension": unit.dimension}
            yield "terms.mixed_dimension", unit.line, params


def measure_problems(codes: CodeTables) -> Iterator[TableProblem]:
    """What is wrong with the rows of `measures.csv`: no UCUM code, not what the LOINC property measures,
    a conversion to another kind of unit, a type, unit, component or table that is not there.
    """
    tables = codes.tables
    for concept in _every(tables.get("measures")):
        yield from _name_problems(concept, tables["measures"])
        yield from _written_unit_problems(concept, codes)
        values = concept.more.get("values", "")
        if values and values not in tables:
            yield "mapping.no_table", concept.line, {"word": values, "nearest": ", ".join(sorted(tables))}
        ucum, wanted = concept.more.get("ucum", ""), concept.more.get("convert_to", "")
        wrong = [code for code in dict.fromkeys((ucum, wanted)) if code and not is_ucum_code(code)]
        for code in wrong:
            yield "terms.bad_ucum", concept.line, {"word": code}
        if wrong:
            continue
        yield from _property_problems(concept, ucum)
        if wanted and not (ucum and commensurable(ucum, wanted)):
            yield "terms.not_commensurable", concept.line, {"word": wanted, "other": ucum or "-"}


def _name_problems(concept: Concept, measures: CodeTable) -> Iterator[TableProblem]:
    kind = concept.more.get("type", "")
    if kind and kind not in _TYPES:
        yield "terms.no_type", concept.line, {"word": kind, "known": ", ".join(_TYPES)}
    yield from _unknown_measures(concept, "components", measures)


def _unknown_measures(concept: Concept, column: str, measures: CodeTable) -> Iterator[TableProblem]:
    for name in filter(None, concept.more.get(column, "").split("|")):
        if name not in measures.concepts:
            yield "terms.no_measure", concept.line, {"word": name, "column": column}


def _written_unit_problems(concept: Concept, codes: CodeTables) -> Iterator[TableProblem]:
    """The unit that a laboratory is expected to write, and the UCUM code, are of one kind."""
    written, ucum = concept.more.get("unit", ""), concept.more.get("ucum", "")
    unit = codes.unit(written)
    if written and unit is None and codes.units:
        yield "terms.no_unit", concept.line, {"word": written}
    elif (
        unit is not None
        and is_ucum_code(ucum)
        and is_ucum_code(unit.ucum)
        and not commensurable(unit.ucum, ucum)
    ):
        yield "terms.not_commensurable", concept.line, {"word": ucum, "other": written}


def spellings_of(table: CodeTable | None) -> Iterator[tuple[Spelling, int]]:
    """The spellings of a table of results in words, each with its row's line."""
    for concept in table.concepts.values() if table else ():
        only = frozenset(filter(None, concept.more.get("measures", "").split("|")))
        for text in filter(None, map(str.strip, concept.more.get("spellings", "").split("|"))):
            yield Spelling(text, concept.code, only), concept.line


def spelling_problems(tables: Mapping[str, CodeTable]) -> Iterator[TableProblem]:
    """What is wrong with the rows of `qualitative.csv`: a word that means two results of one measure, or
    is only a measure's that is not there.
    """
    table, measures = tables.get("qualitative"), tables.get("measures")
    if measures is not None and measures.concepts:
        for concept in _every(table):
            yield from _unknown_measures(concept, "measures", measures)
    first: dict[str, list[Spelling]] = {}
    for one, line in spellings_of(table):
        others = first.setdefault(fold_spelling(one.text), [])
        for other in others:
            if other.code != one.code and (other.only == one.only or other.only & one.only):
                yield "terms.two_meanings", line, {"word": one.text, "one": other.code, "two": one.code}
        others.append(one)


def _every(table: CodeTable | None) -> Iterator[Concept]:
    for code, newest in table.concepts.items() if table else ():
        yield from (table.rows.get(code, (newest,)) if table else ())


@cache
def _twins() -> Mapping[str, str]:
    """Codes of the same substance as mass and as moles, which are easily taken for each other."""
    text = Path(__file__).with_name("loinc.csv").read_text("utf-8")
    return {row["code"]: row["property"] for row in csv.DictReader(text.splitlines())}


def _property_problems(concept: Concept, ucum: str) -> Iterator[TableProblem]:
    """The property is the row's own, the one that LOINC's name says in brackets, and for substances that are
    measured in both ways the one that the code itself is known to have: a name left behind hides no slip.
    """
    written = concept.more.get("property", "")
    if written and written not in _PROPERTIES:
        yield "terms.no_property", concept.line, {"word": written, "known": ", ".join(sorted(_PROPERTIES))}
        return
    known = {_twins().get(target.code, "") for target in concept.targets if target.system == LOINC_SYSTEM}
    said = next((name for text, name in _NAMES.items() if text in (concept.target_display or "")), "")
    for name in sorted({written, said, *known} - {""}):
        if ucum and not _PROPERTIES[name](dict(parse_unit(ucum).kinds)):
            params = {"word": ucum, "code": concept.target or concept.code, "property": name}
            yield "terms.unit_disagrees", concept.line, params
            return
