"""What is left of a resource when a person goes out under a pseudonym.

An allow-list for the person: an element that a mapping adds tomorrow does not leave until it is
added here. Of everything else the words that somebody wrote are taken away.
"""

import re
from typing import Any

from adapter.bounded_cache import BoundedCache
from adapter.disclosure.free_text import element_without_free_text
from adapter.fhir.codec import Resource, SerialisedElements, is_worth_caching
from adapter.text_folding import fold_text

__all__ = ["pseudonymised", "with_confidentiality_label", "without_free_text"]

_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_MASKED = {"coding": [{"system": _ABSENT, "code": "masked", "display": "Masked"}]}
_LABEL_TEXT = {"N": "normal", "R": "restricted"}
_KEPT_OF_PATIENT = ("resourceType", "meta", "identifier", "active", "name", "gender", "birthDate")
_WRITTEN = frozenset(("text", "note", "patientInstruction", "description", "conclusion", "comment"))
_WRITTEN |= {"series", "valueString"}
# Elements that are left whole: the name of what no table knows (a code with a display needs none), and
# values, which `plain` looks at.
_NAMED = {
    "Observation": ("code", "valueCodeableConcept", "valueString"),
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


def without_free_text(
    resource: Resource, plain: re.Pattern[str] | None, parts: SerialisedElements | None = None
) -> Resource:
    """The resource without sentences: what is coded keeps its codes and displays, and a text stays where
    `plain` matches all of it (a lot number). Of an Observation that loses its value by this the reason
    `masked` is left, so that nobody takes the measurement for one that was never made. With `parts`, the
    resource's elements as bytes, those that came before are not read again.
    """
    if resource.get("resourceType") == "Patient":
        return resource  # what is left of it was chosen element by element
    type_name = resource["resourceType"]
    whole = _NAMED.get(type_name, ())
    kept = {}
    for name, value in resource.items():
        stays = name in whole and not (name == "code" and _has_display(value))
        if stays:
            left = value
        elif parts is None or not is_worth_caching(name, value):
            left = element_without_free_text(value, type_name, name, plain)
        else:
            left = _again(value, type_name, name, plain, parts[name])
        if left is not None:
            kept[name] = left
    return _masked(kept, resource, plain) if type_name == "Observation" else kept


_REMEMBERED = 10_000  # elements
# In a tuple: None is an answer too.
_left: BoundedCache[tuple[str | None, str, str, bytes], tuple[Any]] = BoundedCache(_REMEMBERED)


def _again(value: Any, type_name: str, name: str, plain: re.Pattern[str] | None, part: bytes) -> Any:
    # the pattern's text stands for it, since a pattern's hash is computed anew each time
    asked = (plain.pattern if plain else None, type_name, name, part)
    found = _left.get(asked) or _left.put(asked, (element_without_free_text(value, type_name, name, plain),))
    return found[0]


def _has_display(value: Any) -> bool:
    """Whether a concept says by its codes what it is, so that its text may be looked at like any other."""
    return isinstance(value, dict) and any(one.get("display") for one in value.get("coding", ()))


def _masked(resource: Resource, before: Resource, plain: re.Pattern[str] | None) -> Resource:
    if "valueQuantity" in before and "valueQuantity" not in resource:
        return {**resource, "dataAbsentReason": _MASKED}
    text, concept = resource.get("valueString"), resource.get("valueCodeableConcept")
    if text is None and concept and not concept.get("coding"):
        text = concept.get("text", "")
    if text is None or (plain is not None and plain.fullmatch(fold_text(text))):
        return resource
    left = {}
    for name, value in resource.items():
        if name in ("valueString", "valueCodeableConcept"):
            left["dataAbsentReason"] = _MASKED
        else:
            left[name] = value
    return left


def with_confidentiality_label(resource: Resource, label: str) -> Resource:
    """The resource with its confidentiality label in meta.security, right after resourceType."""
    coding = {"system": _CONFIDENTIALITY, "code": label, "display": _LABEL_TEXT[label]}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "meta")}
    meta = {**resource.get("meta", {}), "security": [coding]}
    return {"resourceType": resource["resourceType"], "meta": meta, **rest}
