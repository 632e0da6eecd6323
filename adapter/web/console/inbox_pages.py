"""Pages: results that found nobody are linked."""

from collections.abc import Sequence

from adapter.web.console.visit import ConsoleRoute

__all__ = ["ROUTES"]

ROUTES: Sequence[ConsoleRoute] = ()
