"""Checks a literal of a mapping against the element that it stands in: JSON type, format, code."""

from collections.abc import Callable
from decimal import Decimal

from adapter.fhir import definitions, formats
from adapter.fhir.definitions import Element
from adapter.mapping.names import nearest
from adapter.mapping.source import Problems, Scalar

__all__ = ["check_literal", "codes_of"]

_INTEGERS = {"integer": None, "positiveint": 1, "unsignedint": 0}
_FORMATS: dict[str, Callable[[str], bool]] = {
    "date": formats.is_date,
    "datetime": formats.is_date_time,
    "instant": formats.is_instant,
    "id": formats.is_id,
    "code": formats.is_code,
}


def codes_of(owner: str, element: Element) -> frozenset[str] | None:
    """The codes of a required binding, None where the element has none."""
    found: frozenset[str] | None = getattr(element, "codes", None)
    if found is None:
        found = getattr(definitions, "REQUIRED", {}).get((owner, element.name))
    return found


def check_literal(node: Scalar, element: Element, codes: frozenset[str] | None, problems: Problems) -> None:
    """Add what is wrong with a literal in an element of a primitive type."""
    value, primitive = node.value, element.primitive
    if value is None or _is_right(value, primitive.lower()):
        if codes is not None and isinstance(value, str) and value not in codes:
            problems.add(
                node.place, "mapping.no_code", word=value, element=element.name, nearest=nearest(value, codes)
            )
        return
    word = str(value).lower() if isinstance(value, bool) else value  # as YAML writes it
    problems.add(node.place, "mapping.bad_literal", word=word, element=element.name, type=primitive)


def _is_right(value: str | int | bool | Decimal, primitive: str) -> bool:
    if primitive == "boolean":
        return isinstance(value, bool)
    if primitive in _INTEGERS:
        least = _INTEGERS[primitive]
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (least is None or int(value) >= least)
    if primitive == "decimal":
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    return isinstance(value, str) and _FORMATS.get(primitive, bool)(value)
