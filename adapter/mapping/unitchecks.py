"""Checks of units when code tables are loaded: UCUM codes, and units that a LOINC code cannot have.

A LOINC code names a property (https://loinc.org/kb/users-guide/): glucose as mass (MCnc) and as substance
(SCnc) have different codes. So the property of a measure's code decides what kind of unit it may have.
"""

from collections.abc import Callable, Iterator, Mapping

from adapter.mapping.terminology import Concept, Table, Unit
from adapter.mapping.ucum import commensurable, is_ucum, measure_of

__all__ = ["Problem", "measure_problems", "unit_problems"]

Problem = tuple[str, int, dict[str, str]]  # text, line, its parameters

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


def unit_problems(units: Mapping[str, Unit]) -> Iterator[Problem]:
    """What is wrong with the rows of `units.csv`: no UCUM code, or one dimension for two kinds of things."""
    first: dict[str, Unit] = {}
    for unit in sorted(set(units.values()), key=lambda one: one.line):
        if not is_ucum(unit.ucum):
            yield "terms.bad_ucum", unit.line, {"word": unit.ucum}
            continue
        other = first.setdefault(unit.dimension, unit)
        if not commensurable(unit.ucum, other.ucum):
            params = {"word": unit.ucum, "other": other.ucum, "dimension": unit.dimension}
            yield "terms.mixed_dimension", unit.line, params


def measure_problems(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What is wrong with the rows of `measures.csv`: no UCUM code, not what the LOINC property measures,
    a conversion to another kind of unit, values of a table that is not there.
    """
    for concept in _every(tables.get("measures")):
        values = concept.more.get("values", "")
        if values and values not in tables:
            yield "mapping.no_table", concept.line, {"word": values, "nearest": ", ".join(sorted(tables))}
        ucum, wanted = concept.more.get("ucum", ""), concept.more.get("convert_to", "")
        wrong = [code for code in dict.fromkeys((ucum, wanted)) if code and not is_ucum(code)]
        for code in wrong:
            yield "terms.bad_ucum", concept.line, {"word": code}
        if wrong:
            continue
        yield from _property_problems(concept, ucum)
        if wanted and not (ucum and commensurable(ucum, wanted)):
            yield "terms.not_commensurable", concept.line, {"word": wanted, "other": ucum or "-"}


def _every(table: Table | None) -> Iterator[Concept]:
    for code, newest in table.concepts.items() if table else ():
        yield from (table.rows.get(code, (newest,)) if table else ())


def _property_problems(concept: Concept, ucum: str) -> Iterator[Problem]:
    """The property is the row's own, and the one that LOINC's name says in brackets."""
    written = concept.more.get("property", "")
    if written and written not in _PROPERTIES:
        yield "terms.no_property", concept.line, {"word": written, "known": ", ".join(sorted(_PROPERTIES))}
        return
    said = next((name for text, name in _NAMES.items() if text in (concept.target_display or "")), "")
    for name in sorted({written, said} - {""}):
        if ucum and not _PROPERTIES[name](dict(measure_of(ucum).kinds)):
            params = {"word": ucum, "code": concept.target or concept.code, "property": name}
            yield "terms.unit_disagrees", concept.line, params
            return
