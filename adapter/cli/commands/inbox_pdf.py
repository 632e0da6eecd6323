"""`adapter inbox add-pdf`: a PDF that a hospital sent by mail or on paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.document_words import remark_words, signature_words
from adapter.cli.commands.inbox_item import reasons_in_words
from adapter.cli.terminal.context import AsJson, open_adapter, operating
from adapter.cli.terminal.output import emit
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.operations.pdf_documents import AddedPdf, SeenPdf

__all__ = ["inbox_add_pdf"]


def inbox_add_pdf(
    context: typer.Context,
    hospital: Annotated[str, typer.Argument(metavar="HOSPITAL", help=say("pdf.help_hospital"))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("pdf.help_file"))],
    *,
    referral: Annotated[str | None, typer.Option("--referral", help=say("pdf.help_referral"))] = None,
    final: Annotated[bool, typer.Option("--final", help=say("pdf.help_final"))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("pdf.help_dry_run"))] = False,
    as_json: AsJson = False,
) -> None:
    """Take in a PDF of a hospital."""
    from adapter.errors import UsageError
    from adapter.operations.pdf_documents import AddPdf
    from adapter.pdf.limits import LONGEST_PDF

    try:
        with file.open("rb") as stream:
            data = stream.read(LONGEST_PDF + 1)
    except OSError as error:
        raise UsageError("pdf.no_file", problem=error.strerror or "-") from None
    with open_adapter(context) as adapter:
        operation = AddPdf(hospital, data, referral, final)
        if dry_run:
            seen = operation.preview(operating(adapter)).shown
            emit({"done": False, "pdf": seen}, as_json, lambda out: _draw_look(out, seen))
            return
        added = operation.perform(operating(adapter))
    emit({"done": True, "pdf": added}, as_json, lambda out: _draw_added(out, added))


def _draw_look(out: "Console", seen: "SeenPdf") -> None:
    out.print(say(f"pdf.by_{seen.by}", count=len(seen.referrals)))
    _draw_facts(out, seen)


def _draw_added(out: "Console", added: "AddedPdf") -> None:
    out.print(say("pdf.taken" if added.is_new else "pdf.known", hospital=added.hospital))
    if added.is_new:
        _draw_facts(out, added)
    if added.item is None:
        return
    out.print(say("pdf.item", item=added.item, state=say(f"cli.state_{added.state}")))
    if added.cadre:
        out.print(say("pdf.whose", cadre=added.cadre, referral=added.referral or "-"))
    elif added.reasons:
        out.print(say("pdf.waits", why=reasons_in_words(added.reasons), item=added.item))


def _draw_facts(out: "Console", found: "SeenPdf | AddedPdf") -> None:
    facts = found.facts
    if facts.pages:
        out.print(say("pdf.pages", count=facts.pages))
    for line in (*remark_words(facts.remarks), *map(signature_words, facts.signatures)):
        out.print(line)
