"""Pages: what keeps the adapter running, and the audit."""

from collections.abc import Sequence

from adapter.web.console.visit import ConsoleRoute

__all__ = ["ROUTES"]

ROUTES: Sequence[ConsoleRoute] = ()
