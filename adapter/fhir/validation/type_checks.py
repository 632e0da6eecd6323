"""What a type asks for beyond its elements and invariants; looked at when all its elements were walked."""

from collections.abc import Callable
from typing import Any, Final

from adapter.fhir.definitions import vocabulary
from adapter.fhir.validation.bundles import check_entries
from adapter.fhir.validation.invariants.narrative import has_namespace
from adapter.fhir.validation.primitives import is_absolute, is_uri
from adapter.fhir.validation.walk import LinkedPath, ResourceWalk

__all__ = ["FINISH"]

Json = dict[str, Any]

_URIS: Final = "urn:ietf:rfc:3986"  # the system of identifiers that are URIs themselves


def _extension(walk: ResourceWalk, value: Json, path: LinkedPath) -> None:
    """ext-1: either extensions or a value. The URL is absolute, but for those that another one holds."""
    named = [name for name in value if name.startswith(("value", "_value"))]
    if bool(named) == ("extension" in value):
        walk.add("invariant", "ext-1", "invariants.ext-1", path)
    url = value.get("url")
    if type(url) is not str or not is_uri(url):
        return
    if not is_absolute(url):
        if not _is_in_extension(path):
            walk.add("value", "absolute-uri", "validation.relative_extension", (path, "url"))
    elif url.startswith(vocabulary.EXTENSIONS):
        types = vocabulary.extension_values(url)
        if types is not None and any(name.removeprefix("_") not in types for name in named):
            listed = ", ".join(sorted(types)) or "extension"
            walk.add(
                "value", "extension-type", "validation.extension_type", path, severity="warning", types=listed
            )


def _is_in_extension(path: LinkedPath) -> bool:
    """Whether the extension at `….extension[0].extension[1]` is held by another one."""
    holder = path[0][0] if path[0] is not None else None
    parent = holder[0] if holder is not None and isinstance(holder[1], int) else None
    return parent is not None and parent[1] in ("extension", "modifierExtension")


def _identifier(walk: ResourceWalk, value: Json, path: LinkedPath) -> None:
    if "value" not in value and not value.keys() & {"_value", "extension"}:
        # R4 allows it, so it is only said: nothing can be found by such an identifier
        walk.add("business-rule", "identifier", "validation.identifier", path, severity="warning")
    elif value.get("system") == _URIS:
        stated = value.get("value")
        if type(stated) is str and not is_absolute(stated):
            walk.add("value", "identifier", "validation.identifier_is_uri", (path, "value"))


def _narrative(walk: ResourceWalk, value: Json, path: LinkedPath) -> None:
    if not has_namespace(value.get("div")):
        # it is read as XHTML wherever it comes in, but a strict server wants it said
        walk.add("invariant", "txt-1", "validation.no_namespace", (path, "div"), severity="warning")


FINISH: Final[dict[str, Callable[[ResourceWalk, Json, LinkedPath], None]]] = {
    "Bundle": check_entries,
    "Extension": _extension,
    "Identifier": _identifier,
    "Narrative": _narrative,
}
