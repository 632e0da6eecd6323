"""What R4 asks of the entries of a Bundle: what their fullUrl says, and where references between them lead.

See http://hl7.org/fhir/R4/bundle.html#references. Time and memory grow with the entries and their references.
"""

import re
from typing import Any, Final

from adapter.fhir.definitions import types
from adapter.fhir.validation.primitives import is_absolute
from adapter.fhir.validation.walk import Link, LinkedPath, ResourceWalk

__all__ = ["check_entries"]

Json = dict[str, Any]

_NEED_NO_FULL_URL: Final = frozenset(("batch", "batch-response", "transaction", "transaction-response"))
# what a document or a message must hold, by the resource that comes first (documents.html, messaging.html)
_SUBJECTS: Final = {
    "document": re.compile(
        r"Composition\.(?:subject|encounter|author|custodian|attester\.party|event\.detail"
        r"|(?:section\.)+(?:author|focus|entry))"
    ),
    "message": re.compile(r"MessageHeader\.focus"),
}
_RESTFUL: Final = re.compile(r"(https?://\S+/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})").fullmatch
_VERSION: Final = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


def check_entries(walk: ResourceWalk, bundle: Json, path: LinkedPath) -> None:
    """Note what is wrong with the entries of a Bundle that was walked."""
    listed = bundle.get("entry")
    entries = listed if type(listed) is list else []
    for index, entry in enumerate(entries):
        if type(entry) is dict:
            _full_url(walk, entry, str(bundle.get("type")), ((path, "entry"), index))
    if any(links for _, links in walk.scope.entries):
        places = _places(entries)
        for index, links in walk.scope.entries:
            base = _base_of(entries[index])
            for link in links:
                _follow(walk, link, places, base, _must_hold(bundle, index, link))


def _full_url(walk: ResourceWalk, entry: Json, type_: str, path: LinkedPath) -> None:
    url, resource = entry.get("fullUrl"), entry.get("resource")
    here = (path, "fullUrl")
    if type(url) is not str:
        if "fullUrl" not in entry and type_ not in _NEED_NO_FULL_URL and _is_identified(entry):
            walk.add("required", "full-url", "validation.no_full_url", here)
    elif not is_absolute(url):
        walk.add("value", "full-url", "validation.relative_full_url", here)
    elif type(resource) is dict and (found := _RESTFUL(url)) and types.is_resource_type(found[2]):
        is_new = "id" not in resource and _method(entry) == "POST"
        if not is_new and (found[2], found[3]) != (resource.get("resourceType"), resource.get("id")):
            walk.add("value", "full-url", "validation.other_full_url", here)


def _is_identified(entry: Json) -> bool:
    """Whether the entry holds a resource that must have an identity: not what an operation or a search says
    beside its results, nor what is to be created.
    """
    search, resource = entry.get("search"), entry.get("resource")
    is_outcome = type(search) is dict and search.get("mode") == "outcome"
    return type(resource) is dict and not is_outcome and ("id" in resource or _method(entry) != "POST")


def _method(entry: Json) -> object:
    request = entry.get("request")
    return request.get("method") if type(request) is dict else None


def _places(entries: list[Any]) -> dict[str, str]:
    """The type of each resource by its fullUrl, and by `Type/id`."""
    places: dict[str, str] = {}
    for entry in entries:
        resource = entry.get("resource") if type(entry) is dict else None
        type_ = resource.get("resourceType") if type(resource) is dict else None
        if type(resource) is not dict or not isinstance(type_, str):
            continue
        if type(url := entry.get("fullUrl")) is str:
            places[url] = type_
        if type(id_ := resource.get("id")) is str:
            places.setdefault(f"{type_}/{id_}", type_)
    return places


def _base_of(entry: Json) -> str:
    url = entry.get("fullUrl")
    found = _RESTFUL(url) if type(url) is str else None
    return found[1] if found else ""


def _follow(walk: ResourceWalk, link: Link, places: dict[str, str], base: str, must_hold: bool) -> None:
    path, text, targets = link
    plain = _VERSION.sub("", text)
    found = places.get(plain if is_absolute(plain) else base + plain) or places.get(plain)
    if found is not None:
        # what a relative reference leads to is said in its own text, and looked at there
        if targets and found not in targets and is_absolute(plain):
            walk.add_wrong_target((path, "reference"), targets)
    elif must_hold:
        walk.add("not-found", "bundle-reference", "validation.not_in_bundle", (path, "reference"))


def _must_hold(bundle: Json, index: int, link: Link) -> bool:
    """Whether the Bundle must hold what this reference of its entry leads to."""
    subjects = _SUBJECTS.get(str(bundle.get("type"))) if index == 0 else None
    return subjects is not None and subjects.fullmatch(_steps(bundle, link[0])) is not None


def _steps(bundle: Json, path: LinkedPath) -> str:
    """`Composition.section.entry`: the first resource and the elements below it, without places in lists."""
    steps: list[str] = []
    at: LinkedPath | None = path
    while at is not None and at[1] != "resource":
        at, step = at
        if isinstance(step, str):
            steps.append(step)
    resource = bundle["entry"][0]["resource"]
    return ".".join((resource["resourceType"], *reversed(steps)))
