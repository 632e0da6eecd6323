"""HL7's own code systems and extensions, as far as its R4 package holds them: `vocabulary.json`.

The table is made by `generate_vocabulary` and checked in. Its keys are `systems` (URL -> codes),
`caseSensitive` (the systems in which the case of a letter counts) and `extensions` (URL -> types of
the value).
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["EXTENSIONS", "HOMES", "VOCABULARY_FILE", "extension_values", "is_known_code"]

HOMES: Final = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/")  # of HL7's code systems
EXTENSIONS: Final = "http://hl7.org/fhir/StructureDefinition/"  # of HL7's extensions
VOCABULARY_FILE: Final = Path(__file__).with_name("vocabulary.json")


def is_known_code(system: str, code: str) -> bool:
    """Whether HL7's code system has the code; true for a system that the table does not hold."""
    if not system.startswith(HOMES):
        return True
    codes = _codes(system)
    return codes is None or code in codes or (system not in _sensitive() and code.lower() in codes)


def extension_values(url: str) -> frozenset[str] | None:
    """The JSON names that the value of HL7's extension may have ("valueAddress"); empty for one that holds
    extensions, None for an extension that R4 does not define.
    """
    types = _table()["extensions"].get(url)
    if types is None:
        return None
    return frozenset(f"value{one[0].upper()}{one[1:]}" for one in types.split("|") if one)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(VOCABULARY_FILE.read_bytes())
    return table


@cache
def _sensitive() -> frozenset[str]:
    return frozenset(_table()["caseSensitive"])


def _codes(system: str) -> frozenset[str] | None:
    return _known_codes(system) if system in _table()["systems"] else None


@cache  # one entry for each system of the table at most
def _known_codes(system: str) -> frozenset[str]:
    codes: list[str] = _table()["systems"][system]
    return frozenset(codes if system in _sensitive() else (one.lower() for one in codes))
