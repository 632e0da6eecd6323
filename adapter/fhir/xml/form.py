"""How R4's types look in XML, made from its tables: order of elements, attributes, narratives."""

import re
from collections.abc import Mapping
from functools import cache
from html import unescape
from types import MappingProxyType
from typing import Final
from xml.parsers import expat

from adapter.fhir.definitions.types import Element, elements, is_resource_type

__all__ = [
    "FHIR",
    "XHTML",
    "attributes",
    "child_elements",
    "is_xml_text",
    "self_contained_div",
    "without_entities",
]

FHIR: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"

# what XML 1.0 has no way to write, not even as a reference
_UNSAYABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITY: Final = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)([A-Za-z][A-Za-z0-9]*);")
_START: Final = re.compile(r"<(?:[\w.\-]+:)?div\b")
_PREFIX: Final = re.compile(r"xmlns(:[\w.\-]+)?\s*=")


@cache
def attributes(type_name: str) -> tuple[str, ...]:
    """The elements of a type that XML writes as attributes."""
    if is_resource_type(type_name):
        return ()
    return ("id", "url") if type_name == "Extension" else ("id",)


@cache
def child_elements(type_name: str) -> Mapping[str, tuple[int, Element]]:
    """The elements of a type that XML writes as elements, each with its place in the order."""
    children = (one for one in elements(type_name).values() if one.name not in attributes(type_name))
    return MappingProxyType({one.name: (place, one) for place, one in enumerate(children)})


def is_xml_text(text: str) -> bool:
    """Whether XML can hold every character of `text`."""
    return _UNSAYABLE.search(text) is None


def without_entities(div: str) -> str:
    """A narrative without the named entities of HTML, which XML does not know: the characters instead."""
    return _ENTITY.sub(lambda found: unescape(found[0]), div)


def self_contained_div(div: str, outside: Mapping[str, str]) -> str | None:
    """The narrative as XML that needs nothing around it: itself, where it says its namespaces.

    `outside` are the namespaces by prefix ("" for none) that were said around it. None where it is no
    well-formed XML.
    """
    if _is_well_formed(div):
        return div
    start = _START.search(div)
    if start is None:
        return None
    end = div.find(">", start.end())
    said = {(found[1] or ":")[1:] for found in _PREFIX.finditer(div, start.end(), end)}
    added = "".join(
        f' xmlns{":" if prefix else ""}{prefix}="{XHTML}"'
        for prefix, uri in outside.items()
        if uri == XHTML and prefix not in said
    )
    whole = div[: start.end()] + added + div[start.end() :]
    return whole if _is_well_formed(whole) else None


def _is_well_formed(div: str) -> bool:
    """Well-formed, without a document type, and its root a div of XHTML."""
    roots: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        roots.append(tag)
        parser.StartElementHandler = None

    def refuse(*_: object) -> None:
        raise ValueError("a narrative has no document type")

    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(div.strip().encode(), True)
    except (expat.ExpatError, ValueError):
        return False
    return roots == [f"{XHTML} div"]
