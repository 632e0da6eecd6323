"""Overlays: what one hospital wants otherwise, laid over the mappings without copying any of them.

`hospitals/NAME.yaml` names the hospital, and under `overlays` the mappings by resource type, with the
name of a variant behind it (`DiagnosticReport laboratory`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adapter.mapping.language.expression_scope import MappingVariants
from adapter.mapping.language.fragments import Fragments
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.language.source_tree import MappingProblems, Node, ObjectNode, ScalarNode, read_tree

__all__ = ["Overlay", "read_overlays"]

_TOP = ("hospital", "overlays")


@dataclass(frozen=True, slots=True)
class Overlay:
    """What `hospital` wants otherwise of the mapping of `type` and `name`."""

    hospital: str
    type: str
    name: str | None
    tree: Node


def read_overlays(
    paths: Iterable[Path], variants: MappingVariants, fragments: Fragments, problems: MappingProblems
) -> list[Overlay]:
    """The overlays of all hospitals."""
    return [one for path in paths for one in _read(path, variants, fragments, problems)]


def _read(
    path: Path, variants: MappingVariants, fragments: Fragments, problems: MappingProblems
) -> list[Overlay]:
    root = read_tree(path, problems, f"{path.parent.name}/{path.name}")
    if root is None:
        return []
    if not isinstance(root, ObjectNode):
        problems.add(root.place, "mapping.not_fields", word="hospital")
        return []
    for key, _ in root.entries:
        if key.value not in _TOP:
            problems.add(
                key.place, "mapping.no_top", word=key.value, nearest=closest_choices(str(key.value), _TOP)
            )
    hospital, listed = root.get("hospital"), root.get("overlays")
    if not isinstance(hospital, ScalarNode) or hospital.value != path.stem:
        place = hospital.place if hospital else root.place
        problems.add(place, "mapping.overlay_name", word=path.stem)
    if not isinstance(listed, ObjectNode):
        problems.add(listed.place if listed else root.place, "mapping.no_top_word", word="overlays")
        return []
    found = (
        _overlay(path.stem, key, fragments.expand(tree), variants, problems) for key, tree in listed.entries
    )
    return [one for one in found if one is not None]


def _overlay(
    hospital: str, key: ScalarNode, tree: Node, variants: MappingVariants, problems: MappingProblems
) -> Overlay | None:
    type_, _, written = str(key.value).partition(" ")
    name = written.strip() or None
    if type_ not in variants.types:
        close = closest_choices(type_, variants.types)
        problems.add(key.place, "mapping.no_overlaid", word=type_, nearest=close)
        return None
    try:
        return Overlay(hospital, type_, variants.one(type_, name), tree)
    except LookupError:
        close = closest_choices(name or "", variants.names(type_))
        problems.add(key.place, "mapping.no_variant", word=name or type_, type=type_, nearest=close)
        return None
