"""What an OBX says as a value (OBX-2, OBX-5, OBX-6), as `value[x]` of an Observation. Pure."""

from decimal import Decimal
from typing import Any, Final

from adapter.fhir.codec import Resource
from adapter.fhir.written_quantity import compared_quantity, is_number, quantity
from adapter.hl7v2.message import Element, Segment
from adapter.hl7v2.sender import SenderConventions, coded
from adapter.hl7v2.timestamps import clock_time, date_time

__all__ = ["TEXT_TYPES", "element_text", "observed_value"]

TEXT_TYPES: Final = frozenset(("TX", "FT", "ST"))
_COMPARATORS: Final = ("<", ">", "<=", ">=")
_UCUM: Final = "http://unitsofmeasure.org"


def observed_value(obx: Segment, zone: str, profile: SenderConventions) -> Resource:
    """`{"valueQuantity": …}` and the like; empty where it says nothing. What is not of the type that OBX-2
    names stands there as the text that it is.
    """
    elements = obx.elements(5)
    if not elements or not any(one.raw for one in elements):
        return {}
    type_ = obx.first(2).upper()
    only = elements[0] if len(elements) == 1 else None
    if type_ in ("CE", "CWE", "CNE", "CF", "IS", "ID"):
        return _concept(elements, profile)
    if only is not None and (found := _of_type(type_, only, obx, zone)):
        return found
    text = "\n".join(element_text(type_, one) for one in elements)
    return {"valueString": _with_unit(text, obx)} if text.strip() else {}


def _of_type(type_: str, element: Element, obx: Segment, zone: str) -> Resource:
    written = element.text().strip()
    if type_ in ("NM", "ST") and (found := _measured(type_, written, obx)):
        return {"valueQuantity": found}
    if type_ == "SN":
        return _structured(element, obx)
    if type_ in ("DT", "TS", "DTM"):
        return {"valueDateTime": date_time(element.component(1), zone, obx.at(5))}
    if type_ == "TM" and (time := clock_time(written)):
        return {"valueTime": time}
    return {}


def _measured(type_: str, written: str, obx: Segment) -> Resource | None:
    """A number; as text (ST) only where a unit says that it is a measurement."""
    unit = _unit(obx)
    if type_ == "ST" and not unit:
        return None
    return compared_quantity(written, unit)


def _structured(element: Element, obx: Segment) -> Resource:
    """SN: comparator^number^separator^number."""
    comparator, first, separator, second = (element.component(number) for number in range(1, 5))
    unit = _unit(obx)
    if is_number(first) and not second and not separator and comparator in ("", "=", *_COMPARATORS):
        return {"valueQuantity": quantity(first, unit, "" if comparator == "=" else comparator)}
    if comparator in ("", "=") and is_number(first) and is_number(second):
        if separator == "-" and Decimal(first) <= Decimal(second):
            return {"valueRange": {"low": quantity(first, unit), "high": quantity(second, unit)}}
        if separator in (":", "/"):
            return {"valueRatio": {"numerator": quantity(first, unit), "denominator": quantity(second, {})}}
    text = f"{comparator}{first}{separator}{second}"
    return {"valueString": _with_unit(text, obx)} if text else {}


def _concept(elements: list[Element], profile: SenderConventions) -> Resource:
    concepts = [one for one in (coded(element, profile) for element in elements) if one]
    if not concepts:
        return {}
    if len(concepts) == 1:
        return {"valueCodeableConcept": concepts[0]}
    texts = (one.get("text") or one["coding"][0]["code"] for one in concepts)
    return {"valueCodeableConcept": {"text": "; ".join(texts)}}  # codings of one concept mean the same


def element_text(type_: str, element: Element) -> str:
    """A repetition as text: of a type with components these, one after the other."""
    if type_ in TEXT_TYPES or type_ in ("NM", "DT", "TM", ""):
        return element.text()
    return " ".join(filter(None, element.components()))


def _unit(obx: Segment) -> Resource:
    """OBX-6: a code where its table is UCUM, else only words."""
    found = obx.elements(6)
    if not found:
        return {}
    code, text, table = (found[0].component(number) for number in (1, 2, 3))
    if table.upper() == "UCUM" and code:
        return {"unit": text or code, "system": _UCUM, "code": code}
    return {"unit": text or code} if text or code else {}


def _with_unit(text: str, obx: Segment) -> str:
    """A value that is no number keeps its unit beside it."""
    unit: Any = _unit(obx).get("unit")
    return f"{text} {unit}" if unit else text
