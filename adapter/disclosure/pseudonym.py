"""What is left of a resource when a person goes out under a pseudonym, and the guard over all text.

An allow-list: an element that a mapping adds tomorrow does not leave until it is added here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from adapter.disclosure.policy import Policy, Reason, mentions
from adapter.fhir.codec import Resource

__all__ = ["guard", "labelled", "pseudonymised"]

_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_LABEL_TEXT = {"N": "normal", "R": "restricted"}
_KEPT_OF_PATIENT = ("resourceType", "meta", "identifier", "active", "name", "gender", "birthDate")


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


def labelled(resource: Resource, label: str) -> Resource:
    """The resource with its confidentiality label in meta.security, right after resourceType."""
    coding = {"system": _CONFIDENTIALITY, "code": label, "display": _LABEL_TEXT[label]}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "meta")}
    meta = {**resource.get("meta", {}), "security": [coding]}
    return {"resourceType": resource["resourceType"], "meta": meta, **rest}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def guard(
    resource: Resource, policy: Policy, *, secrets: Sequence[str], identity: Iterable[str] = ()
) -> Reason | None:
    """Why the text of a mapped resource may not leave, or None.

    `secrets` are values that never leave (the person's position); `identity` is what a pseudonym
    hides (name, numbers, telephone), empty for a person who goes out by name.
    """
    text = "\n".join(_texts(resource))
    if mentions(text, secrets) or (policy.phrases and policy.phrases.search(text)):
        return Reason.TEXT_CLASSIFIES
    if mentions(text, identity):
        return Reason.TEXT_IDENTIFIES
    return None
