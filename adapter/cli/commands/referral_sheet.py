"""`adapter referral sheet`: a referral on paper."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal.context import AsJson, open_adapter, operating
from adapter.cli.terminal.output import emit
from adapter.texts import LANGUAGES, say

__all__ = ["sheet"]


def sheet(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help=say("referral.help_key"))],
    out: Annotated[Path | None, typer.Option("--out", help=say("sheet.help_out"))] = None,
    language: Annotated[str, typer.Option("--language", help=say("sheet.help_language"))] = "vi",
    as_json: AsJson = False,
) -> None:
    """A referral's sheet as PDF."""
    from adapter.errors import UsageError
    from adapter.operations.referral_sheet import PrintReferral

    if language not in LANGUAGES:
        raise UsageError("sheet.unknown_language", language=language)
    if out is None and (as_json or sys.stdout.isatty()):
        raise UsageError("sheet.no_terminal")
    if out is not None and out.exists():
        raise UsageError("sheet.there", path=out)
    with open_adapter(context) as adapter:
        made = PrintReferral(key, language).perform(operating(adapter))
    if out is None:
        sys.stdout.buffer.write(made)
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(made)
    emit(
        {"referral": key, "file": str(out), "bytes": len(made)},
        as_json,
        lambda console: console.print(say("sheet.written", path=out)),
    )
