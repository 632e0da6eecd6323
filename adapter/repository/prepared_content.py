"""What is made of a resource before its transaction begins, so that nobody waits for it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.fhir.codec import Resource
from adapter.repository.reference_rewriting import reference_links, rewritable_texts
from adapter.repository.search_extraction import IndexRow, RangeRow
from adapter.repository.search_index import index_rows
from adapter.repository.stored_content import ResourceContent

__all__ = ["FactsOf", "PreparedContent", "prepare_content"]

FactsOf = Callable[[Resource, ResourceContent], Any]
"""What whoever is told of the new version wants to know of it, made before it is written."""


@dataclass(frozen=True, slots=True)
class PreparedContent:
    """Of `resource`, as long as no reference in it turns out to lead elsewhere: its content, and what it is
    found by. What the server sets is found by nothing. `links` are its references, as `reference_links` has
    them; `texts` is what may turn out to lead elsewhere.
    """

    resource: Resource
    content: ResourceContent
    index: frozenset[IndexRow | RangeRow]
    links: tuple[tuple[str, str], ...]
    texts: frozenset[str] | None  # None: not looked for, since nothing came beside it
    facts: Any

    def leads_nowhere_else(self, known: Mapping[str, str]) -> bool:
        """Whether it is sure that `rewrite_references` would change nothing."""
        return not known or (self.texts is not None and known.keys().isdisjoint(self.texts))


def prepare_content(
    resource: Resource,
    base: str | None,
    *,
    full_url: str | None = None,
    is_alone: bool = True,
    facts_of: FactsOf | None = None,
) -> PreparedContent:
    """`base` is the server's own URL; `is_alone`: nothing comes beside it. Raises TypeError for what JSON
    cannot hold.
    """
    content = ResourceContent.of(resource)
    return PreparedContent(
        resource,
        content,
        frozenset(index_rows(resource, base)),
        tuple(reference_links(resource)),
        None if is_alone else frozenset(rewritable_texts(resource, full_url)),
        facts_of(resource, content) if facts_of else None,
    )
