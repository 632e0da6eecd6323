"""XML read safely, one check-up at a time: no document type, no entities, no network, within limits."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from adapter.errors import ImportRefused

__all__ = ["XmlElement", "read_checkups"]

_MAX_BYTES = 500_000_000
_MAX_DEPTH = 40
_MAX_CONTENT = 2_000_000  # elements and letters of one check-up
_BLOCK = 1 << 16
_ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be"})
_NOT_ENCODED = frozenset({"not well-formed (invalid token)", "partial character"})


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


class _Reader:
    def __init__(self, file: str, wanted: str) -> None:
        self.ready: deque[XmlElement] = deque()
        self._file = file
        self._wanted = wanted
        self._open: list[XmlElement] = []
        self._depth = 0
        self._content = 0
        self._encoding = "UTF-8"
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.ExternalEntityRefHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._letters

    def feed(self, block: bytes) -> None:
        """The next bytes; none at the end."""
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            problem = expat.ErrorString(error.code) or "-"
            if problem in _NOT_ENCODED:
                raise self._refused("source.xml_characters", encoding=self._encoding) from error
            raise self._refused("source.xml_wrong", problem=problem) from error

    def _refused(self, text: str, **params: Any) -> ImportRefused:
        line = self._parser.ErrorLineNumber or self._parser.CurrentLineNumber
        return ImportRefused(text, file=self._file, line=line, **params)

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
        if not self._open and bare != self._wanted:
            return
        if not self._open:
            self._content = 0
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
        if self._content > _MAX_CONTENT:
            raise self._refused("source.xml_too_long", limit=_MAX_CONTENT)
