"""`adapter import --look`: how the sheets of files are understood, before anything is imported."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from adapter.cli.terminal.context import insights, open_adapter, operating
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.sheet_layouts import ColumnLook, TableLook

__all__ = ["look_at"]


def look_at(context: typer.Context, files: list[Path], keep: str | None, as_json: bool) -> NoReturn:
    """Show it, and keep it where a name is given; 1 where something waits for a person's answer. Keeping
    answers what was asked; what is missing it does not bring.
    """
    from adapter.operations.layouts import KeepLayout

    with open_adapter(context) as adapter:
        tables = insights(adapter).sheet_layouts(files)
        path = KeepLayout(tuple(files), keep).perform(operating(adapter)) if keep else None
    facts = {"tables": tables, "saved": None if path is None else str(path)}
    emit(facts, as_json, lambda out: _draw(out, tables, path))
    waiting = any(one.waits if path is None else one.missing or _open(one) for one in tables)
    raise typer.Exit(1 if waiting else 0)


def _draw(out: "Console", tables: "Sequence[TableLook]", path: Path | None) -> None:
    for one in tables:
        out.print(_title(one), markup=False)
        if one.columns:
            headers = [say(f"layout.col_{word}") for word in ("column", "header", "means", "examples")]
            lines = ((look.column, look.header, _meaning(look), _examples(look)) for look in one.columns)
            out.print(rows(table(*headers), lines))
        if one.form == "wide" and "started_at" in {look.means for look in one.columns}:
            out.print(say("layout.look_visits"), markup=False)
        if one.left_out:
            out.print(say("layout.look_left_out", rows=", ".join(map(str, one.left_out))), markup=False)
        if one.missing:
            out.print(say("layout.look_missing", missing=", ".join(one.missing)), markup=False)
        if one.asked and path is None and not (one.missing and one.is_named):
            out.print(say(_asked(one), record=one.record_name), markup=False)
    if path is not None:
        out.print(say("layout.saved", path=str(path)), markup=False)
        if lacking := ", ".join(one.sheet for one in tables if one.missing):
            out.print(say("layout.kept_incomplete", sheets=lacking), markup=False)
        if unsure := ", ".join(f'"{header}"' for one in tables for header in _open(one)):
            out.print(say("layout.kept_open", columns=unsure), markup=False)


def _open(look: "TableLook") -> list[str]:
    from adapter.operations.layouts import is_open

    return [one.header for one in look.columns if is_open(look, one)]


def _asked(look: "TableLook") -> str:
    if look.is_named:
        return "layout.look_ask_measures"
    return "layout.look_asked_csv" if look.is_csv else "layout.look_asked"


def _title(look: "TableLook") -> str:
    if look.record is None:
        return say("layout.look_none", file=look.file, sheet=look.sheet)
    header = ", ".join(map(str, look.header_rows))
    said = say("layout.look_table", file=look.file, sheet=look.sheet, record=look.record_name, rows=header)
    return f"{said} [{look.layout}]" if look.layout else said


def _examples(look: "ColumnLook") -> str:
    shown = "; ".join(look.examples)
    return f"{shown} [{look.encoding}]" if look.encoding else shown


def _meaning(look: "ColumnLook") -> str:
    if look.role in ("field", "name-part"):
        return f"{look.name} ({look.means})" if look.name else look.means
    if look.role == "measure":
        return " ".join(filter(None, (look.name, f"({look.means})", look.unit)))
    said = say(f"layout.role_{look.role}")
    return f"{said} ? {', '.join(look.candidates)}" if look.candidates else said
