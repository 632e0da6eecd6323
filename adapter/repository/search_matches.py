"""What a search asks of a resource, as values (http://hl7.org/fhir/R4/search.html). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adapter.repository.search_values import RangeMatch

__all__ = [
    "ChainMatch",
    "Criterion",
    "HasMatch",
    "IdMatch",
    "Match",
    "MissingMatch",
    "PairMatch",
    "ReferenceMatch",
    "TextMatch",
    "TokenCriterion",
    "UpdatedMatch",
    "UriMatch",
    "count_values",
    "types_within",
]


@dataclass(frozen=True, slots=True)
class TokenCriterion:
    """One token to match; None matches any system, or any value."""

    system: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A folded string, and how a stored one must compare; `exact` also in case and accents (`written`)."""

    text: str
    how: Literal["begins", "contains", "exact"]
    written: str = ""


@dataclass(frozen=True, slots=True)
class UriMatch:
    """A URI, or what is below or above it, segment by segment."""

    uri: str
    how: Literal["exact", "below", "above"] = "exact"


@dataclass(frozen=True, slots=True)
class ReferenceMatch:
    """A reference as it is stored: `Type/id` here, or a URL."""

    reference: str


@dataclass(frozen=True, slots=True)
class IdMatch:
    """The id of a resource."""

    id: str


@dataclass(frozen=True, slots=True)
class UpdatedMatch:
    """When a resource was last updated."""

    span: RangeMatch


@dataclass(frozen=True, slots=True)
class MissingMatch:
    """Nothing is there at all; `targets`: nothing that leads to one of these types."""

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainMatch:
    """A reference to a resource of `type` that fits the criterion."""

    type: str
    criterion: "Criterion"


@dataclass(frozen=True, slots=True)
class HasMatch:
    """A resource of `type` refers here, by one of `names`, and fits the criterion."""

    type: str
    names: tuple[str, ...]
    criterion: "Criterion"


@dataclass(frozen=True, slots=True)
class PairMatch:
    """Both hold of the resource."""

    first: "Criterion"
    second: "Criterion"


Match = (
    TokenCriterion | TextMatch | UriMatch | ReferenceMatch | RangeMatch | IdMatch | UpdatedMatch
    | MissingMatch | ChainMatch | HasMatch | PairMatch
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of the `matches` holds of what is indexed under one of the `names`; negated: none does."""

    names: tuple[str, ...]
    matches: tuple[Match, ...]
    is_negated: bool = False


def count_values(criterion: Criterion) -> int:
    """How many values a criterion asks for, those within counted."""
    return len(criterion.matches) + sum(map(count_values, _within(criterion)))


def types_within(criterion: Criterion) -> frozenset[str]:
    """The types of other resources that a criterion asks something of."""
    mine = frozenset(match.type for match in criterion.matches if isinstance(match, ChainMatch | HasMatch))
    return mine.union(*map(types_within, _within(criterion)))


def _within(criterion: Criterion) -> Iterator[Criterion]:
    for match in criterion.matches:
        if isinstance(match, PairMatch):
            yield match.first
            yield match.second
        elif isinstance(match, ChainMatch | HasMatch):
            yield match.criterion
