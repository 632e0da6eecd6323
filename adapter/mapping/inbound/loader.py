"""Loads an inbound mapping: reads, checks and compiles it, or says all that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

from adapter.errors import MappingError
from adapter.fhir.definitions import types
from adapter.mapping.compilation import MappingFile, compile_mapping, name_of, needs_of, word_of
from adapter.mapping.engine import ResourceMapping
from adapter.mapping.folder.version import FRAGMENTS_FILE
from adapter.mapping.inbound.shapes import DOCUMENT, ObjectShape, kinds_of, read_shape
from adapter.mapping.language.compiler import Program, compile_tree
from adapter.mapping.language.expression_checker import ExpressionChecker
from adapter.mapping.language.expression_scope import ExpressionScope, MappingVariants
from adapter.mapping.language.fragments import Fragments, read_fragments
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.language.source_tree import (
    ListNode,
    MappingProblems,
    Node,
    ObjectNode,
    ScalarNode,
    SourcePosition,
    read_tree,
)
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables, load_tables

__all__ = ["InboundMapping", "InboundResource", "inbound_names", "inbound_version", "load_inbound"]

INBOUND_FOLDER: Final = "inbound"
_TOP: Final = ("document", "resources")
_RESOURCE_KEYS: Final = ("resource", "name", "from", "key", "when", "needs", "body")


@dataclass(frozen=True, slots=True)
class InboundResource:
    """One resource of each part at `path`; its number there is what `key` gives."""

    mapping: ResourceMapping
    path: tuple[str, ...]
    key: Program

    @property
    def slug(self) -> str:
        """The last part of the identifier system of its numbers."""
        return self.mapping.name or self.mapping.type.lower()


@dataclass(frozen=True, slots=True)
class InboundMapping:
    """A hospital's document, and what is made of it."""

    name: str
    shape: ObjectShape
    resources: tuple[InboundResource, ...]
    codes: CodeTables

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types that it makes."""
        return tuple(dict.fromkeys(one.mapping.type for one in self.resources))


def inbound_names(folder: Path) -> tuple[str, ...]:
    """The inbound mappings that a folder of mappings has."""
    return tuple(sorted(path.stem for path in (folder / INBOUND_FOLDER).glob("*.yaml") if path.is_file()))


def _files(folder: Path, name: str) -> list[Path]:
    """All that an inbound mapping is made of."""
    tables = [*(folder / "codes").glob("*.csv"), *(folder / INBOUND_FOLDER / "codes").glob("*.csv")]
    return [folder / INBOUND_FOLDER / f"{name}.yaml", folder / FRAGMENTS_FILE, *sorted(tables)]


def inbound_version(folder: Path, name: str) -> str:
    """Changes when one of its files is written: by names, sizes and times, so that it may be asked often."""
    digest = blake2b(digest_size=16)
    for path in _files(folder, name):
        try:
            found = path.stat()
        except OSError:
            continue
        digest.update(f"{path.name}|{found.st_mtime_ns}|{found.st_size}|{found.st_ino}\0".encode())
    return digest.hexdigest()


def load_inbound(folder: Path, name: str) -> InboundMapping:
    """Load `folder`/inbound/`name`.yaml with the folder's fragments, and the code tables of `folder`/codes
    and `folder`/inbound/codes.

    Raises MappingError whose `problems` lists everything wrong: file, line, column, remedy.
    """
    problems = MappingProblems()
    codes = load_code_tables(folder / "codes", problems.lines)
    own = folder / INBOUND_FOLDER / "codes"
    if (own / "tables.csv").is_file():
        codes = replace(codes, tables=load_tables(own, problems.lines, codes.tables))
    fragments = read_fragments(folder, problems)
    root = read_tree(folder / INBOUND_FOLDER / f"{name}.yaml", problems, f"{INBOUND_FOLDER}/{name}.yaml")
    found = None
    if root is not None and not isinstance(root, ObjectNode):
        problems.add(root.place, "mapping.not_fields", word="document")
    elif root is not None:
        found = _mapping(name, root, codes, fragments, problems)
    if problems.lines or found is None:
        raise MappingError("inbound.wrong", tuple(problems.lines), name=name, count=len(problems.lines))
    return found


def _mapping(
    name: str, root: ObjectNode, codes: CodeTables, fragments: Fragments, problems: MappingProblems
) -> InboundMapping:
    _known_words(root, _TOP, problems)
    document, listed = root.get("document"), root.get("resources")
    if document is None:
        problems.add(root.place, "mapping.no_top_word", word="document")
    if not isinstance(listed, ListNode) or not listed.nodes:
        problems.add(listed.place if listed else root.place, "mapping.no_top_word", word="resources")
    shape = read_shape(document, problems) if document is not None else ObjectShape(DOCUMENT)
    kinds = kinds_of(shape)
    file = f"{INBOUND_FOLDER}/{name}.yaml"
    nodes = listed.nodes if isinstance(listed, ListNode) else ()
    read = [_read(file, one, kinds.fields, fragments, problems) for one in nodes]
    files = [one for one in read if one is not None]
    expressions = ExpressionChecker(problems, codes, kinds.fields, _variants(files, problems), kinds.shapes)
    made = tuple(_resource(one, key, expressions) for one, key in files)
    return InboundMapping(name, shape, made, codes)


def _known_words(root: ObjectNode, words: tuple[str, ...], problems: MappingProblems) -> None:
    for key, _ in root.entries:
        if key.value not in words:
            near = closest_choices(str(key.value), words)
            problems.add(key.place, "mapping.no_top", word=key.value, nearest=near)


_Read = tuple[MappingFile, Node]


def _read(
    file: str, root: Node, kinds: Mapping[str, object], fragments: Fragments, problems: MappingProblems
) -> _Read | None:
    if not isinstance(root, ObjectNode):
        problems.add(root.place, "mapping.not_fields", word="resource")
        return None
    _known_words(root, _RESOURCE_KEYS, problems)
    type_, key, path = word_of(root, "resource", problems), root.get("key"), root.get("from")
    for name in ("key", "body"):
        if root.get(name) is None:
            problems.add(root.place, "mapping.no_top_word", word=name)
    if type_ is not None and not types.is_resource_type(str(type_.value)):
        problems.add(type_.place, "mapping.no_resource", word=type_.value)
    kind = DOCUMENT
    if path is not None:
        written = path.text if isinstance(path, ScalarNode) else None
        kind = f"{DOCUMENT}.{written}"
        if written is None or kind not in kinds:
            listed = sorted(one.removeprefix(f"{DOCUMENT}.") for one in kinds if one != DOCUMENT)
            near = closest_choices(written or "", listed)
            problems.add(path.place, "inbound.no_part", word=written or "from", nearest=near)
            return None
    if type_ is None or key is None:
        return None
    found = MappingFile(
        file=file,
        type=type_,
        name=name_of(root, problems),
        kind=kind,
        body=fragments.expand(root.get("body") or ObjectNode((), root.place)),
        when=root.get("when"),
        needs=needs_of(root, str(type_.value), problems),
    )
    return found, key


def _variants(files: list[_Read], problems: MappingProblems) -> MappingVariants:
    seen: set[tuple[str, str | None]] = set()
    for file, _ in files:
        if file.variant in seen:
            word = " ".join(filter(None, file.variant))
            problems.add(file.type.place, "mapping.duplicate_variant", word=word)
        seen.add(file.variant)
    return MappingVariants(seen)


def _resource(file: MappingFile, key: Node, expressions: ExpressionChecker) -> InboundResource:
    if not isinstance(key, ScalarNode):
        expressions.problems.add(key.place, "mapping.directive_expression")
        key = ScalarNode("-", SourcePosition(file.file, 1, 1))
    path = tuple(file.kind.split(".")[1:])
    compiled = compile_mapping(file, file.body, expressions)
    scope = ExpressionScope(file.kind)
    return InboundResource(compiled, path, compile_tree(key, expressions, scope, label="key", path="key"))
