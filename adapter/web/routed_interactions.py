"""What a server's routes do: the CapabilityStatement and `Allow` say what is routed, and nothing else."""

from collections.abc import Sequence
from typing import Final

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from adapter.errors import FhirError
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.resource_types import RESOURCE_TYPES

__all__ = ["NO_INTERACTION", "RoutedInteractions"]

NO_INTERACTION: Final = "no-interaction"  # the name of routes that only say that there is nothing
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class RoutedInteractions:
    """The routes of one server, each named by the interaction that it is (the codes of R4, or an operation).
    `deletes`: whether its policy allows deleting of
    the types that any route is of; `apart` are types that have all their routes to themselves.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        prefix: str,
        *,
        deletes: bool,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        self._routes = routes  # as they will be, when all are there
        self._prefix = prefix
        self._deletes = deletes
        self._apart = apart

    def names(self) -> frozenset[str]:
        """What can be asked for."""
        return frozenset(
            route.name
            for route in self._routes
            if isinstance(route, APIRoute) and self._methods(route) and route.name != NO_INTERACTION
        )

    def refusal(self, path: str) -> FhirError:
        """Why there is nothing at this path for the method that was asked: 405 where another method would do,
        404 elsewhere.
        """
        segments = [segment for segment in path.split("/") if segment]
        found: set[str] = set()
        for route in self._routes:
            if isinstance(route, APIRoute) and route.name != NO_INTERACTION:
                pattern = [one for one in route.path.removeprefix(self._prefix).split("/") if one]
                found |= self._methods(route) if self._fits(pattern, segments) else set()
        if found:
            allowed = ", ".join(method for method in _METHODS if method in found)
            return interaction_error(405, "not-supported", "method_not_allowed", allow=allowed)
        known = not segments or segments[0] in RESOURCE_TYPES
        return interaction_error(404, "not-supported", "no_interaction" if known else "no_such_path")

    def _methods(self, route: APIRoute) -> set[str]:
        allows = self._deletes or "{kind}" not in route.path
        return {method for method in route.methods or () if allows or method != "DELETE"}

    def _fits(self, pattern: Sequence[str], segments: Sequence[str]) -> bool:
        if len(pattern) != len(segments):
            return False
        pairs = zip(pattern, segments, strict=True)
        return all(
            asked in RESOURCE_TYPES - self._apart
            if one == "{kind}"
            else asked[0] not in "_$"
            if one[0] == "{"
            else one == asked
            for one, asked in pairs
        )
