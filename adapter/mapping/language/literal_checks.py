"""Checks a literal of a mapping against the element that it stands in: JSON type, format, code."""

from adapter.fhir.definitions.types import Element
from adapter.fhir.validation.primitives import PRIMITIVES
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.language.source_tree import MappingProblems, ScalarNode

__all__ = ["check_literal"]


def check_literal(node: ScalarNode, element: Element, problems: MappingProblems) -> None:
    """Add what is wrong with a literal in an element of a primitive type."""
    value, name = node.value, element.name
    if value is None:
        return
    is_right = PRIMITIVES[element.primitive][0] if element.primitive in PRIMITIVES else bool
    if not is_right(value):
        word = str(value).lower() if isinstance(value, bool) else value  # as YAML writes it
        problems.add(node.place, "mapping.bad_literal", word=word, element=name, type=element.primitive)
    elif element.codes is not None and value not in element.codes:
        close = closest_choices(str(value), element.codes)
        problems.add(node.place, "mapping.no_code", word=value, element=name, nearest=close)
