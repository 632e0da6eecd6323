"""Invariants of Bundles, of what describes a server, and of code systems and their like."""

from collections.abc import Iterator

from adapter.fhir.validation.invariants.fhirpath_functions import (
    Json,
    Predicate,
    choice_exists,
    count,
    distinct,
    each,
    has,
    one_of,
)

__all__ = ["RULES"]

_REQUESTS = ("batch", "transaction", "history")
_RESPONSES = ("batch-response", "transaction-response", "history")


def _first_is(bundle: Json, bundle_type: str, resource_type: str) -> bool:
    if bundle.get("type") != bundle_type:
        return True
    entries = bundle.get("entry") or [{}]
    return bool(entries[0].get("resource", {}).get("resourceType") == resource_type)


def _full_urls(bundle: Json) -> bool:
    """bdl-7: an entry is there once, or once in each of its versions."""
    if bundle.get("type") == "history":
        return True
    return distinct(
        (one["fullUrl"], one.get("resource", {}).get("meta", {}).get("versionId"))
        for one in each(bundle, "entry")
        if "fullUrl" in one
    )


def _entries_have(bundle: Json, name: str, types: tuple[str, ...]) -> bool:
    expected = one_of(bundle.get("type"), *types)
    return all(has(one, name) == expected for one in each(bundle, "entry"))


def _document_identifier(bundle: Json) -> bool:
    identifier = bundle.get("identifier") or {}
    return bundle.get("type") != "document" or (has(identifier, "system") and has(identifier, "value"))


def _parameter(parameter: Json) -> bool:
    """inv-1: exactly one of a value, a resource, or parts."""
    return choice_exists(parameter, "value") + count(parameter, "resource", "part") == 1


def _codes(concept: Json) -> Iterator[str]:
    for child in each(concept, "concept"):
        if "code" in child:
            yield child["code"]
        yield from _codes(child)


def _of_its_kind(o: Json) -> tuple[bool, bool, bool]:
    """The rules of the three kinds that a statement of capabilities may be of."""
    kind = o.get("kind")
    implementation, software = has(o, "implementation"), has(o, "software")
    return (
        kind != "instance" or implementation,
        kind != "capability" or (software and not implementation),
        kind != "requirements" or not (software or implementation),
    )


def _versions(system: Json) -> bool:
    versions = each(system, "version")
    return len(versions) < 2 or all(has(one, "code") for one in versions)


RULES: dict[str, dict[str, Predicate]] = {
    "Bundle": {
        "bdl-1": lambda o: not has(o, "total") or one_of(o.get("type"), "searchset", "history"),
        "bdl-2": lambda o: o.get("type") == "searchset" or not each(o, "entry", "search"),
        "bdl-3": lambda o: _entries_have(o, "request", _REQUESTS),
        "bdl-4": lambda o: _entries_have(o, "response", _RESPONSES),
        "bdl-7": _full_urls,
        "bdl-9": _document_identifier,
        "bdl-10": lambda o: o.get("type") != "document" or "timestamp" in o,
        "bdl-11": lambda o: _first_is(o, "document", "Composition"),
        "bdl-12": lambda o: _first_is(o, "message", "MessageHeader"),
    },
    "Bundle.entry": {
        "bdl-5": lambda o: count(o, "resource", "request", "response") > 0,
        "bdl-8": lambda o: "/_history/" not in o.get("fullUrl", ""),
    },
    "CapabilityStatement": {
        "cpb-1": lambda o: count(o, "rest", "messaging", "document") > 0,
        "cpb-2": lambda o: count(o, "description", "software", "implementation") > 0,
        "cpb-3": lambda o: o.get("kind") == "instance" or not each(o, "messaging", "endpoint"),
        "cpb-7": lambda o: distinct((one.get("profile"), one.get("mode")) for one in each(o, "document")),
        "cpb-14": lambda o: _of_its_kind(o)[0],
        "cpb-15": lambda o: _of_its_kind(o)[1],
        "cpb-16": lambda o: _of_its_kind(o)[2],
    },
    "CapabilityStatement.rest": {
        "cpb-9": lambda o: distinct(one["type"] for one in each(o, "resource") if "type" in one)
    },
    "CapabilityStatement.rest.resource": {
        "cpb-12": lambda o: distinct(one["name"] for one in each(o, "searchParam") if "name" in one)
    },
    "CodeSystem": {"csd-1": lambda o: distinct(_codes(o))},
    "ConceptMap.group.element.target": {
        "cmd-1": lambda o: has(o, "comment") or not one_of(o.get("equivalence"), "narrower", "inexact")
    },
    "ConceptMap.group.unmapped": {
        "cmd-2": lambda o: o.get("mode") != "fixed" or has(o, "code"),
        "cmd-3": lambda o: o.get("mode") != "other-map" or has(o, "url"),
    },
    "MessageDefinition.focus": {"md-1": lambda o: o.get("max") == "*" or int(o.get("max", 1)) > 0},
    "Parameters.parameter": {"inv-1": _parameter},
    "TerminologyCapabilities": {
        "tcp-2": lambda o: count(o, "description", "software", "implementation") > 0,
        "tcp-3": lambda o: _of_its_kind(o)[0],
        "tcp-4": lambda o: _of_its_kind(o)[1],
        "tcp-5": lambda o: _of_its_kind(o)[2],
    },
    "TerminologyCapabilities.codeSystem": {"tcp-1": _versions},
    "ValueSet.compose.include": {
        "vsd-1": lambda o: has(o, "valueSet") or has(o, "system"),
        "vsd-2": lambda o: has(o, "system") or not (has(o, "concept") or has(o, "filter")),
        "vsd-3": lambda o: not (has(o, "concept") and has(o, "filter")),
    },
    "ValueSet.expansion.contains": {
        "vsd-6": lambda o: has(o, "code") or has(o, "display"),
        "vsd-9": lambda o: has(o, "code") or o.get("abstract") is True,
        "vsd-10": lambda o: not has(o, "code") or has(o, "system"),
    },
}
