"""XML read safely, one check-up or one document at a time: no document type, no entities, no network, within
limits.

What is wrong is told with line and column, and in the words of who has to mend it: expat's "invalid token" is
as well an & that stands alone as a byte that is no letter.
"""

import codecs
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from adapter.errors import ImportRefused

__all__ = ["XmlElement", "read_checkups", "read_document"]

_MAX_BYTES = 500_000_000
_MAX_DEPTH = 40
_MAX_CONTENT = 2_000_000  # elements and letters of one check-up
_BLOCK = 1 << 16
_ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be"})
_INVALID = frozenset({"not well-formed (invalid token)", "partial character"})
_SAID = {
    expat.errors.XML_ERROR_TAG_MISMATCH: "source.xml_tag",
    expat.errors.XML_ERROR_NO_ELEMENTS: "source.xml_ends",
    expat.errors.XML_ERROR_UNCLOSED_TOKEN: "source.xml_ends",
    expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "source.xml_twice",
    expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "source.xml_after",
    expat.errors.XML_ERROR_UNDEFINED_ENTITY: "source.xml_entity",
}
_LONGEST = 4  # bytes of one letter


@dataclass(slots=True)
class XmlElement:
    """An element: its name without prefix, its own text, its children by name in order, its line."""

    name: str
    line: int
    text: str = ""
    children: dict[str, list["XmlElement"]] = field(default_factory=dict)

    def find_all(self, path: str) -> list["XmlElement"]:
        """The elements at a path such as `KET_LUAN/BENH`; "." or "" is this one."""
        found = [self]
        for name in path.split("/"):
            if name not in ("", "."):
                found = [child for one in found for child in one.children.get(name, ())]
        return found

    def find_text(self, path: str) -> str:
        """The text of the first element at a path, "" if there is none."""
        found = self.find_all(path)
        return found[0].text if found else ""

    def descendants(self, name: str) -> Iterator["XmlElement"]:
        """The elements of that name below this one, or this one itself, in order; none within another."""
        if self.name == name:
            yield self
            return
        for children in self.children.values():
            for child in children:
                yield from child.descendants(name)


