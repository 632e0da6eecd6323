"""What R4 allows in a narrative: a `div` of plain XHTML (http://hl7.org/fhir/R4/narrative.html#xhtml).

Read by expat, in time that grows with the text alone. XHTML in FHIR is plain XML: only XML's own five
entities, and no document type, so nothing can be defined that grows without end.
"""

import re
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

__all__ = ["has_content", "has_namespace", "is_plain_xhtml"]

_XHTML: Final = "http://www.w3.org/1999/xhtml"
# HTML 4.0 chapters 7 to 11 (but section 9.4, which is <del> and <ins>) and 15, <a>, images and their maps
_ELEMENTS: Final = frozenset(
    (
        *("a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption"),
        *("center", "cite", "code", "col", "colgroup", "dd", "dfn", "dir", "div", "dl", "dt", "em"),
        *("font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "map", "ol"),
        *("p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
    )
)
# The attributes of these in HTML 4.0's own index, deprecated ones too; none of events, forms, frames, scripts
_ATTRIBUTES: Final = frozenset(
    (
        *("abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellpadding", "cellspacing"),
        *("char", "charoff", "charset", "cite", "class", "clear", "color", "colspan", "compact", "coords"),
        *("datetime", "dir", "face", "frame", "headers", "height", "href", "hreflang", "hspace", "id"),
        *("ismap", "lang", "longdesc", "name", "nohref", "noshade", "nowrap", "rel", "rev", "rowspan"),
        *("rules", "scope", "shape", "size", "span", "src", "start", "style", "summary", "tabindex"),
        *("title", "type", "usemap", "valign", "value", "vspace", "width"),
        *("http://www.w3.org/XML/1998/namespace lang", "http://www.w3.org/XML/1998/namespace space"),
    )
)
_NO_SCHEMES: Final = re.compile(r"(?:javascript|vbscript):", re.IGNORECASE)
_IGNORED_IN_SCHEMES: Final = re.compile(r"[\x00-\x20]+")  # by browsers: "java\nscript:" is a script


@dataclass(slots=True)
class _Reading:
    """What was met so far; expat calls the methods."""

    is_plain: bool = True
    is_in_namespace: bool = True
    has_content: bool = False
    root: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        if self.root is None:
            self.root = name
            self.is_plain = name == "div"
            self.is_in_namespace = namespace != ""
        self.has_content |= name == "img"
        self.is_plain &= namespace in ("", _XHTML) and name in _ELEMENTS
        self.is_plain &= all(_is_harmless(*one) for one in attributes.items())

    def text(self, data: str) -> None:
        self.has_content = self.has_content or not data.isspace()

    def document_type(self, *_: object) -> None:
        raise ValueError("a narrative has no document type")


def _read(div: object) -> _Reading | None:
    """None for what is not well-formed."""
    if not isinstance(div, str):
        return None
    found = _Reading()
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartElementHandler = found.start
    parser.CharacterDataHandler = found.text
    parser.StartDoctypeDeclHandler = found.document_type
    try:
        parser.Parse(div.strip().encode(), True)
    except (expat.ExpatError, ValueError):
        return None
    return found


def is_plain_xhtml(div: object) -> bool:
    """txt-1: well-formed, one `div` around all, basic elements and attributes, no events and no scripts."""
    found = _read(div)
    return found is not None and found.is_plain


def has_content(div: object) -> bool:
    """txt-2: some text or an image. What is not well-formed is said by txt-1 alone."""
    found = _read(div)
    return found is None or found.has_content


def has_namespace(div: object) -> bool:
    """Whether the `div` says that it is XHTML; what is not well-formed is said by txt-1 alone."""
    found = _read(div)
    return found is None or found.is_in_namespace


def _is_harmless(name: str, value: str) -> bool:
    return name in _ATTRIBUTES and _NO_SCHEMES.match(_IGNORED_IN_SCHEMES.sub("", value)) is None
