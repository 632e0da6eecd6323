"""Commands whose modules are imported when they are asked for.

In: the table of `adapter.cli.app`. Out: Typer's commands, one at a time; the page that lists them all is
written from the table alone, so that `adapter --help` and the start of each command stay quick.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer.main

from adapter.cli.terminal.command_words import Command, CommandLine, Group
from adapter.texts import say

__all__ = ["CommandPlace", "deferred_group"]


@dataclass(frozen=True)
class CommandPlace:
    """Where a command, or a group of them, is made."""

    module: str  # whose `register` adds it to a CommandLine
    help: str  # key of the text of its line in the list of commands


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each made by its module when it is looked up."""

    def __init__(self, places: Mapping[str, CommandPlace]) -> None:
        self._places = dict(places)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            app = CommandLine(rich_markup_mode="rich")
            import_module(self._places[name].module).register(app)
            self._made |= typer.main.get_group(app).commands
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(name)  # the table has them all

    def __delitem__(self, name: str) -> None:
        raise TypeError(name)  # the table has them all


def deferred_group(places: Mapping[str, CommandPlace]) -> type[Group]:
    """The class of a group that has these commands, in this order."""

    class Deferred(Group):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.commands = _Commands(places)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            commands = self.commands
            self.commands = {name: Command(name, help=say(place.help)) for name, place in places.items()}
            try:
                super().format_help(ctx, formatter)
            finally:
                self.commands = commands

    return Deferred
