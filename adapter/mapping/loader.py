"""Loads a folder of mapping files: reads, checks and compiles all of it, or says all that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from adapter.errors import MappingError
from adapter.fhir import definitions
from adapter.mapping.checks import Checker, Scope, nearest
from adapter.mapping.compiler import compile_tree
from adapter.mapping.engine import Engine, HospitalContext, ResourceMap
from adapter.mapping.source import Fields, Node, Place, Problems, Scalar, read_tree
from adapter.mapping.tables import load_codes
from adapter.mapping.terminology import Codes
from adapter.mapping.version import mapping_files, version_of

__all__ = ["Mappings"]

_TOP = ("resource", "from", "when", "body")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    root: Fields
    type: Scalar
    kind: Scalar


class Mappings:
    """All mapping files of a folder, checked and compiled. `version` changes with any byte of them,
    `types` lists resource types with what they refer to first, `types_of` those of each record kind.
    """

    def __init__(self, maps: tuple[ResourceMap, ...], codes: Codes, version: str) -> None:
        self._maps = maps
        self.codes = codes
        self.version = version
        self.types = tuple(map_.type for map_ in maps)
        self.kinds = frozenset(map_.kind for map_ in maps)
        self.types_of = {
            kind: tuple(map_.type for map_ in maps if map_.kind == kind) for kind in sorted(self.kinds)
        }

    @classmethod
    def load(cls, folder: Path, record_fields: Mapping[str, frozenset[str]]) -> "Mappings":
        """Load `folder`/*.yaml and `folder`/codes. `record_fields`: record kind -> fields that may leave.

        Raises MappingError whose `problems` lists everything wrong: file, line, column, remedy.
        """
        problems = Problems()
        version = version_of(folder)
        codes = load_codes(folder / "codes", problems.lines)
        files: list[_File] = []
        for path in mapping_files(folder):
            files += _read(path, path.read_bytes(), problems, frozenset(record_fields))
        if not files and not problems.lines:
            problems.add(Place(folder.name, 1, 1), "mapping.no_files")
        maps = _compile(files, codes, record_fields, problems)
        if problems.lines:
            listed = tuple(sorted(problems.lines, key=_place))
            raise MappingError("mapping.wrong", listed, count=len(listed))
        return cls(maps, codes, version)

    def engine(self, context: HospitalContext) -> Engine:
        """The engine for one hospital."""
        return Engine(self._maps, self.codes, context)


def _place(line: str) -> tuple[str, int, int]:
    """Sorts `file:line:column: …` as a person reads the files."""
    file, number, column, _ = line.split(":", 3)
    return file, int(number), int(column)


def _read(path: Path, content: bytes, problems: Problems, kinds: frozenset[str]) -> list[_File]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.add(Place(path.name, 1, 1), "mapping.not_utf8")
        return []
    root = read_tree(path, text, problems)
    if root is None:
        return []
    if not isinstance(root, Fields):
        problems.add(root.place, "mapping.not_fields", word="resource")
        return []
    for key, _ in root.entries:
        if key.value not in _TOP:
            problems.add(key.place, "mapping.no_top", word=key.value, nearest=nearest(str(key.value), _TOP))
    type_, kind = _word(root, "resource", problems), _word(root, "from", problems)
    if root.get("body") is None:
        problems.add(root.place, "mapping.no_top_word", word="body")
    if type_ is not None and not definitions.elements(str(type_.value)).keys() & {"contained"}:
        problems.add(type_.place, "mapping.no_resource", word=type_.value)
    if kind is not None and kind.value not in kinds:
        problems.add(kind.place, "mapping.no_kind", word=kind.value, nearest=nearest(str(kind.value), kinds))
        return []
    return [_File(path.name, root, type_, kind)] if type_ and kind else []


def _word(root: Fields, name: str, problems: Problems) -> Scalar | None:
    node = root.get(name)
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node
    problems.add(node.place if node else root.place, "mapping.no_top_word", word=name)
    return None


def _compile(
    files: list[_File], codes: Codes, record_fields: Mapping[str, frozenset[str]], problems: Problems
) -> tuple[ResourceMap, ...]:
    types: dict[str, str] = {}
    for file in files:
        if file.type.value in types:
            problems.add(file.type.place, "mapping.duplicate", word=file.type.value)
        types[str(file.type.value)] = str(file.kind.value)
    maps: dict[str, ResourceMap] = {}
    needs: dict[str, set[str]] = {}
    for file in files:
        checker = Checker(problems, codes, types)
        map_ = _compile_file(file, checker, record_fields)
        maps[map_.type] = map_
        needs[map_.type] = checker.references - {map_.type}
    try:
        order = TopologicalSorter({type_: sorted(needs[type_]) for type_ in sorted(needs)}).static_order()
        return tuple(maps[type_] for type_ in order if type_ in maps)
    except CycleError as error:
        problems.add(Place(files[0].name, 1, 1), "mapping.cycle", word=" → ".join(error.args[1]))
        return ()


def _compile_file(file: _File, checker: Checker, record_fields: Mapping[str, frozenset[str]]) -> ResourceMap:
    type_, kind = str(file.type.value), str(file.kind.value)
    visit = record_fields.get("visit", frozenset())
    scope = Scope(kind, record_fields[kind], frozenset(record_fields), visit=visit)
    body: Node = file.root.get("body") or Fields((), file.root.place)
    label = type_.lower()
    if definitions.is_type(type_):
        checker.body(body, type_)
    when = file.root.get("when")
    return ResourceMap(
        file=file.name,
        type=type_,
        kind=kind,
        fields=record_fields[kind],
        visit=visit,
        body=compile_tree(body, checker, scope, label=label, path=type_),
        when=compile_tree(when, checker, scope, label=f"{label}_when", path="when") if when else None,
    )
