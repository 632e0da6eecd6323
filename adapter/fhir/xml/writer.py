"""A resource as FHIR's XML: elements in R4's order, narratives as they stand."""

from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from adapter.fhir.codec import Resource, plain_decimal
from adapter.fhir.definitions.types import Element, is_resource_type
from adapter.fhir.xml.form import (
    FHIR,
    XHTML,
    attributes,
    child_elements,
    is_xml_text,
    self_contained_div,
    without_entities,
)

__all__ = ["NotInXmlError", "dumps_xml"]

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_EXTENDED: Final = "Element"  # what a primitive may have beside its value


class NotInXmlError(ValueError):
    """What XML has no form for: an element that R4 does not know, a character that XML does not. `args[0]` is
    the element's name, at most 60 characters.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name[:60])


def dumps_xml(resource: Resource) -> bytes:
    """UTF-8 XML without white space between elements. Raises NotInXmlError."""
    out = [_HEAD]
    _write_resource(resource, out, f' xmlns="{FHIR}"')
    return "".join(out).encode()


def _write_resource(resource: Any, out: list[str], namespace: str = "") -> None:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or not is_resource_type(kind):
        raise NotInXmlError("resourceType")
    content = {name: value for name, value in resource.items() if name != "resourceType"}
    _write_element(kind, kind, content, out, namespace)


def _write_element(tag: str, kind: str, value: Any, out: list[str], more: str = "") -> None:
    """`<tag …>` with all members of a value of type `kind`; `more` are attributes as text."""
    if not isinstance(value, dict):
        raise NotInXmlError(tag)
    outside = attributes(kind)
    for name in outside:
        if name in value:
            more += f" {name}={_quoted(name, value[name])}"
    children = child_elements(kind)
    names = {name.removeprefix("_") for name in value if name not in outside}
    if unknown := sorted(names - children.keys()):
        raise NotInXmlError(unknown[0])
    if not names:
        out.append(f"<{tag}{more}/>")
        return
    out.append(f"<{tag}{more}>")
    for name in sorted(names, key=lambda one: children[one][0]):
        element = children[name][1]
        if element.type is None:
            _write_primitives(element, value.get(name), value.get(f"_{name}"), out)
        elif f"_{name}" in value:
            raise NotInXmlError(f"_{name}")
        else:
            for one in value[name] if isinstance(value[name], list) else [value[name]]:
                _write_complex(element, one, out)
    out.append(f"</{tag}>")


def _write_complex(element: Element, value: Any, out: list[str]) -> None:
    kind = element.type or _EXTENDED
    if kind != "Resource":
        _write_element(element.name, kind, value, out)
        return
    out.append(f"<{element.name}>")
    _write_resource(value, out)
    out.append(f"</{element.name}>")


def _write_primitives(element: Element, value: Any, extended: Any, out: list[str]) -> None:
    """A primitive, or each of a list: JSON has their values and the rest in two lists side by side."""
    if element.primitive == "xhtml":
        out.append(_narrative(value))
        return
    values = value if isinstance(value, list) else [value]
    rests = extended if isinstance(extended, list) else [extended]
    for place in range(max(len(values), len(rests))):
        own = values[place] if place < len(values) else None
        rest = rests[place] if place < len(rests) else None
        text = "" if own is None else f" value={_quoted(element.name, own)}"
        _write_element(element.name, _EXTENDED, rest or {}, out, text)


def _quoted(name: str, value: Any) -> str:
    """An attribute's value, with what a reader of XML would change in it said by number."""
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    if isinstance(value, int):
        return f'"{value}"'
    if isinstance(value, Decimal):
        return f'"{plain_decimal(value)}"'
    if not isinstance(value, str) or not is_xml_text(value):
        raise NotInXmlError(name)
    return quoteattr(value)


def _narrative(div: Any) -> str:
    """The div as it stands, but with its namespace, and without HTML's entities where it has any."""
    if isinstance(div, str) and is_xml_text(div):
        for text in (div, without_entities(div)):
            if (whole := self_contained_div(text.strip(), {"": XHTML})) is not None:
                return whole
    raise NotInXmlError("div")
