"""What is left of a resource when a person goes out under a pseudonym.

An allow-list for the person: an element that a mapping adds tomorrow does not leave until it is
added here. Of everything else the words that somebody wrote are taken away.
"""

import re
from typing import Any

from adapter.disclosure.folding import fold
from adapter.fhir.codec import Resource

__all__ = ["labelled", "pseudonymised", "without_free_text"]

_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_LABEL_TEXT = {"N": "normal", "R": "restricted"}
_KEPT_OF_PATIENT = ("resourceType", "meta", "identifier", "active", "name", "gender", "birthDate")
_WRITTEN = frozenset(("text", "note", "patientInstruction", "description", "conclusion", "comment"))
_WRITTEN |= {"series", "valueString"}
# Elements that are left whole: what the sheet calls a measure, and values, which `plain` looks at.
_NAMED = {
    "Observation": ("code", "valueCodeableConcept", "valueString", "component", "referenceRange"),
    "ServiceRequest": ("code",),
}


def pseudonymised(resource: Resource, system: str) -> Resource:
    """A Patient reduced to our own identifier, a pseudonym made of it, sex and year of birth.
    Other resources carry no identity of their own and are returned as they are.
    """
    if resource.get("resourceType") != "Patient":
        return resource
    ours = [item for item in resource["identifier"] if item.get("system") == system]
    kept = {name: value for name, value in resource.items() if name in _KEPT_OF_PATIENT}
    kept["identifier"] = ours
    kept["name"] = [{"use": "anonymous", "text": f"BN-{ours[0]['value'][:10].upper()}"}]
    if "birthDate" in kept:
        kept["birthDate"] = kept["birthDate"][:4]
    return kept


def without_free_text(resource: Resource, plain: re.Pattern[str] | None) -> Resource:
    """The resource without sentences: what is coded keeps its codes and displays. Of an Observation a
    value in words stays where `plain` matches all of it; one that is taken away leaves the reason
    `masked`, so that nobody takes the measurement for one that was never made.
    """
    if resource.get("resourceType") == "Patient":
        return resource  # what is left of it was chosen element by element
    whole = _NAMED.get(resource["resourceType"], ())
    kept = {}
    for name, value in resource.items():
        left = value if name in whole else None if name in _WRITTEN else _coded(value)
        if left not in (None, {}, []):
            kept[name] = left
    return kept if resource["resourceType"] != "Observation" else _masked(kept, plain)


def _coded(value: Any) -> Any:
    """A part of a resource without what somebody wrote; {} or [] when nothing else was in it."""
    if isinstance(value, list):
        return [left for item in value if (left := _coded(item)) not in ({}, [])]
    if not isinstance(value, dict):
        return value
    displays = {one.get("display") for one in value.get("coding", ()) if isinstance(one, dict)}
    kept = {}
    for name, part in value.items():
        if name in _WRITTEN and (name != "text" or part not in displays):
            continue
        left = _coded(part)
        if left not in ({}, []):
            kept[name] = left
    # an extension that lost its value is none: its url alone would be refused
    return {} if kept.keys() == {"url"} != value.keys() else kept


def _masked(resource: Resource, plain: re.Pattern[str] | None) -> Resource:
    text, concept = resource.get("valueString"), resource.get("valueCodeableConcept")
    if text is None and concept and not concept.get("coding"):
        text = concept.get("text", "")
    if text is None or (plain is not None and plain.fullmatch(fold(text))):
        return resource
    left = {}
    for name, value in resource.items():
        if name in ("valueString", "valueCodeableConcept"):
            left["dataAbsentReason"] = {
                "coding": [{"system": _ABSENT, "code": "masked", "display": "Masked"}]
            }
        else:
            left[name] = value
    return left


def labelled(resource: Resource, label: str) -> Resource:
    """The resource with its confidentiality label in meta.security, right after resourceType."""
    coding = {"system": _CONFIDENTIALITY, "code": label, "display": _LABEL_TEXT[label]}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "meta")}
    meta = {**resource.get("meta", {}), "security": [coding]}
    return {"resourceType": resource["resourceType"], "meta": meta, **rest}
