"""OBX as Observations. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.codec import Resource
from adapter.fhir.written_quantity import is_number, quantity
from adapter.hl7v2.message import Segment
from adapter.hl7v2.refusals import MISSING_FIELD, UNKNOWN_CODE, refusal
from adapter.hl7v2.sender import SenderConventions, coded
from adapter.hl7v2.timestamps import moment_at
from adapter.hl7v2.values import observed_value

__all__ = ["Finding", "is_left_out", "note_of", "observation_of", "observation_status"]

_STATUSES: Final = {  # table 0085, OBX-11
    "F": "final",
    "U": "final",
    "C": "corrected",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "I": "registered",
    "X": "cancelled",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "": "unknown",
}
_LEFT_OUT: Final = ("O", "N")  # a detail of the order; not asked for: nothing was found
_NO_VALUE_NEEDED: Final = ("registered", "cancelled", "entered-in-error", "unknown", "preliminary")
_INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_FLAGS: Final = frozenset(
    (
        "L",
        "H",
        "LL",
        "HH",
        "<",
        ">",
        "N",
        "A",
        "AA",
        "U",
        "D",
        "B",
        "W",
        "S",
        "R",
        "I",
        "MS",
        "VS",
        "POS",
        "NEG",
        "IND",
        "DET",
        "ND",
        "LU",
        "HU",
    )
)  # table 0078, as far as FHIR has the same code
_RANGE: Final = re.compile(r"\s*([+-]?[\d.]+)\s*-\s*([\d.]+)\s*")


@dataclass(slots=True)
class Finding:
    """One OBX with what belongs to it: further lines of the same text, and notes."""

    obx: Segment
    lines: list[Segment] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)


def observation_status(obx: Segment) -> str:
    """The `status` of OBX-11. Raises MessageRefused for a code that table 0085 does not have."""
    found = _STATUSES.get(obx.first(11).upper())
    if found is None:
        raise refusal("AE", UNKNOWN_CODE, "unknown_code", obx.at(11))
    return found


def is_left_out(obx: Segment) -> bool:
    """Whether it says nothing that was found."""
    return obx.first(11).upper() in _LEFT_OUT


def observation_of(finding: Finding, zone: str, profile: SenderConventions) -> Resource:
    """The Observation without what it has of its group: whose it is, its number, its time. Raises
    MessageRefused.
    """
    obx = finding.obx
    obx.required(3)
    code = coded(obx.elements(3)[0], profile)
    status = observation_status(obx)
    value = observed_value(obx, zone, profile)
    if finding.lines and "valueString" in value:
        more = (observed_value(one, zone, profile).get("valueString", "") for one in finding.lines)
        value["valueString"] = "\n".join((value["valueString"], *more))
    if not value and status not in _NO_VALUE_NEEDED:
        raise refusal("AE", MISSING_FIELD, "missing_field", obx.at(5))
    found: Resource = {"resourceType": "Observation", "status": status, "code": code, **value}
    if effective := moment_at(obx, 14, zone):
        found["effectiveDateTime"] = effective
    if flags := [flag for one in obx.elements(8) if (flag := _flag(one.component(1)))]:
        found["interpretation"] = flags
    if limits := _range(obx, value):
        found["referenceRange"] = [limits]
    if (methods := obx.elements(17)) and (method := coded(methods[0], profile)):
        found["method"] = method
    if notes := note_of(finding.notes):
        found["note"] = notes
    return found


def note_of(segments: Sequence[Segment]) -> list[Resource]:
    """NTE segments as one Annotation, each repetition of NTE-3 a line; none where they say nothing."""
    lines = [element.text() for one in segments for element in one.elements(3)]
    text = "\n".join(lines).strip()
    return [{"text": text}] if text else []


def _flag(code: str) -> Resource | None:
    if not code:
        return None
    return {"coding": [{"system": _INTERPRETATION, "code": code}]} if code in _FLAGS else {"text": code}


def _range(obx: Segment, value: Resource) -> Resource | None:
    """OBX-7 as it is written; its limits too, where both are numbers and the value is one."""
    written = "; ".join(filter(None, (one.text().strip() for one in obx.elements(7))))
    if not written:
        return None
    found: Resource = {"text": written}
    limits = _RANGE.fullmatch(written)
    if limits and "valueQuantity" in value and is_number(limits[1]) and is_number(limits[2]):
        unit = {
            name: one for name, one in value["valueQuantity"].items() if name in ("unit", "system", "code")
        }
        found |= {"low": quantity(limits[1], unit), "high": quantity(limits[2], unit)}
    return found
