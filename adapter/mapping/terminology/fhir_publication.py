"""The code tables as FHIR terminology resources (pure): CodeSystem, ValueSet, ConceptMap.

One of each for every table whose local codes are sent (http://hl7.org/fhir/R4/terminology-module.html).
The same tables give the same bytes: no date, and the version is the mapping's.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.mapping.terminology.code_tables import LOINC_SYSTEM, CodeTable, CodeTables, Concept, TargetCode

__all__ = ["LOINC_NOTICE", "code_table_resources"]

Resource = dict[str, Any]

LOINC_NOTICE = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright © 1995-2026, "
    "Regenstrief Institute, Inc. and the Logical Observation Identifiers Names and Codes (LOINC) Committee "
    "and is available at no cost under the license at http://loinc.org/license. LOINC® is a registered "
    "United States trademark of Regenstrief Institute, Inc."
)
_PERIOD = (("validFrom", "valid_from"), ("validTo", "valid_to"))
_COMMENTED = {  # invariant cmd-1: these say why
    "narrower": "The target is narrower than the local code.",
    "inexact": "The meanings overlap, but neither holds the other.",
}


def code_table_resources(codes: CodeTables, version: str) -> Mapping[str, Resource]:
    """Resources by file name, in the order of `tables.csv`. `version` is the mapping's."""
    made: dict[str, Resource] = {}
    for table in codes.tables.values():
        if table.system is None or not table.concepts:
            continue
        made[f"CodeSystem-{table.name}.json"] = _code_system(table, version)
        made[f"ValueSet-{table.name}.json"] = _value_set(table, version)
        if any(row.targets for row in _rows(table)):
            made[f"ConceptMap-{table.name}.json"] = _concept_map(table, version)
    return made


def _rows(table: CodeTable) -> Iterator[Concept]:
    for code, newest in table.concepts.items():
        yield from table.rows.get(code, (newest,))


def _canonical(table: CodeTable, type_: str) -> str:
    """URL of the table's resource of that type, beside that of its code system."""
    system = table.system or ""
    here = "/CodeSystem/"
    return system.replace(here, f"/{type_}/") if here in system else f"{system}:{type_.lower()}"


def _head(table: CodeTable, type_: str, version: str) -> Resource:
    name = "".join(part.capitalize() for part in table.name.replace("_", "-").split("-"))
    url = (table.system or "") if type_ == "CodeSystem" else _canonical(table, type_)
    loinc = any(target.system == LOINC_SYSTEM for row in _rows(table) for target in row.targets)
    return {
        "resourceType": type_,
        "id": table.name,
        "language": "vi",
        "url": url,
        "version": version,
        "name": f"{name}{type_}",
        "title": table.title or table.name,
        "status": "active",
        **({"description": table.title_en} if table.title_en else {}),
        **({"copyright": LOINC_NOTICE} if loinc else {}),
    }


def _code_system(table: CodeTable, version: str) -> Resource:
    dated = any(concept.valid_from or concept.valid_to for concept in table.concepts.values())
    properties = [{"code": name, "type": "dateTime"} for name, _ in _PERIOD] if dated else []
    return {
        **_head(table, "CodeSystem", version),
        "caseSensitive": True,
        "valueSet": _canonical(table, "ValueSet"),
        "content": "complete",
        "count": len(table.concepts),
        **({"property": properties} if properties else {}),
        "concept": [_defined(concept) for concept in table.concepts.values()],
    }


def _defined(concept: Concept) -> Resource:
    english = concept.more.get("display_en")
    period = [
        {"code": name, "valueDateTime": day.isoformat()}
        for name, field in _PERIOD
        if (day := getattr(concept, field)) is not None
    ]
    return {
        "code": concept.code,
        "display": concept.display or concept.code,
        **({"designation": [{"language": "en", "value": english}]} if english else {}),
        **({"property": period} if period else {}),
    }


def _value_set(table: CodeTable, version: str) -> Resource:
    return {
        **_head(table, "ValueSet", version),
        "compose": {"include": [{"system": table.system, "version": version}]},
    }


def _concept_map(table: CodeTable, version: str) -> Resource:
    systems = dict.fromkeys(target.system for row in _rows(table) for target in row.targets)
    return {
        **_head(table, "ConceptMap", version),
        "sourceUri": _canonical(table, "ValueSet"),
        "group": [_group(table, system, version) for system in systems],
    }


def _group(table: CodeTable, system: str, version: str) -> Resource:
    elements = []
    for code, newest in table.concepts.items():
        rows = table.rows.get(code, (newest,))
        targets = [_mapped(row, target) for row in rows for target in row.targets if target.system == system]
        display = {"display": newest.display} if newest.display else {}
        elements.append({"code": code, **display, "target": targets or [{"equivalence": "unmatched"}]})
    return {"source": table.system, "sourceVersion": version, "target": system, "element": elements}


def _mapped(row: Concept, target: TargetCode) -> Resource:
    comment = " ".join(_comments(row, target))
    return {
        "code": target.code,
        **({"display": target.display} if target.display else {}),
        "equivalence": target.equivalence,
        **({"comment": comment} if comment else {}),
    }


def _comments(row: Concept, target: TargetCode) -> Iterable[str]:
    if target.equivalence in _COMMENTED:
        yield _COMMENTED[target.equivalence]
    if row.valid_from or row.valid_to:
        yield f"Valid {row.valid_from or '…'} to {row.valid_to or '…'}."
