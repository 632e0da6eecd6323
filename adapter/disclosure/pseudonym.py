"""What is left of a resource when a person goes out under a pseudonym, and the guard over all text.

An allow-list: an element that a mapping adds tomorrow does not leave until it is added here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from adapter.disclosure.policy import Policy, Reason, mentions
from adapter.fhir.codec import Resource

__all__ = ["Guard", "labelled", "pseudonymised"]

_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_LABEL_TEXT = {"N": "normal", "R": "restricted"}
_REMEMBERED = 10_000  # texts; keeps memory bounded
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


def _collect(node: Any, texts: list[str]) -> None:
    if isinstance(node, str):
        texts.append(node)
    elif isinstance(node, dict):
        for value in node.values():
            _collect(value, texts)
    elif isinstance(node, list):
        for value in node:
            _collect(value, texts)


class Guard:
    """Reads every text of a mapped resource for what may not leave. One per policy; not shared
    between threads: it remembers texts that hold no forbidden phrase, since most are codes and
    displays that come back in every resource.
    """

    def __init__(self, policy: Policy) -> None:
        self._phrases = policy.phrases
        self._harmless: set[str] = set()

    def reason(
        self, resource: Resource, *, secrets: Sequence[str], identity: Sequence[str] = ()
    ) -> Reason | None:
        """Why the resource may not leave, or None.

        `secrets` are values that never leave (the person's position); `identity` is what a pseudonym
        hides (name, numbers, telephone), empty for a person who goes out by name.
        """
        texts: list[str] = []
        _collect(resource, texts)
        if self._has_phrase(texts):
            return Reason.TEXT_CLASSIFIES
        if secrets or identity:
            folded = "\n".join(texts).casefold()
            if mentions(folded, secrets):
                return Reason.TEXT_CLASSIFIES
            if mentions(folded, identity):
                return Reason.TEXT_IDENTIFIES
        return None

    def _has_phrase(self, texts: Iterable[str]) -> bool:
        if self._phrases is None:
            return False
        for text in texts:
            if text not in self._harmless:
                if self._phrases.search(text):
                    return True
                if len(self._harmless) < _REMEMBERED:
                    self._harmless.add(text)
        return False
