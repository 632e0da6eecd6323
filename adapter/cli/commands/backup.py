"""`adapter backup`, `restore`: a copy of the database, and whether one can be put back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, open_adapter, operating, settings_of
from adapter.cli.terminal.output import emit, moment, number
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.backup_report import BackupReport

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("backup", help=say("backup.help"))(backup)
    app.command("restore", help=say("backup.help_restore"))(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("backup.help_file"))],
    as_json: AsJson = False,
) -> None:
    """Copy the database while all goes on."""
    from adapter.operations.backup import MakeBackup

    with open_adapter(context) as adapter:
        made = MakeBackup(file).perform(operating(adapter))
    facts = {"path": made.file, "kilobytes": number(made.bytes // 1000), "key": made.identity_key}
    emit(made, as_json, lambda out: out.print(say("backup.done", **facts)))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("backup.help_file"))],
    check: Annotated[bool, typer.Option("--check", help=say("backup.help_check"))] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a backup can be put back; nothing is written."""
    from adapter.errors import UsageError
    from adapter.insights.backup_report import report_backup

    if not check:
        raise UsageError("backup.by_hand")
    found = report_backup(settings_of(context, optional=True), file)
    emit(found, as_json, lambda out: _draw(out, found))
    raise typer.Exit(1 if found.problems else 0)


def _draw(out: "Console", found: "BackupReport") -> None:
    out.print(say("backup.is", path=found.file, system=found.system, schema=found.schema or "-"))
    for name, count in found.counts.items():
        out.print(f"  {say(f'backup.count_{name}')}: {number(count)}")
    if found.last_written:
        out.print(say("backup.last_written", at=moment(found.last_written)))
    fits = {True: "key_fits", False: "key_does_not_fit", None: "key_unknown"}[found.key_fits]
    out.print(say(f"backup.{fits}"))
    for words in found.words:
        out.print(f"!! {words}")
    if found.untried and found.untried != "refused":
        out.print(say("backup.untried", why=say(f"backup.untried_{found.untried}")))
    elif not found.problems:
        out.print(say("backup.good"))
