"""The command `adapter`: its general options and where each command lives."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import Choices
from adapter.cli.terminal.deferred_commands import CommandPlace, deferred_group
from adapter.texts import say, write_line

__all__ = ["COMMANDS", "app"]

COMMANDS = {  # in the order in which `adapter --help` lists them
    "init": CommandPlace("adapter.cli.commands.setup", "cli.help_init"),
    "template": CommandPlace("adapter.cli.commands.setup", "cli.help_template"),
    "sample": CommandPlace("adapter.cli.commands.setup", "cli.help_sample"),
    "demo": CommandPlace("adapter.cli.commands.setup", "cli.help_demo"),
    "doctor": CommandPlace("adapter.cli.commands.doctor", "doctor.help"),
    "plan": CommandPlace("adapter.cli.commands.plan", "cli.help_plan"),
    "sync": CommandPlace("adapter.cli.commands.sync", "cli.help_sync"),
    "poll": CommandPlace("adapter.cli.commands.poll", "poll.help"),
    "schedule": CommandPlace("adapter.cli.commands.services", "cli.help_schedule"),
    "worker": CommandPlace("adapter.cli.commands.services", "worker.help"),
    "serve": CommandPlace("adapter.cli.commands.services", "cli.help_serve"),
    "console": CommandPlace("adapter.cli.commands.services", "console.help"),
    "staff": CommandPlace("adapter.cli.commands.staff", "staff.help"),
    "sandbox": CommandPlace("adapter.cli.commands.services", "cli.help_sandbox"),
    "parked": CommandPlace("adapter.cli.commands.parked", "release.help_parked"),
    "release": CommandPlace("adapter.cli.commands.parked", "release.help_release"),
    "status": CommandPlace("adapter.cli.commands.status", "cli.help_status"),
    "report": CommandPlace("adapter.cli.commands.report", "cli.help_report"),
    "alarm": CommandPlace("adapter.cli.commands.problems", "alarm.help"),
    "explain": CommandPlace("adapter.cli.commands.explain", "cli.help_explain"),
    "export": CommandPlace("adapter.cli.commands.export", "export.help"),
    "reconcile": CommandPlace("adapter.cli.commands.reconcile", "reconcile.help"),
    "validate": CommandPlace("adapter.cli.commands.validate", "validate.help"),
    "backup": CommandPlace("adapter.cli.commands.backup", "backup.help"),
    "restore": CommandPlace("adapter.cli.commands.backup", "backup.help_restore"),
    "import": CommandPlace("adapter.cli.commands.import_records", "cli.help_import"),
    "imports": CommandPlace("adapter.cli.commands.imports", "imports.help"),
    "source": CommandPlace("adapter.cli.commands.source", "source.help_group"),
    "mapping": CommandPlace("adapter.cli.commands.mapping", "cli.help_mapping"),
    "terminology": CommandPlace("adapter.cli.commands.terminology", "terms.help"),
    "inbox": CommandPlace("adapter.cli.commands.inbox", "cli.help_inbox"),
    "referral": CommandPlace("adapter.cli.commands.referral", "referral.help"),
    "result": CommandPlace("adapter.cli.commands.result", "result.help"),
    "hospital": CommandPlace("adapter.cli.commands.hospital", "cli.help_hospital"),
    "cadre": CommandPlace("adapter.cli.commands.cadre", "merge.help"),
    "audit": CommandPlace("adapter.cli.commands.audit", "audit.help"),
    "identity-key": CommandPlace("adapter.cli.commands.identity_key", "identity.help"),
}

app = CommandLine(
    cls=deferred_group(COMMANDS),
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
