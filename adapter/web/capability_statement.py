"""The CapabilityStatement: only what is true (http://hl7.org/fhir/R4/capabilitystatement.html)."""

from collections.abc import Collection, Sequence

from adapter import __version__
from adapter.fhir.codec import Resource
from adapter.repository.bundle_entries import InteractionChecks
from adapter.repository.patches import PATCH_FORMATS
from adapter.repository.request_limits import describe_limits
from adapter.repository.resource_types import RESOURCE_TYPES, search_parameters
from adapter.subscriptions.topic import (
    CAPABILITIES,
    OPERATIONS,
    SEARCH_PARAMETERS,
    SUBSCRIPTION_PROFILE,
    TOPIC_EXTENSION,
)

__all__ = ["capability_statement"]

_DATE = "2026-11-22"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_READING = ("read", "vread", "history-instance", "history-type", "search-type")
_WRITING = ("create", "update", "patch", "delete")
# what can be asked of all types together, and the route that does it
_OF_ALL = (
    ("transaction", "transaction"),
    ("batch", "transaction"),
    ("search-system", "search-system"),
    ("history-system", "history-system"),
)


def capability_statement(
    checks: InteractionChecks,
    routed: Collection[str],
    *,
    base: str,
    description: str,
    secured: bool,
    token_url: str | None = None,
    topic: str | None = None,
) -> Resource:
    """What the server at `base` does, for the types that `checks` accepts; `routed` are the interactions
    that it has, `token_url` is where SMART clients get tokens, `topic` what can be subscribed to.
    """
    types = sorted(checks.accepts if checks.accepts is not None else RESOURCE_TYPES)
    rest: Resource = {"mode": "server", "documentation": describe_limits(checks.limits)}
    if secured:
        rest["security"] = _security(token_url)
    rest["resource"] = [_resource(kind, checks, routed) for kind in types]
    rest["resource"] += [_kept(kind, routed) for kind in sorted(checks.keeps)]
    if topic is not None:
        rest["resource"].append(_subscription(topic))
    if checks.keeps:  # documents and messages are taken
        definition = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
        rest["operation"] = [{"name": "process-message", "definition": definition}]
    rest["interaction"] = [{"code": code} for code, name in _OF_ALL if name in routed]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "software": {"name": "cadre-fhir-adapter", "version": __version__},
        "implementation": {"description": description, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "patchFormat": list(PATCH_FORMATS),
        **({} if topic is None else {"instantiates": [CAPABILITIES]}),
        "rest": [rest],
    }


def _security(token_url: str | None) -> Resource:
    """It says where tokens are given to clients that do not ask for `.well-known/smart-configuration`."""
    said: Resource = {"cors": False, "description": "Authorization: Bearer, one token per hospital"}
    if token_url is not None:
        said["extension"] = [{"url": _OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_url}]}]
        said["service"] = [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}]
    return said


def _kept(kind: str, routed: Collection[str]) -> Resource:
    """What is kept of something that was sent in another way, and can be read."""
    parameters = [{"name": name, "type": type_} for name, type_ in search_parameters(kind).items()]
    return {"type": kind, "interaction": _interactions(routed, _READING), "searchParam": parameters}


def _subscription(topic: str) -> Resource:
    """The one topic is named as the guide for subscriptions says, since R4 has no resource for it."""
    codes = ("read", "search-type", "create", "update", "delete")
    return {
        "extension": [{"url": TOPIC_EXTENSION, "valueCanonical": topic}],
        "type": "Subscription",
        "supportedProfile": [SUBSCRIPTION_PROFILE],
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": [{"name": name, "type": type_} for name, type_ in SEARCH_PARAMETERS.items()],
        "operation": [{"name": name, "definition": OPERATIONS + name} for name in ("status", "events")],
    }


def _interactions(routed: Collection[str], codes: Sequence[str]) -> list[Resource]:
    return [{"code": code} for code in codes if code in routed]


def _resource(kind: str, checks: InteractionChecks, routed: Collection[str]) -> Resource:
    found: Resource = {
        "type": kind,
        "interaction": _interactions(routed, (*_READING, *_WRITING)),
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": "update" in routed,
        "conditionalCreate": "create" in routed,
        "conditionalRead": "full-support",
        "conditionalUpdate": "conditional-update" in routed,
        "conditionalDelete": "single" if "conditional-delete" in routed else "not-supported",
        "searchInclude": [
            f"{kind}:{name}" for name, kind_of in search_parameters(kind).items() if kind_of == "reference"
        ],
        "searchParam": [{"name": name, "type": kind_of} for name, kind_of in search_parameters(kind).items()],
    }
    if not found["searchInclude"]:
        del found["searchInclude"]
    operations = [
        {"name": name, "definition": f"http://hl7.org/fhir/OperationDefinition/{of}-{name}"}
        for name, of, is_there in (
            ("validate", "Resource", checks.validate is not None),
            ("everything", "Patient", kind == "Patient"),
        )
        if is_there and name in routed
    ]
    return {**found, "operation": operations} if operations else found