def read_checkups(path: Path, name: str) -> Iterator[tuple[XmlElement, int]]:
    """Every element called `name` with all that it holds, and how many bytes have been read.

    Raises ImportRefused that names file and line.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ImportRefused("source.xml_too_large", file=path.name, limit=_MAX_BYTES // 1_000_000)
    reader = _Reader(path.name, name)
    found = False
    with path.open("rb") as stream:
        while True:
            block = stream.read(_BLOCK)
            reader.feed(block)
            while reader.ready:
                found = True
                yield reader.ready.popleft(), stream.tell()
            if not block:
                break
    if not found:
        raise ImportRefused("source.xml_nothing", file=path.name, element=name)


def read_document(data: bytes, label: str, *, most: int, most_elements: int) -> XmlElement:
    """The outermost element with all that it holds: at most `most` elements and letters together.

    What declares UTF-16 and is not is read as UTF-8: programs of .NET write it so. Raises ImportRefused that
    names `label` and the line.
    """
    is_wide = _codec_of(data) != "utf-8"
    reader = _Reader(label, "", None if is_wide else "utf-8", most=most, most_elements=most_elements)
    reader.feed(data)
    reader.feed(b"")
    return reader.ready[0]


class _Reader:
    """`wanted` is the element that is read, "" the outermost; `encoding` is known beforehand, or declared."""

    def __init__(
        self,
        file: str,
        wanted: str,
        encoding: str | None = None,
        *,
        most: int = _MAX_CONTENT,
        most_elements: int = _MAX_CONTENT,
    ) -> None:
        self._most, self._most_elements = most, most_elements
        self._elements = 0
        self.ready: deque[XmlElement] = deque()
        self._file = file
        self._wanted = wanted
        self._open: list[XmlElement] = []
        self._depth = 0
        self._content = 0
        self._encoding = "UTF-8"
        self._codec = ""  # of the bytes, as their first two show
        self._seen = b""  # the last two blocks: where an error stands is in them
        self._fed = 0  # bytes, those of the last block included
        parser = self._parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.buffer_size = _BLOCK
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.ExternalEntityRefHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._letters

    def feed(self, block: bytes) -> None:
        """The next bytes; none at the end."""
        self._codec = self._codec or _codec_of(block)
        self._seen = self._seen[-_BLOCK:] + block
        self._fed += len(block)
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            problem = expat.ErrorString(error.code) or "-"
            if problem not in _INVALID:
                raise self._refused(_SAID.get(problem, "source.xml_wrong"), problem=problem) from error
            raise self._invalid() from error

    def _invalid(self) -> ImportRefused:
        """What expat calls an invalid token, by the sign that it stands at."""
        start = max(self._parser.ErrorByteIndex - (self._fed - len(self._seen)), 0)
        sign = _first_sign(self._seen[start : start + _LONGEST], self._codec)
        if sign is None:
            return self._refused("source.xml_characters", encoding=self._encoding)
        width = 2 if self._codec != "utf-8" else 1
        before = self._seen[:start][-width * 64 :].decode(self._codec, "replace")
        if unicodedata.category(sign) in ("Cc", "Cn"):
            return self._refused("source.xml_control", sign=f"U+{ord(sign):04X}")
        if before.endswith("&"):
            return self._refused("source.xml_ampersand", back=1)
        if before.endswith(("<", "</")) or sign == "<":
            return self._refused("source.xml_less_than", back=len(before) - len(before.rstrip("</")))
        if before.rstrip().endswith("="):
            return self._refused("source.xml_unquoted")
        return self._refused("source.xml_sign", sign=sign)

    def _refused(self, text: str, *, back: int = 0, **params: Any) -> ImportRefused:
        """`back`: as many signs before the one that expat stopped at."""
        failed = self._parser.ErrorLineNumber > 0
        line = self._parser.ErrorLineNumber if failed else self._parser.CurrentLineNumber
        column = self._parser.ErrorColumnNumber if failed else self._parser.CurrentColumnNumber
        return ImportRefused(text, file=self._file, line=line, column=column + 1 - back, **params)

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = encoding or self._encoding
        if self._encoding.casefold() not in _ENCODINGS:
            raise self._refused("source.xml_encoding", encoding=self._encoding)

    def _doctype(self, *_: object) -> int:
        raise self._refused("source.xml_doctype")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._refused("source.xml_too_deep", limit=_MAX_DEPTH)
        bare = name.rpartition(":")[2]
        if not self._open and self._wanted not in ("", bare):
            return
        if not self._open:
            self._content = self._elements = 0
        self._elements += 1
        self._grow(1)
        element = XmlElement(bare, self._parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.setdefault(bare, []).append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._open:
            element = self._open.pop()
            element.text = element.text.strip()
            if not self._open:
                self.ready.append(element)

    def _letters(self, text: str) -> None:
        if self._open:
            self._grow(len(text))
            self._open[-1].text += text

    def _grow(self, by: int) -> None:
        self._content += by
        if self._content > self._most or self._elements > self._most_elements:
            raise self._refused("source.xml_too_long", limit=self._most)


def _codec_of(start: bytes) -> str:
    """The codec of a document, by its first bytes (XML 1.0, appendix F)."""
    if start.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return "utf-16-le"
    return "utf-16-be" if start.startswith((codecs.BOM_UTF16_BE, b"\0<")) else "utf-8"


def _first_sign(content: bytes, codec: str) -> str | None:
    """The first letter; None where these bytes are none."""
    for size in range(1, len(content) + 1):
        try:
            return content[:size].decode(codec) or None
        except UnicodeDecodeError:
            continue
    return None
