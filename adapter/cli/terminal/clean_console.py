"""A console on which nothing that is shown moves the terminal: only Rich's own signs reach it."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from adapter.texts import printable

__all__ = ["CleanConsole"]


class CleanConsole(Console):
    """Whatever is printed on it passes `printable`, in tables too."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See Console."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
