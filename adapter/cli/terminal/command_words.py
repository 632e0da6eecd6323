"""Typer's own words in the language in use: help pages, what is wrong with a command's words, questions.

`CommandLine` stands for `typer.Typer`: its commands and groups write their help pages from `usage.toml`. What
Typer refuses is raised to `adapter.cli.main`, which has it said by `complaint`.
"""

import difflib
import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from adapter.errors import UsageError
from adapter.texts import printable, say, write_line

__all__ = ["CLICK_REFUSAL", "Command", "CommandLine", "Group", "ask", "complaint"]

_CLICK_USAGE: Any = typer.BadParameter.__base__  # Typer has Click's exceptions in a private place
CLICK_REFUSAL: Any = _CLICK_USAGE.__base__
_LARGEST = 2**63 - 1  # that a database holds
_PLAIN = (
    (re.compile(r"unexpected extra argument(?:s|\(s\))? \((.*)\)", re.DOTALL), "usage.extra"),
    (re.compile(r"^Missing command"), "usage.missing_command"),
)


class _InWords:
    """What a command and a group have in common. A context is of Typer's own copy of Click, which has no
    public name.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises BadParameter for a whole number that no database can hold: nothing has it."""
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]  # of the class it is mixed into
        for parameter in self.params:  # type: ignore[attr-defined]  # as above
            given = ctx.params.get(parameter.name)
            if isinstance(given, int) and abs(given) > _LARGEST:
                raise typer.BadParameter(say("usage.too_large"), ctx=ctx, param=parameter)
        return rest

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, explained."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # of the class it is mixed into
        if option is not None:
            option.help = say("usage.help")
        return option

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The first line of the help page."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]  # as above
        formatter.write_usage(_path(ctx), " ".join(pieces), prefix=say("usage.usage"))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The whole page."""
        from typer import rich_utils

        rich_utils.ARGUMENTS_PANEL_TITLE = say("usage.arguments")
        rich_utils.OPTIONS_PANEL_TITLE = say("usage.options")
        rich_utils.COMMANDS_PANEL_TITLE = say("usage.commands")
        rich_utils.DEFAULT_STRING = f"[{say('usage.default', value='{}')}]"
        rich_utils.ENVVAR_STRING = f"[{say('usage.variable', name='{}')}]"
        rich_utils.REQUIRED_LONG_STRING = f"[{say('usage.required')}]"
        super().format_help(ctx, formatter)  # type: ignore[misc]  # as above


class Command(_InWords, TyperCommand):
    """One command."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.options_metavar = say("usage.some_options")


class Group(_InWords, TyperGroup):
    """Commands below a common name."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.options_metavar = say("usage.some_options")
        self.subcommand_metavar = say("usage.some_command")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Raises UsageError with the nearest names for a command that there is not."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = [one for one, command in self.commands.items() if not command.hidden]
            near = difflib.get_close_matches(name, known)
            text = "usage.no_command_near" if near else "usage.no_command"
            raise UsageError(text, name=name, known=", ".join(near or known), path=_path(ctx))
        return super().resolve_command(ctx, args)


class CommandLine(typer.Typer):
    """A Typer that speaks the language in use."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cls": Group, **options})

    def command(self, name: str | None = None, **options: Any) -> Any:
        """As Typer's."""
        return super().command(name, **{"cls": Command, **options})


def complaint(error: Any) -> tuple[str, ...]:
    """What Typer refused, in words: what is wrong, and where it is said how the command goes. Nothing where
    its message is the help page, which has been shown.
    """
    kind, context = type(error).__name__, getattr(error, "ctx", None)
    if kind == "NoArgsIsHelpError":
        return ()
    said = say("cli.error", problem=_problem(kind, error))
    if context is None:
        return (said,)
    return said, "  " + say("usage.see_help", path=_path(context))


def _problem(kind: str, error: Any) -> str:
    name = _name(getattr(error, "param", None))
    if kind == "MissingParameter":
        return say("usage.missing", name=name)
    if kind == "NoSuchOption":
        near = sorted(error.possibilities or ())
        text = "usage.no_option_near" if near else "usage.no_option"
        return say(text, name=error.option_name, near=", ".join(near))
    if kind == "BadOptionUsage":
        takes_none = "does not take" in error.message
        return say("usage.takes_nothing" if takes_none else "usage.takes_something", name=error.option_name)
    if kind == "BadParameter":
        return say("usage.bad_value", name=name, problem=_bad_value(error))
    for pattern, text in _PLAIN:
        if found := pattern.search(error.message):
            return say(text, words=" ".join(found.groups()))
    return printable(error.format_message())


def _bad_value(error: Any) -> str:
    listed = getattr(error.__cause__, "errors", None)  # of pydantic, which reads the words of a command
    if "%Y-%m-%d" in str(error.__cause__ or error.message):  # Typer's own words for a day it cannot read
        return say("usage.bad_date")
    if listed is None:
        return printable(error.message)
    from adapter.invalid_entries import describe_invalid_entry

    return describe_invalid_entry(listed()[0])


def _name(parameter: Any) -> str:
    """How a person writes it: an option with its dashes, an argument as the help page has it."""
    if parameter is None:
        return ""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).upper()


def _path(context: Any) -> str:
    return " ".join(context.command_path.split())  # a command that is said without its name leaves a gap


def ask(question: str) -> bool:
    """Ask whoever is at the terminal; no answer, and the end of the input, mean no."""
    yes, no = (set(say(f"usage.{word}").split()) for word in ("yes", "no"))
    while True:
        sys.stderr.flush()
        write_line(f"{question} [{say('usage.choice')}]: ", end="")
        answer = sys.stdin.readline().strip().lower()
        if answer in yes:
            return True
        if not answer or answer in no:
            return False
        write_line(say("usage.not_understood"))
