"""What R4 allows in a narrative: a `div` of plain XHTML (http://hl7.org/fhir/R4/narrative.html#xhtml)."""

import re
from typing import Final

__all__ = ["has_content", "is_plain"]

_TAG: Final = re.compile(
    r"<!--.*?-->|<(/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[\w:.\-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"([\w:.\-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# HTML 4.0 chapters 7 to 11 (except section 4 of chapter 9) and 15, <a>, images and tables
_ELEMENTS: Final = frozenset(
    (
        *(
            "a",
            "abbr",
            "acronym",
            "address",
            "area",
            "b",
            "bdo",
            "big",
            "blockquote",
            "br",
            "caption",
            "center",
        ),
        *("cite", "code", "col", "colgroup", "dd", "del", "dfn", "dir", "div", "dl", "dt", "em", "font"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "map", "ol", "p", "pre"),
        *("q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td"),
        *("tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
    )
)
_NO_ATTRIBUTES: Final = re.compile(r"on[a-z]+", re.IGNORECASE)
_NO_SCHEMES: Final = re.compile(r"\s*(?:javascript|vbscript)\s*:", re.IGNORECASE)


def is_plain(div: object) -> bool:
    """txt-1: well-formed, one `div` around all, basic formatting only, no events and no scripts."""
    if not isinstance(div, str):
        return False
    open_elements: list[str] = []
    end = 0
    text = div.strip()
    for tag in _TAG.finditer(text):
        if "<" in text[end : tag.start()] or (tag.start() > 0 and not open_elements):
            return False
        end = tag.end()
        if tag[2] and not _is_allowed(tag, open_elements):
            return False
    return end == len(text) and not open_elements and text.startswith("<div")


def _is_allowed(tag: re.Match[str], open_elements: list[str]) -> bool:
    """Whether a tag may stand here; keeps the list of open elements."""
    closes, name, attributes, is_empty = tag[1], tag[2], tag[3], tag[4]
    if closes:
        return bool(open_elements) and open_elements.pop() == name
    if name not in _ELEMENTS or (not open_elements and name != "div"):
        return False
    if not is_empty:
        open_elements.append(name)
    return all(_is_harmless(*one) for one in _ATTRIBUTE.findall(attributes))


def _is_harmless(name: str, double: str, single: str) -> bool:
    return _NO_ATTRIBUTES.fullmatch(name) is None and _NO_SCHEMES.match(double or single) is None


def has_content(div: object) -> bool:
    """txt-2: some text or an image."""
    if not isinstance(div, str):
        return False
    return "<img" in div or bool(_TAG.sub("", div).strip())
