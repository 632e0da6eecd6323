"""`adapter audit`: who did what to whose data, and whether that can be relied on."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import LOCAL, emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.audit_log import AuditHeadReport, AuditPage

__all__ = ["register"]

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    audit = CommandLine(help=say("audit.help"), no_args_is_help=True)
    audit.command("show", help=say("audit.help_show"))(show)
    audit.command("verify", help=say("audit.help_verify"))(verify)
    audit.command("head", help=say("audit.help_head"))(head)
    app.add_typer(audit, name="audit")


def show(  # noqa: PLR0917 - Typer passes them by name
    context: typer.Context,
    who: Annotated[str | None, typer.Option("--who", help=say("audit.help_who"))] = None,
    action: Annotated[str | None, typer.Option("--action", help=say("audit.help_action"))] = None,
    hospital: Annotated[str | None, typer.Option("--hospital", help=say("audit.help_hospital"))] = None,
    cadre: Annotated[str | None, typer.Option("--cadre", help=say("audit.help_cadre"))] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=_FORMATS, help=say("audit.help_since"))
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_FORMATS, help=say("audit.help_until"))
    ] = None,
    before: Annotated[int | None, typer.Option("--before", min=1, help=say("audit.help_before"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help=say("audit.help_limit"))] = 50,
    as_json: AsJson = False,
) -> None:
    """Rows of the audit, newest first."""
    from adapter.insights.audit_log import AuditFilter

    with open_adapter(context) as adapter:
        looking = insights(adapter)
        wanted = AuditFilter(
            who,
            action,
            hospital,
            looking.audit_subjects(cadre) if cadre else (),
            _local(since),
            _local(until),
        )
        page = looking.audit_page(wanted, before=before, limit=limit)
    emit(page, as_json, lambda out: _draw_page(out, page))


def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Read the whole chain and compare every hash."""
    with open_adapter(context) as adapter:
        looking = insights(adapter)
        chain, at = looking.audit_chain(), looking.audit_head()
    well = chain.broken is None and not at.trouble and not chain.without_key
    facts = {"holds": well, "chain": chain, "head": at}

    def draw(out: "Console") -> None:
        if chain.broken is None:
            out.print(say("audit.holds", rows=chain.rows))
        else:
            out.print(say("audit.broken", row=chain.broken))
        if chain.rows and chain.keyed_from is None:
            out.print(say("audit.not_keyed"))
        elif (chain.keyed_from or 1) > 1:
            out.print(say("audit.keyed_from", row=chain.keyed_from))
        if chain.without_key:
            out.print(say("audit.key_missing"))
        _draw_trouble(out, at)

    emit(facts, as_json, draw)
    raise typer.Exit(0 if well else 1)


def head(
    context: typer.Context,
    at_row: Annotated[int | None, typer.Option("--at", min=1, help=say("audit.help_at"))] = None,
    accept: Annotated[bool, typer.Option("--accept", help=say("audit.help_accept"))] = False,
    as_json: AsJson = False,
) -> None:
    """The newest row, and whether the audit leads to what is remembered."""
    from adapter.operations.audit_head import AcceptAuditHead

    with open_adapter(context) as adapter:
        if at_row is not None:
            found = insights(adapter).audit_hash(at_row)
            words = say("audit.head", seq=at_row, hash=found) if found else say("audit.none")
            emit({"seq": at_row, "hash": found}, as_json, lambda out: out.print(words))
            return
        at = AcceptAuditHead().perform(operating(adapter)) if accept else insights(adapter).audit_head()

    def draw(out: "Console") -> None:
        out.print(say("audit.head", seq=at.seq, hash=at.hash))
        if at.remembered is not None:
            out.print(say("audit.remembered", seq=at.remembered))
        _draw_trouble(out, at)

    emit(at, as_json, draw)
    raise typer.Exit(1 if at.trouble else 0)


def _local(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=LOCAL) if at else None


def _draw_trouble(out: "Console", at: "AuditHeadReport") -> None:
    if at.trouble:
        out.print(say(f"audit.trouble_{at.trouble}", seq=at.seq, remembered=at.remembered or "-"))


def _draw_page(out: "Console", page: "AuditPage") -> None:
    import orjson

    if not page.rows:
        out.print(say("audit.none"))
        return
    headers = [
        say(f"audit.col_{word}") for word in ("seq", "at", "who", "what", "hospital", "whose", "details")
    ]
    lines = (
        (
            one.seq,
            moment(one.at),
            one.actor,
            one.action,
            one.hospital or "-",
            one.subject or "-",
            orjson.dumps(one.details).decode() if one.details else "-",
        )
        for one in page.rows
    )
    out.print(rows(table(*headers, numbers=(0,)), lines))
    if page.older is not None:
        out.print(say("audit.older", before=page.older))
