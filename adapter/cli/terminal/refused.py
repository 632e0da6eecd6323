"""Prints what a hospital refused, and what is not valid to go, as a sentence about the local record."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adapter.cli.terminal.context import insights
from adapter.cli.terminal.output import console, pages
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.cli.terminal.context import Adapter
    from adapter.insights.refusals import RefusedResource, SourceCell

__all__ = ["draw_refused", "sentence", "waiting_at"]

_SHOWN = 5  # of each hospital; `explain` says more of one record


def waiting_at(adapter: "Adapter", parked: "Mapping[str, int]", command: str) -> "Sequence[RefusedResource]":
    """The first of what waits for a person at each hospital; nothing is loaded where nothing does. What
    the terminal shows of people, `command` says in the audit.
    """
    names = [name for name, count in parked.items() if count]
    if not names:
        return []
    from adapter.errors import MappingError

    shown = command if console().is_terminal else None  # elsewhere the values of the cells are not shown
    try:
        return insights(adapter).refused(names, _SHOWN, command=shown)
    except MappingError:
        return ()  # a mapping that cannot be loaded traces nothing; `mapping check` lists why


def draw_refused(
    out: "Console", found: "Sequence[RefusedResource]", *, values: bool, total: int | None = None
) -> None:
    """A sentence for each, and the words it was refused with. `values` shows what the cells hold: for a
    person's terminal only. `total` of which `found` is the beginning.
    """
    for one in found:
        out.print(sentence(one, values=values))
        if one.said:
            out.print(f"  {say('explain.said', said=one.said)}")
    if total is not None and total > len(found):
        out.print(say("explain.more", count=total - len(found)))
    for line in pages(one.reason for one in found):
        out.print(line)


def sentence(one: "RefusedResource", *, values: bool) -> str:
    """`Bệnh viện X refused Creatinin of the visit LK-1: unit 'umol' (sheet Chỉ số, row 812, column Đơn vị;
    observation.yaml line 14)`.
    """
    verb = "invalid" if one.reason == "invalid" else "refused"
    where = "; ".join(_places(one))
    if one.element is None:
        return say(f"explain.{verb}_whole", hospital=one.display, what=_what(one), where=where)
    element = f"{one.element} {_value(one.cells)}".strip() if values else one.element
    return say(f"explain.{verb}", hospital=one.display, what=_what(one), element=element, where=where)


def _what(one: "RefusedResource") -> str:
    kind = say(f"cli.one_{one.kind}")
    if one.subject is None:
        return f"{kind} {one.key}"
    visit = f"{say('cli.one_visit')} {one.visit}"
    return say("explain.of_visit", what=one.subject, visit=visit) if one.visit else f"{one.subject} {one.key}"


def _places(one: "RefusedResource") -> list[str]:
    """The cells, and the line of the mapping that read them."""
    by_row: dict[tuple[str | None, int | None], list[str]] = {}
    for cell in one.cells:
        place = (cell.source.sheet, cell.source.row)
        by_row.setdefault(place, []).append(cell.source.column or cell.source.field)
    if not by_row:
        by_row = {(one.sheet, one.row): []}
    places = [
        say("explain.where_column", sheet=sheet or "-", row=row, column=", ".join(columns))
        if columns
        else say("explain.where", sheet=sheet or "-", row=row)
        for (sheet, row), columns in by_row.items()
        if row is not None
    ]
    line = [say("explain.at_line", file=one.file, line=one.line)] if one.file else []
    return [*(places or [say("explain.nowhere")]), *line]


def _value(cells: "Sequence[SourceCell]") -> str:
    """What the one cell holds; nothing where several were read."""
    if len(cells) != 1:
        return ""
    value = cells[0].value
    return say("explain.empty_cell") if value in (None, ()) else f"'{value}'"
