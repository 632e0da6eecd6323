"""What R4 says of single elements beyond their type: absolute URIs, ids of elements, codes that are known.

What was right once is remembered, in bounded tables, so that most elements cost one look into a dict. Codes
that are none of their code system, and tags that are no language, are only warned of: real senders have them.
"""

from collections.abc import Callable
from typing import Any, Final

from adapter.bounded_cache import BoundedCache
from adapter.fhir.definitions import types, vocabulary
from adapter.fhir.definitions.types import Element
from adapter.fhir.validation.languages import LANGUAGES, is_language
from adapter.fhir.validation.primitives import is_absolute, is_base64, is_code, is_dense_base64, is_uri
from adapter.fhir.validation.walk import ElementCheck, LinkedPath, ResourceWalk
from adapter.units.ucum import UCUM, is_ucum_code

__all__ = ["extended_check"]

Json = dict[str, Any]

_REMEMBERED: Final = 4096
_LONGEST: Final = 200  # characters of what is worth remembering
_QUANTITIES: Final = frozenset(("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration"))
_LANGUAGE: Final = "validation.not_language"


def extended_check(owner: str, element: Element, plain: ElementCheck) -> ElementCheck:
    """`plain`, the check of a single primitive of the type `owner`, and what R4 says of it beyond that."""
    place = ("Quantity" if owner in _QUANTITIES else owner, element.name)
    if element.name == "id" and owner != "ElementDefinition" and not types.is_resource_type(owner):
        return _element_id(plain)  # a snapshot and a differential define the same elements
    if place == ("Identifier", "system"):
        return _uri(element, plain, is_absolute, "validation.relative_system", "error")
    if place in (("Coding", "system"), ("Quantity", "system")):
        return _uri(element, plain, is_absolute, "validation.relative_system", "warning")
    if place == ("Extension", "url"):
        return _uri(element, plain, _is_plain_extension, None, "error")
    if place in (("Coding", "code"), ("Quantity", "code")):
        return _code_of_system(element, plain)
    if element.primitive == "base64Binary":
        return _warned(element, plain, is_dense_base64, is_base64, "validation.blanks_in_base64")
    if element.primitive == "code" and element.name == "language" and owner != "Expression":
        return plain if element.binding else _warned(element, plain, is_language, is_code, _LANGUAGE)
    return plain


def _warned(
    element: Element,
    plain: ElementCheck,
    is_fine: Callable[[str], bool],
    is_right: Callable[[str], bool],
    text: str,
) -> ElementCheck:
    """A warning for what is right and yet not fine."""
    step = element.fhirpath_name

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, owner: Json) -> None:
        if type(item) is str and is_fine(item):
            return
        if type(item) is str and is_right(item):
            walk.add("value", "format", text, (path, step), severity="warning")
        else:
            plain(walk, item, path, owner)

    return check


def _element_id(plain: ElementCheck) -> ElementCheck:
    def check(walk: ResourceWalk, item: Any, path: LinkedPath, owner: Json) -> None:
        plain(walk, item, path, owner)
        walk.element_id(item, (path, "id"))

    return check


def _is_plain_extension(url: str) -> bool:
    """Whether nothing more is to be said of an extension of that URL: where it stands, what its value is."""
    return is_absolute(url) and not url.startswith(vocabulary.EXTENSIONS)


def _uri(
    element: Element, plain: ElementCheck, is_fine: Callable[[str], bool], text: str | None, severity: Any
) -> ElementCheck:
    step = element.fhirpath_name
    right: BoundedCache[str, bool] = BoundedCache(_REMEMBERED)

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, owner: Json) -> None:
        if type(item) is str and item in right:
            return
        plain(walk, item, path, owner)
        if type(item) is not str or not is_uri(item):
            return
        if is_fine(item):
            if len(item) <= _LONGEST:
                right.put(item, True)
        elif text is not None:
            walk.add("value", "absolute-uri", text, (path, step), severity=severity)

    return check


def _code_of_system(element: Element, plain: ElementCheck) -> ElementCheck:
    step = element.fhirpath_name
    right: BoundedCache[tuple[str, str], bool] = BoundedCache(_REMEMBERED)

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, owner: Json) -> None:
        system = owner.get("system")
        if type(system) is not str or type(item) is not str:
            plain(walk, item, path, owner)
        elif (system, item) not in right:
            plain(walk, item, path, owner)
            if not is_code(item):
                return
            problem = _problem_of(system, item)
            if problem is not None:
                walk.add("code-invalid", "code-system", problem, (path, step), severity="warning")
            elif len(item) <= _LONGEST:
                right.put((system, item), True)

    return check


def _problem_of(system: str, code: str) -> str | None:
    if system == UCUM:
        return None if is_ucum_code(code) else "validation.not_ucum"
    if system == LANGUAGES:
        return None if is_language(code) else _LANGUAGE
    return None if vocabulary.is_known_code(system, code) else "validation.unknown_code"
