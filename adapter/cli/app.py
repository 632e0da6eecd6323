"""The command `adapter`: its general options and where each command lives."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.commands import (
    audit,
    backup,
    cadre,
    doctor,
    explain,
    export,
    hospital,
    identity_key,
    import_records,
    imports,
    inbox,
    mapping,
    parked,
    plan,
    problems,
    reconcile,
    services,
    setup,
    source,
    status,
    sync,
    terminology,
    validate,
)
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import Choices
from adapter.texts import say, write_line

__all__ = ["app"]

app = CommandLine(
    help=say("cli.help"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback must never show local variables: they hold people
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from adapter import __version__

        write_line(f"adapter {__version__}")
        raise typer.Exit


@app.callback()
def _general(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", envvar="ADAPTER_CONFIG", help=say("cli.help_config"))
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", envvar="ADAPTER_LANG", metavar="vi|en", help=say("cli.help_lang"))
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help=say("cli.help_debug"))] = False,
    version: Annotated[  # noqa: ARG001 - its callback has done all
        bool, typer.Option("--version", callback=_version, is_eager=True, help=say("cli.help_version"))
    ] = False,
) -> None:
    from adapter.errors import UsageError
    from adapter.texts import LANGUAGES

    if lang is not None and lang not in LANGUAGES:
        raise UsageError("cli.unknown_language", lang=lang)
    context.obj = Choices(config=config, lang=lang, debug=debug)


for module in (
    setup,
    import_records,
    imports,
    source,
    mapping,
    terminology,
    doctor,
    plan,
    sync,
    services,
    parked,
    status,
    problems,
    explain,
    inbox,
    export,
    hospital,
    cadre,
    reconcile,
    validate,
    backup,
    audit,
    identity_key,
):
    module.register(app)
