"""`adapter inbox never`, `remembered`, `forget`: what a person says of hospitals' patients beside linking."""

from typing import Annotated

import typer

from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

__all__ = ["inbox_forget", "inbox_never", "inbox_remembered"]


def inbox_never(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    cadre: Annotated[str, typer.Argument(metavar="CADRE", help=say("cli.help_cadre"))],
    undo: Annotated[bool, typer.Option("--undo", help=say("inbox.help_never_undo"))] = False,
    as_json: AsJson = False,
) -> None:
    """Say that an item is never that person's."""
    from adapter.operations.rulings import AllowPerson, RuleOutPerson

    with open_adapter(context) as adapter:
        (AllowPerson if undo else RuleOutPerson)(item, cadre).perform(operating(adapter))
    text = "inbox.never_undone" if undo else "inbox.never_said"
    facts = {"item": item, "cadre": cadre, "never": not undo}
    emit(facts, as_json, lambda out: out.print(say(text, item=item, cadre=cadre)))


def inbox_remembered(context: typer.Context, as_json: AsJson = False) -> None:
    """What people said of hospitals' patients."""
    with open_adapter(context) as adapter:
        found = insights(adapter).rulings()
    headers = [
        *(say("cli.col_id"), say("cli.col_hospital"), say("inbox.col_cadre"), say("inbox.col_ruling")),
        *(say("inbox.col_item"), say("inbox.col_at"), say("inbox.col_by")),
    ]
    lines = (
        (
            one.id,
            one.hospital,
            one.cadre,
            say("inbox.ruling_never" if one.is_never else "inbox.ruling_same"),
            one.item,
            moment(one.ruled_at),
            one.ruled_by,
        )
        for one in found
    )
    emit(
        {"rulings": found},
        as_json,
        lambda out: out.print(
            rows(table(*headers, numbers=(0, 4)), lines) if found else say("inbox.no_rulings")
        ),
    )


def inbox_forget(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="N", help=say("inbox.help_ruling"))],
    as_json: AsJson = False,
) -> None:
    """Take back one thing that was said."""
    from adapter.operations.rulings import ForgetRuling

    with open_adapter(context) as adapter:
        ForgetRuling(number).perform(operating(adapter))
    emit({"number": number}, as_json, lambda out: out.print(say("inbox.ruling_forgotten", number=number)))
