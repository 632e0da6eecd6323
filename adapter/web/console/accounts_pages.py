"""Pages: the account of one's own, and those of all."""

from collections.abc import Sequence

from adapter.web.console.visit import ConsoleRoute

__all__ = ["ROUTES"]

ROUTES: Sequence[ConsoleRoute] = ()
