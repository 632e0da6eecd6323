"""What makes a resource say something else than it seems to say, whosever it is. Pure.

http://hl7.org/fhir/R4/extensibility.html#modifierExtension: who does not know a modifier must not process
what it modifies. So whatever has one waits for a person, and so does what is about somebody or something
beside its subject, what is no data of a patient, and what names a Patient that is no longer in use.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from adapter.fhir.codec import Resource

__all__ = ["CAVEATS", "person_caveats", "resource_caveats"]

CAVEATS = (
    "modified",
    "other-rules",
    "test-data",
    "not-whole",
    "about-something-else",
    "specimen-of-another",
    "patient-inactive",
    "patient-replaced",
    "patient-changed",
    "too-many-references",
)
"""Reasons, in the order in which they are given."""

_TESTS = frozenset(("HTEST", "TRAIN", "TEST", "TESTDATA", "TEST-DATA"))
_PARTS = frozenset(("SUBSETTED", "REDACTED"))


def resource_caveats(resource: Resource) -> Iterator[str]:
    """Of any resource that takes part (result, Patient, order, specimen), with what it contains."""
    if _has_modifier(resource):
        yield "modified"
    for one in (resource, *_objects(resource.get("contained"))):
        if one.get("implicitRules"):
            yield "other-rules"
        codes = set(_labels(one))
        if codes & _TESTS:
            yield "test-data"
        if codes & _PARTS:
            yield "not-whole"
    if resource.get("resourceType") == "Observation" and _is_elsewhere(resource):
        yield "about-something-else"


def person_caveats(person: Resource) -> Iterator[str]:
    """Of the Patient that a result is about (http://hl7.org/fhir/R4/patient.html#active, #link)."""
    if any(link.get("type") == "replaced-by" for link in _objects(person.get("link"))):
        yield "patient-replaced"
    elif person.get("active") is False:
        yield "patient-inactive"


def _has_modifier(node: Any) -> bool:
    if isinstance(node, list):
        return any(_has_modifier(one) for one in node)
    if not isinstance(node, dict):
        return False
    return bool(node.get("modifierExtension")) or any(_has_modifier(one) for one in node.values())


def _labels(resource: Resource) -> Iterator[str]:
    meta = resource.get("meta")
    if isinstance(meta, dict):
        for name in ("security", "tag"):
            for coding in _objects(meta.get(name)):
                code = coding.get("code")
                if isinstance(code, str):
                    yield code.strip().upper()


def _is_elsewhere(observation: Resource) -> bool:
    """`focus` is a donor, a newborn, a device; the subject itself named again is no other."""
    subject = observation.get("subject")
    return any(_target(one) != _target(subject) for one in _objects(observation.get("focus")))


def _target(reference: Any) -> tuple[Any, ...] | None:
    if not isinstance(reference, dict):
        return None
    if isinstance(literal := reference.get("reference"), str):
        return (literal.strip().partition("/_history/")[0],)
    identifier = reference.get("identifier")
    if isinstance(identifier, dict):
        return (identifier.get("system"), identifier.get("value"))
    return None


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]
