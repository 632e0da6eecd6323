"""A mapping file as a tree in which every word knows its line and column.

YAML 1.2 habits only: `no` and `2026-01-01` stay text, numbers keep their digits.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import yaml

from adapter.texts import say

__all__ = [
    "MAX_DEPTH",
    "ListNode",
    "MappingProblems",
    "Node",
    "ObjectNode",
    "ScalarNode",
    "SourcePosition",
    "is_unicode",
    "read_tree",
    "tree_depth",
]

MAX_DEPTH = 32  # of objects and lists inside each other; a resource of R4 seldom has ten
_MOST_NODES = 20_000  # in one file, with every alias written out
_MOST_DIGITS = 1_000


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """Where a word stands: file name, line and column, both from 1. `via` is the file that uses the
    fragment in which the word stands.
    """

    file: str
    line: int
    column: int
    via: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A literal or, when it holds `{{`, an expression. `raw` are its lines in the file."""

    value: str | int | bool | Decimal | None
    place: SourcePosition
    raw: str = ""

    def place_of(self, word: str) -> SourcePosition:
        """Where `word` stands inside this scalar; its start when it is not found there."""
        start = self.raw.find(word, self.place.column - 1)
        if start < 0:
            return self.place
        before = self.raw[:start]
        line = self.place.line + before.count("\n")
        return replace(self.place, line=line, column=start - before.rfind("\n"))

    @property
    def text(self) -> str | None:
        """The value where it is text that is no expression."""
        return self.value if isinstance(self.value, str) and "{{" not in self.value else None


@dataclass(frozen=True, slots=True)
class ObjectNode:
    """A mapping of names to nodes, in the file's order."""

    entries: tuple[tuple[ScalarNode, "Node"], ...]
    place: SourcePosition

    def get(self, name: str) -> "Node | None":
        """The node of that name."""
        return next((node for key, node in self.entries if key.value == name), None)

    def without(self, *names: str) -> "ObjectNode":
        """The same without the nodes of those names."""
        return ObjectNode(tuple(entry for entry in self.entries if entry[0].value not in names), self.place)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list of nodes."""

    nodes: tuple["Node", ...]
    place: SourcePosition


Node = ScalarNode | ObjectNode | ListNode


class MappingProblems:
    """Collects what is wrong with all files of one run, a line each: place, what, remedy."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._known: set[str] = set()

    def add(self, place: SourcePosition, text: str, **params: object) -> None:
        """One more problem; the same one twice is listed once."""
        line = f"{place}: {say(text, **params)}"
        if line in self._known:
            return
        self._known.add(line)
        self.lines.append(f"{line} ({say('mapping.via', word=place.via)})" if place.via else line)


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: an escape such as \\ud800 makes half a character."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def read_tree(path: Path, problems: MappingProblems, name: str = "") -> Node | None:
    """Read and parse one file, called `name` (else as on the disk) in what is said of it. What cannot be
    read is added to `problems` and gives None.
    """
    name = name or path.name
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.add(SourcePosition(name, 1, 1), "mapping.not_utf8")
        return None
    except OSError as error:
        problems.add(SourcePosition(name, 1, 1), "mapping.unreadable", problem=error.strerror or "")
        return None
    return _parsed(name, text, problems)


def _parsed(name: str, text: str, problems: MappingProblems) -> Node | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = SourcePosition(name, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)
        problems.add(place, "mapping.not_yaml", problem=error.problem or "")
        return None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = SourcePosition(name, before.count("\n") + 1, error.position - before.rfind("\n"))
        problems.add(place, "mapping.not_yaml", problem=f"U+{ord(text[error.position]):04X}")
        return None
    except RecursionError:
        problems.add(SourcePosition(name, 1, 1), "mapping.too_deep", limit=MAX_DEPTH)
        return None
    if root is None:
        problems.add(SourcePosition(name, 1, 1), "mapping.empty_file")
        return None
    try:
        return _Reader(name, text.splitlines(), problems).node(root)
    except _TooDeep as error:
        problems.add(error.place, "mapping.too_deep", limit=MAX_DEPTH)
        return None


def tree_depth(node: Node) -> int:
    """How many objects and lists stand inside each other at the most; 0 for a scalar."""
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        one, level = waiting.pop()
        if isinstance(one, ScalarNode):
            continue
        deepest = max(deepest, level)
        inside = one.nodes if isinstance(one, ListNode) else [child for _, child in one.entries]
        waiting += [(child, level + 1) for child in inside]
    return deepest


class _TooDeep(Exception):
    """What is left of the file is not looked at."""

    def __init__(self, place: SourcePosition) -> None:
        super().__init__()
        self.place = place


class _Reader:
    def __init__(self, file: str, lines: list[str], problems: MappingProblems) -> None:
        self._file = file
        self._lines = lines
        self._problems = problems
        self._count = 0

    def node(self, node: yaml.Node, level: int = 1) -> Node:
        """The node as a tree; what an alias (`*name`) stands for is there as often as it is named."""
        place = SourcePosition(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
        self._count += 1
        if level > MAX_DEPTH or self._count > _MOST_NODES:
            raise _TooDeep(place)
        if isinstance(node, yaml.MappingNode):
            return self._fields(node, place, level)
        if isinstance(node, yaml.SequenceNode):
            return ListNode(tuple(self.node(child, level + 1) for child in node.value), place)
        return self._scalar(node, place)

    def _fields(self, node: yaml.MappingNode, place: SourcePosition, level: int) -> ObjectNode | ScalarNode:
        if node.flow_style and any(isinstance(key, yaml.MappingNode) for key, _ in node.value):
            self._problems.add(place, "mapping.unquoted")  # {{ … }} without quotation marks
            return ScalarNode(None, place)
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        for key_node, value_node in node.value:
            key = self.node(key_node, level + 1)
            if not isinstance(key, ScalarNode):
                self._problems.add(key.place, "mapping.bad_name")
                continue
            name = str(key.value)
            if name in entries:
                self._problems.add(key.place, "mapping.duplicate", word=name)
                continue
            entries[name] = (key, self.node(value_node, level + 1))
        return ObjectNode(tuple(entries.values()), place)

    def _scalar(self, node: yaml.Node, place: SourcePosition) -> ScalarNode:
        text = str(node.value)
        raw = "\n".join(self._lines[place.line - 1 : node.end_mark.line + 1])
        if not is_unicode(text):
            self._problems.add(place, "mapping.not_unicode")
            return ScalarNode(None, place)
        value: str | int | bool | Decimal | None = text
        kind = node.tag.rsplit(":", 1)[-1]
        if getattr(node, "style", None) is not None:
            pass  # quoted: text, whatever it looks like
        elif kind == "null":
            value = None
        elif text in ("true", "false"):
            value = text == "true"
        elif kind == "int" and text.lstrip("-").isdecimal() and len(text) < _MOST_DIGITS:
            value = int(text)
        elif kind == "float" and text.lstrip("-").replace(".", "", 1).isdecimal():
            value = Decimal(text)
        return ScalarNode(value, place, raw)
