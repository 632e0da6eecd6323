"""The CapabilityStatement: only what is true (http://hl7.org/fhir/R4/capabilitystatement.html)."""

from adapter import __version__
from adapter.fhir.codec import Resource
from adapter.repository.bundle_entries import InteractionChecks
from adapter.repository.request_limits import describe_limits
from adapter.repository.resource_types import RESOURCE_TYPES, search_parameters

__all__ = ["capability_statement"]

_DATE = "2026-11-22"


def capability_statement(
    checks: InteractionChecks, *, base: str, description: str, secured: bool
) -> Resource:
    """What the server at `base` does, for the types that `checks` accepts."""
    types = sorted(checks.accepts if checks.accepts is not None else RESOURCE_TYPES)
    rest: Resource = {"mode": "server", "documentation": describe_limits(checks.limits)}
    if secured:
        rest["security"] = {"cors": False, "description": "Authorization: Bearer, one token per hospital"}
    rest["resource"] = [_resource(kind, checks) for kind in types]
    rest["resource"] += [_kept(kind) for kind in sorted(checks.keeps)]
    if checks.keeps:  # documents and messages are taken
        definition = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
        rest["operation"] = [{"name": "process-message", "definition": definition}]
    rest["interaction"] = [{"code": "transaction"}, {"code": "batch"}, {"code": "history-system"}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "software": {"name": "cadre-fhir-adapter", "version": __version__},
        "implementation": {"description": description, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "rest": [rest],
    }


def _kept(kind: str) -> Resource:
    """What is kept of something that was sent in another way, and can be read."""
    reading = ("read", "vread", "history-instance", "history-type", "search-type")
    parameters = [{"name": name, "type": type_} for name, type_ in search_parameters(kind).items()]
    return {"type": kind, "interaction": [{"code": one} for one in reading], "searchParam": parameters}


def _resource(kind: str, checks: InteractionChecks) -> Resource:
    interactions = ["read", "vread", "update", "history-instance", "history-type", "create", "search-type"]
    if checks.deletes:
        interactions.insert(3, "delete")
    found: Resource = {
        "type": kind,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single" if checks.deletes else "not-supported",
        "searchInclude": [
            f"{kind}:{name}" for name, kind_of in search_parameters(kind).items() if kind_of == "reference"
        ],
        "searchParam": [{"name": name, "type": kind_of} for name, kind_of in search_parameters(kind).items()],
    }
    if not found["searchInclude"]:
        del found["searchInclude"]
    if checks.validate is not None:
        definition = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
        found["operation"] = [{"name": "validate", "definition": definition}]
    return found
