"""FHIR's XML as a resource. Strict: what R4 does not know is refused, with its line and column.

Read by expat in one pass. A document type is refused, so there are no entities to unfold; depth is bounded,
and what is kept grows with the text alone.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from xml.parsers import expat

from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.fhir.definitions.types import Element, is_resource_type
from adapter.fhir.xml.form import FHIR, XHTML, attributes, child_elements, self_contained_div

__all__ = ["BadXmlError", "XmlReason", "loads_xml"]

XmlReason = Literal[
    "not_well_formed", "document_type", "encoding", "too_deep", "namespace", "unknown_element",
    "unknown_attribute", "text", "repeated", "empty", "no_resource", "value", "narrative",
]  # fmt: skip

_INSTANCE: Final = (
    "http://www.w3.org/2001/XMLSchema-instance "  # says where a schema is: nothing of the resource
)
_WHOLE: Final = re.compile(r"\+?(-?(?:0|[1-9][0-9]*))")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE_NUMBERS: Final = frozenset(("integer", "positiveInt", "unsignedInt"))
_BOOLEANS: Final = {"true": True, "false": False}


class BadXmlError(ValueError):
    """XML that is no FHIR resource: why, in which element (at most 60 characters), line and column from 1."""

    def __init__(self, reason: XmlReason, name: str, line: int, column: int) -> None:
        self.reason, self.name, self.line, self.column = reason, name[:60], line, column
        super().__init__(reason)


@dataclass(slots=True)
class _Open:
    """An element that has begun: `kind` is its type, "Resource" for what holds a resource, "" around all."""

    kind: str
    element: Element | None = None
    place: tuple[int, int] = (1, 1)  # line and column where it begins
    value: dict[str, Any] = field(default_factory=dict)
    own: Any = None  # a primitive's value, or the resource that is held
    lists: list[str] = field(default_factory=list)  # lists of primitives, which JSON has twice


def loads_xml(data: bytes, *, max_depth: int = 100, number: Callable[[str], Any] = codec.loads) -> Resource:
    """The resource in UTF-8 XML, its properties in R4's order where XML has that order.

    `number` reads what JSON would read as a number. Raises BadXmlError, and what `number` raises.
    """
    return _Reading(data.removeprefix(codecs.BOM_UTF8), max_depth, number).resource()


class _Reading:
    """One document; expat calls the methods."""

    def __init__(self, data: bytes, max_depth: int, number: Callable[[str], Any]) -> None:
        self._data = data
        self._max_depth = max_depth
        self._number = number
        self._open = [_Open("")]
        self._namespaces: dict[str, list[str]] = {}
        self._div: tuple[int, int] | None = None  # where the narrative begins, and how deep
        self._depth = 0
        parser = self._parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartNamespaceDeclHandler = self._namespace
        parser.EndNamespaceDeclHandler = self._namespace_ends

    def resource(self) -> Resource:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise BadXmlError("not_well_formed", "", error.lineno, error.offset + 1) from None
        found: Resource = self._open[0].own
        return found

    def _place(self) -> tuple[int, int]:
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def _bad(self, reason: XmlReason, name: str = "", place: tuple[int, int] | None = None) -> BadXmlError:
        return BadXmlError(reason, name, *(place or self._place()))

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
            raise self._bad("encoding", encoding)

    def _document_type(self, *_: object) -> None:
        raise self._bad("document_type")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.setdefault(prefix or "", []).append(uri or "")

    def _namespace_ends(self, prefix: str | None) -> None:
        self._namespaces[prefix or ""].pop()

    def _text(self, data: str) -> None:
        if self._div is None and not data.isspace():
            raise self._bad("text", self._name())

    def _name(self) -> str:
        top = self._open[-1]
        return top.element.name if top.element else top.kind

    # Elements

    def _start(self, tag: str, listed: list[str]) -> None:
        self._depth += 1
        if self._div is not None:
            return
        if self._depth > self._max_depth:
            raise self._bad("too_deep")
        namespace, _, name = tag.rpartition(" ")
        above = self._open[-1]
        if above.kind in ("", "Resource"):
            self._open.append(self._resource_starts(above, namespace, name, listed))
            return
        known = child_elements(above.kind).get(name)
        if known is None:
            raise self._bad("unknown_element", name)
        element = known[1]
        if element.primitive == "xhtml":
            if namespace != XHTML:
                raise self._bad("namespace", name)
            self._div = (self._parser.CurrentByteIndex, self._depth)
        elif namespace != FHIR:
            raise self._bad("namespace", name)
        self._open.append(self._element_starts(element, listed))

    def _resource_starts(self, above: _Open, namespace: str, name: str, listed: list[str]) -> _Open:
        if above.own is not None or not is_resource_type(name):
            raise self._bad("no_resource" if above.own is None else "repeated", name)
        if namespace != FHIR:
            raise self._bad("namespace", name)
        for attribute in listed[::2]:
            if not attribute.startswith(_INSTANCE):
                raise self._bad("unknown_attribute", attribute.rpartition(" ")[2])
        return _Open(name, place=self._place(), value={"resourceType": name})

    def _element_starts(self, element: Element, listed: list[str]) -> _Open:
        opened = _Open(element.type or "Element", element, self._place())
        if self._div is not None:
            return opened
        said = dict(zip(listed[::2], listed[1::2], strict=True))
        if element.type is None and "value" in said:
            opened.own = self._primitive(element, said.pop("value"))
        for name in attributes(opened.kind) if opened.kind != "Resource" else ():
            if name in said:
                opened.value[name] = said.pop(name)
        if said:
            raise self._bad("unknown_attribute", next(iter(said)).rpartition(" ")[2])
        return opened

    def _primitive(self, element: Element, text: str) -> Any:
        kind = element.primitive
        if kind == "boolean":
            if text in _BOOLEANS:
                return _BOOLEANS[text]
        elif kind in _WHOLE_NUMBERS:
            if found := _WHOLE.fullmatch(text):
                return self._number(found[1])
        elif kind == "decimal":
            if _DECIMAL.fullmatch(text):
                return self._number(text)
        else:
            return text
        raise self._bad("value", element.name)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._div is not None:
            if self._depth >= self._div[1]:
                return
            self._open[-1].own = self._narrative(self._div[0])
            self._div = None
        done = self._open.pop()
        for name in done.lists:
            for form in (name, f"_{name}"):
                if all(one is None for one in done.value[form]):
                    del done.value[form]
        above = self._open[-1]
        if done.element is None:
            above.own = done.value
        elif done.element.type is None:
            self._add_primitive(above, done, done.element)
        else:
            self._add(above, done, done.element)

    def _narrative(self, begin: int) -> str:
        end = self._data.index(b">", self._parser.CurrentByteIndex) + 1
        outside = {prefix: uris[-1] for prefix, uris in self._namespaces.items() if uris}
        div = self_contained_div(self._data[begin:end].decode(), outside)
        if div is None:
            raise self._bad("narrative", "div")
        return div

    def _add(self, above: _Open, done: _Open, element: Element) -> None:
        content = done.own if done.kind == "Resource" else done.value
        if not content:
            raise self._bad("empty", element.name, done.place)
        if element.is_list:
            above.value.setdefault(element.name, []).append(content)
        elif element.name in above.value:
            raise self._bad("repeated", element.name, done.place)
        else:
            above.value[element.name] = content

    def _add_primitive(self, above: _Open, done: _Open, element: Element) -> None:
        name, beside = element.name, f"_{element.name}"
        if done.own is None and not done.value:
            raise self._bad("empty", name, done.place)
        if element.is_list:
            if name not in above.lists:
                above.lists.append(name)
                above.value[name], above.value[beside] = [], []
            above.value[name].append(done.own)
            above.value[beside].append(done.value or None)
            return
        if name in above.value or beside in above.value:
            raise self._bad("repeated", name, done.place)
        if done.own is not None:
            above.value[name] = done.own
        if done.value:
            above.value[beside] = done.value
