"""What is made of a resource before its transaction begins, so that nobody waits for it. Pure."""

from dataclasses import dataclass

from adapter.fhir.codec import Resource
from adapter.repository.search_extraction import IndexRow, RangeRow
from adapter.repository.search_index import index_rows
from adapter.repository.stored_content import ResourceContent

__all__ = ["PreparedContent", "prepare_content"]


@dataclass(frozen=True, slots=True)
class PreparedContent:
    """Of `resource`, as long as no reference in it turns out to lead elsewhere: its content, and what it is
    found by. What the server sets is found by nothing.
    """

    resource: Resource
    content: ResourceContent
    index: frozenset[IndexRow | RangeRow]


def prepare_content(resource: Resource, base: str | None) -> PreparedContent:
    """`base` is the server's own URL. Raises TypeError for what JSON cannot hold."""
    return PreparedContent(resource, ResourceContent.of(resource), frozenset(index_rows(resource, base)))
