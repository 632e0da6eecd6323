"""A command of files that has commands of its own: `adapter import year.xlsx`, `adapter import held`."""

from typing import Any, ClassVar

from adapter.cli.terminal.command_words import Group

__all__ = ["FilesOrCommand"]


class FilesOrCommand(Group):
    """What does not begin with the name of one of its commands is for the command `files`. A context is
    of Typer's own copy of Click, which has no public name.
    """

    files: ClassVar[str] = "files"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """A file that bears a command's name is said as ./NAME."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [self.files, *args])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Nothing: the command `files` says what it takes."""
        return []

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command `files` says its usage as if it had no name."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == self.files else name), command, rest
