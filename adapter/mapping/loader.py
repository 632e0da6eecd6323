"""Loads a folder of mapping files: reads, checks and compiles all of it, or says all that is wrong."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from adapter.errors import MappingError
from adapter.fhir.definitions import types
from adapter.mapping.compilation import MappingFile, compile_mapping, name_of, needs_of, word_of
from adapter.mapping.engine import HospitalContext, MappingEngine, ResourceMapping
from adapter.mapping.folder.version import mapping_files, mapping_version, overlay_files
from adapter.mapping.language.expression_checker import ExpressionChecker
from adapter.mapping.language.expression_scope import MappingVariants
from adapter.mapping.language.fragments import Fragments, merge_trees, read_fragments
from adapter.mapping.language.keywords import MAPPING_KEYS, closest_choices
from adapter.mapping.language.overlays import Overlay, read_overlays
from adapter.mapping.language.source_tree import (
    MappingProblems,
    ObjectNode,
    SourcePosition,
    read_tree,
)
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables

__all__ = ["Mappings"]


class Mappings:
    """All mappings of a folder, checked and compiled. `types` lists resource types with what they refer
    to first, `types_of` those of each record kind, `maps_of` the mappings of each record kind. `version`
    changes with any byte of them; `hospitals` are those that have an overlay.
    """

    def __init__(
        self,
        maps: tuple[ResourceMapping, ...],
        codes: CodeTables,
        version: str,
        overlaid: Mapping[str, Mapping[tuple[str, str | None], ResourceMapping]],
    ) -> None:
        self._maps = maps
        self._overlaid = overlaid
        self.codes = codes
        self.version = version
        self.hospitals = tuple(sorted(overlaid))
        self.types = tuple(dict.fromkeys(map_.type for map_ in maps))
        self.kinds = frozenset(map_.kind for map_ in maps)
        self.maps_of = {
            kind: tuple(map_ for map_ in maps if map_.kind == kind) for kind in sorted(self.kinds)
        }
        self.types_of = {
            kind: tuple(dict.fromkeys(map_.type for map_ in listed)) for kind, listed in self.maps_of.items()
        }

    @classmethod
    def load(cls, folder: Path, record_fields: Mapping[str, frozenset[str]]) -> "Mappings":
        """Load `folder`/*.yaml, `folder`/hospitals and `folder`/codes. `record_fields`: record kind ->
        fields that may leave.

        Raises MappingError whose `problems` lists everything wrong: file, line, column, remedy.
        """
        problems = MappingProblems()
        paths = overlay_files(folder)
        version = mapping_version(folder)
        codes = load_code_tables(folder / "codes", problems.lines)
        fragments = read_fragments(folder, problems)
        read = (_read(path, problems, record_fields, fragments) for path in mapping_files(folder))
        files = [file for file in read if file is not None]
        for path in (*folder.glob("*.yml"), *(folder / "hospitals").glob("*.yml")):
            problems.add(SourcePosition(path.relative_to(folder).as_posix(), 1, 1), "mapping.wrong_ending")
        if not files and not problems.lines:
            problems.add(SourcePosition(folder.name, 1, 1), "mapping.no_files")
        variants = _variants(files, problems)
        overlays = read_overlays(paths, variants, fragments, problems)
        expressions = ExpressionChecker(problems, codes, record_fields, variants)
        maps = {file.variant: compile_mapping(file, file.body, expressions) for file in files}
        overlaid = _overlaid(files, overlays, expressions)
        ordered = _ordered(maps, overlaid, problems)
        if problems.lines:
            listed = tuple(sorted(problems.lines, key=_place))
            raise MappingError("mapping.wrong", listed, count=len(listed))
        found = {path.stem: overlaid.get(path.stem, {}) for path in paths}
        return cls(ordered, codes, version, found)

    def maps_for(self, hospital: str) -> tuple[ResourceMapping, ...]:
        """The mappings with that hospital's overlay in place, what they refer to first."""
        own = self._overlaid.get(hospital, {})
        return tuple(own.get((map_.type, map_.name), map_) for map_ in self._maps)

    def engine(self, context: HospitalContext) -> MappingEngine:
        """The engine for one hospital."""
        return MappingEngine(self.maps_for(context.name), self.codes, context)


def _place(line: str) -> tuple[str, int, int]:
    """Sorts `file:line:column: …` as a person reads the files."""
    file, number, column, _ = line.split(":", 3)
    return file, int(number), int(column)


def _read(
    path: Path, problems: MappingProblems, kinds: Mapping[str, object], fragments: Fragments
) -> MappingFile | None:
    root = read_tree(path, problems)
    if root is None:
        return None
    if not isinstance(root, ObjectNode):
        problems.add(root.place, "mapping.not_fields", word="resource")
        return None
    for key, _ in root.entries:
        if key.value not in MAPPING_KEYS:
            problems.add(
                key.place,
                "mapping.no_top",
                word=key.value,
                nearest=closest_choices(str(key.value), MAPPING_KEYS),
            )
    type_, kind = word_of(root, "resource", problems), word_of(root, "from", problems)
    if root.get("body") is None:
        problems.add(root.place, "mapping.no_top_word", word="body")
    if type_ is not None and not types.is_resource_type(str(type_.value)):
        problems.add(type_.place, "mapping.no_resource", word=type_.value)
    if kind is not None and str(kind.value) not in kinds:
        problems.add(
            kind.place, "mapping.no_kind", word=kind.value, nearest=closest_choices(str(kind.value), kinds)
        )
        return None
    if type_ is None or kind is None:
        return None
    return MappingFile(
        file=path.name,
        type=type_,
        name=name_of(root, problems),
        kind=str(kind.value),
        body=fragments.expand(root.get("body") or ObjectNode((), root.place)),
        when=root.get("when"),
        needs=needs_of(root, str(type_.value), problems),
    )


def _variants(files: list[MappingFile], problems: MappingProblems) -> MappingVariants:
    seen: set[tuple[str, str | None]] = set()
    for file in files:
        if file.variant in seen:
            problems.add(
                file.type.place, "mapping.duplicate_variant", word=" ".join(filter(None, file.variant))
            )
        seen.add(file.variant)
    return MappingVariants(seen)


_Overlaid = dict[str, dict[tuple[str, str | None], ResourceMapping]]


def _overlaid(files: list[MappingFile], overlays: list[Overlay], expressions: ExpressionChecker) -> _Overlaid:
    """Hospital -> the mappings that are another one there."""
    by_variant = {file.variant: file for file in files}
    found: _Overlaid = {}
    for overlay in overlays:
        file = by_variant[overlay.type, overlay.name]
        body = merge_trees(file.body, overlay.tree, expressions.problems)
        found.setdefault(overlay.hospital, {})[file.variant] = compile_mapping(file, body, expressions)
    return found


def _ordered(
    maps: Mapping[tuple[str, str | None], ResourceMapping], overlaid: _Overlaid, problems: MappingProblems
) -> tuple[ResourceMapping, ...]:
    """The mappings by type, what a type refers to first, at whatever hospital."""
    needs: dict[str, set[str]] = {type_: set() for type_, _ in sorted(maps, key=str)}
    for map_ in (*maps.values(), *(one for own in overlaid.values() for one in own.values())):
        needs[map_.type] |= map_.references - {map_.type}
    try:
        order = list(TopologicalSorter({type_: sorted(needs[type_]) for type_ in needs}).static_order())
    except CycleError as error:
        file = min(map_.file for map_ in maps.values())
        problems.add(SourcePosition(file, 1, 1), "mapping.cycle", word=" → ".join(error.args[1]))
        return ()
    return tuple(sorted(maps.values(), key=lambda map_: (order.index(map_.type), map_.name or "", map_.file)))
