"""Takes the words that somebody wrote out of a resource, by the types that R4 gives its elements."""

import re
from typing import Any

from adapter.disclosure.personal_numbers import has_personal_number, is_code_of_something
from adapter.fhir.definitions.types import Element, elements
from adapter.text_folding import fold_text

__all__ = ["element_without_free_text", "is_plain"]

_WORDS = frozenset(("string", "markdown", "xhtml", "base64Binary"))
# Texts that are names of codes, numbers' units and references, and no sentences.
_KEPT = frozenset(
    (
        ("Coding", "display"),
        ("Coding", "version"),
        ("Identifier", "value"),
        ("Reference", "reference"),
        ("Reference", "display"),
    )
)
_LOT = "lotNumber"
_LONGEST_UNIT = 20  # characters; a longer one is no unit
_WHO = frozenset(("Patient", "Person", "RelatedPerson", "Practitioner"))


def is_plain(text: str, plain: re.Pattern[str] | None, name: str = "") -> bool:
    """Whether `plain` matches all of a text in which no number is somebody's; only as a lot number goes what
    may be the number of anything.
    """
    if plain is None:
        return False
    folded = fold_text(text)
    if not plain.fullmatch(folded) or has_personal_number(folded):
        return False
    return name == _LOT or not is_code_of_something(folded)


def _part(value: Any, type_name: str, plain: re.Pattern[str] | None) -> Any:
    """A part of a resource of that type without what somebody wrote; None when nothing else was in it,
    or when it makes no sense without. A text that `is_plain` stays.
    """
    if type_name == "Resource":
        type_name = value.get("resourceType", "")
        if type_name in _WHO:
            return {name: part for name, part in value.items() if name in ("resourceType", "id", "gender")}
    known = elements(type_name)
    displays = {one.get("display") for one in value.get("coding", ())} if "coding" in value else ()
    kept = {}
    for name, part in value.items():
        if type_name == "CodeableConcept" and name == "text" and part in displays:
            left = part
        else:
            left = element_without_free_text(part, type_name, name, plain)
        if left is not None:
            kept[name] = left
        elif name == "unit" or (name in known and known[name].required):
            return None  # a number without its unit would be another number
    return None if kept.keys() <= {"resourceType", "id", "url"} else kept


def element_without_free_text(part: Any, type_name: str, name: str, plain: re.Pattern[str] | None) -> Any:
    """The same for one element of a type."""
    element = elements(type_name).get(name)
    if name == "resourceType":
        return part
    if element is None or element.type in ("Narrative", "Annotation"):
        return None  # no element of R4 by itself: `_birthDate` and the like
    if element.is_list and isinstance(part, list):
        left = [one for item in part if (one := _one(item, type_name, name, element, plain)) is not None]
        return left or None
    return _one(part, type_name, name, element, plain)


def _one(part: Any, type_name: str, name: str, element: Element, plain: re.Pattern[str] | None) -> Any:
    if element.type is not None:
        return _part(part, element.type, plain)
    if element.primitive not in _WORDS or (type_name, name) in _KEPT or not isinstance(part, str):
        return part
    if type_name in ("Quantity", "Age", "Count", "Distance", "Duration") and name == "unit":
        return part if len(part) <= _LONGEST_UNIT else None
    return part if is_plain(part, plain, name) else None
