"""What an expression may name, and what checking it found: frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapter.mapping.language.expression_types import ExpressionType

__all__ = ["CheckedExpression", "ExpressionScope", "MappingVariants"]


class MappingVariants:
    """Which mappings make a resource type: by type and name (None for the unnamed)."""

    def __init__(self, made: Iterable[tuple[str, str | None]]) -> None:
        self._names: dict[str, set[str | None]] = {}
        for type_, name in made:
            self._names.setdefault(type_, set()).add(name)

    @property
    def types(self) -> frozenset[str]:
        """Every type that a mapping makes."""
        return frozenset(self._names)

    def names(self, type_: str) -> frozenset[str]:
        """The names of the named mappings of a type."""
        return frozenset(name for name in self._names.get(type_, ()) if name)

    def one(self, type_: str, name: str | None) -> str | None:
        """The name of the mapping that `type_` and `name` mean: without a name the unnamed one, or the
        only one. Raises LookupError where they mean none, or more than one.
        """
        names = self._names[type_]
        if name in names:
            return name
        if name is None and len(names) == 1:
            return next(iter(names))
        raise LookupError(type_)


@dataclass(frozen=True, slots=True)
class ExpressionScope:
    """What an expression may name beside the globals: `m` of one kind, and the variables of `$each`."""

    kind: str
    variables: tuple[tuple[str, ExpressionType], ...] = ()

    def with_variable(self, name: str, shape: ExpressionType) -> "ExpressionScope":
        """The scope inside a `$each` that names its item `name`."""
        others = tuple(known for known in self.variables if known[0] != name)
        return replace(self, variables=(*others, (name, shape)))


@dataclass(frozen=True, slots=True)
class CheckedExpression:
    """An expression without mistakes: what it gives, the fields it reads, the types it refers to.
    `is_worth_caching`: it reads nothing but fields of its own record that many records have alike.
    """

    source: str
    shape: ExpressionType
    reads: frozenset[str]
    references: frozenset[str]
    is_worth_caching: bool = False
