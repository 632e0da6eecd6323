"""References inside what was sent, turned into references to what was stored. Pure.

A transaction replaces each link to an entry's fullUrl, and each conditional reference
`Type?criteria`, with `Type/id` (http://hl7.org/fhir/R4/http.html#trules). References are compared
the way http://hl7.org/fhir/R4/bundle.html#references says: a relative one is taken against the
base of the fullUrl of the entry that holds it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapter.fhir.codec import Resource
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES

__all__ = [
    "conditional_type",
    "dependency_levels",
    "internal_references",
    "reference_links",
    "resource_key",
    "rewritable_texts",
    "rewrite_references",
]

_HREF: Final = re.compile(r"""((?:href|src)\s*=\s*["'])(urn:(?:uuid|oid):[^"']+)""")
_CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]+)\?.+", re.DOTALL)


def reference_links(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(FHIRPath below the resource, text) of each Reference.reference in `value`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference" and isinstance(inner, str):
                yield f"{path}.reference", inner
            elif isinstance(inner, dict | list):
                yield from reference_links(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            if isinstance(inner, dict | list):
                yield from reference_links(inner, f"{path}[{position}]")


def conditional_type(text: str) -> str | None:
    """The type of a conditional reference, `Type?criteria`; None for any other reference."""
    if "?" in text and (match := _CONDITIONAL.fullmatch(text)) and match[1] in RESOURCE_TYPES:
        return match[1]
    return None


def resource_key(text: str, base: str | None) -> tuple[str, str] | None:
    """(type, id) of a reference to this server, whose own URL is `base`; None of any other."""
    local = text.removeprefix(f"{base}/") if base else text
    type_, _, id_ = local.partition("/_history/")[0].partition("/")
    return (type_, id_) if type_ in RESOURCE_TYPES and ID_PATTERN.fullmatch(id_) else None


def _root(full_url: str | None) -> str | None:
    """The base of a RESTful fullUrl, `https://hospital/fhir` of `https://hospital/fhir/Patient/1`."""
    if full_url is None or not full_url.startswith(("http://", "https://")):
        return None
    parts = full_url.rsplit("/", 2)
    return (
        parts[0]
        if len(parts) == 3 and parts[1] in RESOURCE_TYPES and ID_PATTERN.fullmatch(parts[2])
        else None
    )


def internal_references(resource: Resource, full_url: str | None, known: Mapping[str, Any]) -> set[str]:
    """Which of the fullUrls in `known` this resource refers to."""
    root = _root(full_url)
    return {
        target for _, text in reference_links(resource) if (target := _target(text, root, known)) is not None
    }


def dependency_levels(waits_for: Mapping[int, set[int]]) -> Iterator[list[int]]:
    """The places in levels: each waits for places of earlier levels only (or for itself). Those in a circle,
    and what waits for one, are in none. Takes time in proportion to places and references.
    """
    missing = {place: len(others - {place}) for place, others in waits_for.items()}
    waiting: dict[int, list[int]] = {}
    for place, others in waits_for.items():
        for other in others - {place}:
            waiting.setdefault(other, []).append(place)
    level = [place for place, count in missing.items() if not count]
    while level:
        yield level
        below = [place for done in level for place in waiting.get(done, ())]
        for place in below:
            missing[place] -= 1
        level = sorted({place for place in below if not missing[place]})


def _target(text: str, root: str | None, known: Mapping[str, Any]) -> str | None:
    plain = text.partition("/_history/")[0]
    if plain in known:
        return plain
    if root and not text.startswith(("#", "urn:", "http://", "https://")):
        absolute = f"{root}/{plain}"
        return absolute if absolute in known else None
    return None


class _AskedTexts(Mapping[str, str]):
    """Knows nothing, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.texts: set[str] = set()

    def __getitem__(self, text: str) -> str:
        self.texts.add(text)
        raise KeyError(text)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1  # so that it is asked


def rewritable_texts(resource: Resource, full_url: str | None) -> set[str]:
    """Whatever `rewrite_references` looks for in `known`: where none of it is there, it changes nothing."""
    asked = _AskedTexts()
    rewrite_references(resource, full_url, asked)
    return asked.texts


def rewrite_references(resource: Resource, full_url: str | None, known: Mapping[str, str]) -> Resource:
    """A copy whose references go to `known` (fullUrl or conditional reference -> `Type/id`); itself where
    none does.
    """
    if not known:
        return resource
    root = _root(full_url)

    def walk(value: Any, name: str, is_identifier: bool) -> Any:
        if isinstance(value, dict):
            holds = "system" in value or name == "identifier"
            return {key: walk(inner, key, holds) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, name, is_identifier) for inner in value]
        if not isinstance(value, str):
            return value
        if name == "reference":
            target = _target(value, root, known)
            return value if target is None else known[target]
        if value.startswith("urn:") and not is_identifier:
            return known.get(value, value)
        if name == "div" and "urn:" in value:
            return _HREF.sub(lambda match: match[1] + known.get(match[2], match[2]), value)
        return value

    rewritten = {key: walk(inner, key, False) for key, inner in resource.items()}
    return resource if rewritten == resource else rewritten
