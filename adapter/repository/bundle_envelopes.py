"""What a Bundle of any type asks for, as entries of a batch or transaction. Pure.

A document, message, collection or searchset asks for nothing: what is in it is taken as if it had been
pushed. Where an envelope is wrong and its meaning certain all the same, it is read by its meaning.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from adapter.fhir.codec import Resource, digest, dumps
from adapter.repository.bundle_entries import Interaction, InteractionChecks
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.resource_types import RESOURCE_TYPES

__all__ = ["ReadEnvelope", "document_entries", "read_envelope"]

_TAKEN: Final = frozenset(("document", "message", "collection", "searchset"))
_LISTS_RESULTS: Final = "outcome"  # what a search says beside its matches
_RESTFUL: Final = re.compile(r"(https?://\S+)/([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})").fullmatch
_TAIL: Final = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)(?:/([A-Za-z0-9\-.]{1,64}))?").fullmatch
_HEAD: Final = {"document": "Composition", "message": "MessageHeader"}


@dataclass(frozen=True, slots=True)
class ReadEnvelope:
    """The entries in their order, each as a batch or transaction has it. `aside` are those that nothing is
    done with (what a search or message says about itself), `is_taken` that the Bundle asked for nothing.
    """

    kind: Literal["batch", "transaction"]
    entries: list[Any]
    sent: list[Any]  # the same as they came, but that each has a name
    is_taken: bool = False
    is_document: bool = False
    aside: Collection[int] = field(default=())


def read_envelope(bundle: Resource, base: str | None, homes: Collection[str] = ()) -> ReadEnvelope:
    """`homes` are the addresses of the sender's own server, without a slash at the end: what is there is
    pushed under the id that it has there. Raises FhirError 400 for a Bundle that means nothing.
    """
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise interaction_error(400, "structure", "not_a_list", "Bundle.entry")
    kind = _kind(bundle, listed)
    if kind in ("batch", "transaction"):
        sent = _with_names(listed)
        entries = [_mended(one, base, homes) for one in sent]
        return ReadEnvelope("batch" if kind == "batch" else "transaction", entries, sent)
    aside = {place for place, one in enumerate(listed) if _is_aside(one, place, kind)}
    sent = _with_names(listed)
    pushed = [one if place in aside else _pushed(one, base, homes) for place, one in enumerate(sent)]
    return ReadEnvelope("transaction", pushed, sent, True, kind == "document", aside)


def _kind(bundle: Resource, listed: list[Any]) -> str:
    """The type that is meant. One that is missing is told by whether all entries ask for something."""
    said = bundle.get("type")
    if said is None:
        asks = bool(listed) and all(isinstance(one, dict) and "request" in one for one in listed)
        return "transaction" if asks else "collection"
    kind = said.strip().lower() if isinstance(said, str) else ""
    if kind not in _TAKEN | {"batch", "transaction"}:
        raise interaction_error(400, "value", "bundle_type", "Bundle.type")
    return kind


def _is_aside(entry: Any, place: int, kind: str) -> bool:
    if not isinstance(entry, dict):
        return False
    resource, search = entry.get("resource"), entry.get("search")
    type_ = resource.get("resourceType") if isinstance(resource, dict) else None
    if isinstance(search, dict) and search.get("mode") == _LISTS_RESULTS:
        return True
    return type_ == "OperationOutcome" or (place == 0 and kind == "message" and type_ == _HEAD[kind])


def _with_names(listed: list[Any]) -> list[Any]:
    """Entries without a fullUrl are known by `Type/id`, as references to them are resolved
    (http://hl7.org/fhir/R4/bundle.html#references).
    """
    taken: set[str] = set()
    named = []
    for sent in listed:
        one = sent
        if isinstance(one, dict) and one.get("fullUrl") in (None, ""):
            one = {name: part for name, part in one.items() if name != "fullUrl"}
            resource = one.get("resource")
            name = _name_of(resource) if isinstance(resource, dict) else None
            if name is not None and name not in taken:
                taken.add(name)
                one["fullUrl"] = name
        named.append(one)
    return named


def _name_of(resource: Mapping[str, Any]) -> str | None:
    type_, id_ = resource.get("resourceType"), resource.get("id")
    return f"{type_}/{id_}" if isinstance(type_, str) and isinstance(id_, str) else None


def _pushed(entry: Any, base: str | None, homes: Collection[str]) -> Any:
    """The entry as a push of what it holds: under its id where its fullUrl says whose id that is, else as
    something new, which is known again by its content, or by its identifier in the inbox. An id that no
    fullUrl vouches for may be the counter of a document ("1", "2"), and would overwrite another's.
    """
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return {**entry, "request": {"method": "POST"}} if isinstance(entry, dict) else entry
    type_, url = resource.get("resourceType"), entry.get("fullUrl")
    found = _RESTFUL(url) if isinstance(url, str) else None
    if found is None or found[2] != type_:
        return {**entry, "request": {"method": "POST", "url": type_}}
    is_home = found[1] == base or found[1] in homes
    id_ = found[3] if is_home else digest(str(url).encode())
    request = {"method": "PUT", "url": f"{type_}/{id_}"}
    return {**entry, "resource": {**resource, "id": id_}, "request": request}


def _mended(entry: Any, base: str | None, homes: Collection[str]) -> Any:
    """An entry of a batch or transaction, its request as it is meant; unchanged where that is not certain."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return entry
    request = entry.get("request")
    if request is None:
        return _pushed(entry, base, homes)
    if not isinstance(request, dict):
        return entry
    method, url = request.get("method"), request.get("url")
    method = method.strip().upper() if isinstance(method, str) else method
    type_ = resource.get("resourceType")
    if type_ not in RESOURCE_TYPES:
        return entry
    tail = _TAIL(url.rstrip("/")) if isinstance(url, str) else None
    if url in (None, "") and method in ("POST", "PUT"):
        url = type_ if method == "POST" else _name_of(resource)
    elif tail is not None and tail[1] == type_:
        method = method or ("PUT" if tail[2] else "POST")
        if method == "POST":  # an id there is no more than one in the resource: the server gives it
            url = type_
        elif method == "PUT" and tail[2]:
            url = tail[0] if tail.start(1) == 0 else f"{type_}/{tail[2]}"
            resource = {**resource, "id": tail[2]} if "id" not in resource else resource
    mended = {**request, "method": method, "url": url}
    return {**entry, "resource": resource, "request": {k: v for k, v in mended.items() if v is not None}}


def document_entries(
    bundle: Resource, entries: list[Any], checks: InteractionChecks
) -> tuple[list[Any], Interaction]:
    """The entries of a document, its Composition as the DocumentReference that leads to the whole, and the
    whole, which is kept as it came. Both have ids of their own making: the same document comes to the same
    place, and a new version of it is a new version of its DocumentReference. Raises FhirError 400 where
    there is no Composition.
    """
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    composition = first.get("resource")
    if not isinstance(composition, dict) or composition.get("resourceType") != "Composition":
        raise interaction_error(400, "required", "no_composition", "Bundle.entry[0].resource")
    whole = digest(dumps(bundle))
    reference = _document_reference(bundle, composition, whole)
    if checks.validate is not None and any(one.is_error for one in checks.validate(reference)):
        plain = {"resourceType": "Composition", "identifier": composition.get("identifier")}
        reference = _document_reference({}, plain, whole)  # what it says is in the whole
    here = {
        "resource": reference,
        "request": {"method": "PUT", "url": f"DocumentReference/{reference['id']}"},
    }
    if isinstance(first.get("fullUrl"), str):
        here["fullUrl"] = first["fullUrl"]
    kept = {**bundle, "id": whole}
    place = len(entries)
    return [here, *entries[1:]], Interaction(
        "PUT", "Bundle", whole, resource=kept, position=place, where="Bundle", verbatim=True
    )


def _document_reference(bundle: Resource, composition: Resource, whole: str) -> Resource:
    identifier = composition.get("identifier")
    named = isinstance(identifier, dict) and identifier.get("system") and identifier.get("value")
    status = composition.get("status")
    attachment = {"contentType": "application/fhir+json", "url": f"Bundle/{whole}"}
    if isinstance(composition.get("title"), str):
        attachment["title"] = composition["title"]
    found: Resource = {
        "resourceType": "DocumentReference",
        "id": digest(dumps(identifier)) if named else whole,
        "masterIdentifier": bundle.get("identifier"),
        "identifier": [identifier] if identifier else None,
        "status": "entered-in-error" if status == "entered-in-error" else "current",
        "docStatus": status,
        "type": composition.get("type"),
        "category": composition.get("category"),
        "subject": composition.get("subject"),
        "author": composition.get("author"),
        "custodian": composition.get("custodian"),
        "description": composition.get("title"),
        "content": [{"attachment": attachment}],
        "context": {"encounter": [composition["encounter"]]} if composition.get("encounter") else None,
    }
    return {name: part for name, part in found.items() if part is not None}
