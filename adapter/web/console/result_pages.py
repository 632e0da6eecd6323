"""Pages: results are read and acknowledged."""

from collections.abc import Sequence

from adapter.web.console.visit import ConsoleRoute

__all__ = ["ROUTES"]

ROUTES: Sequence[ConsoleRoute] = ()
