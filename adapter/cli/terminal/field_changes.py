"""Which values change, old and new, as lines for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.import_changes import FieldChange

__all__ = ["draw_field_changes"]

_WHOLE = ("created", "deleted")


def draw_field_changes(out: "Console", changes: "Sequence[FieldChange]") -> None:
    """A line for each field of each kind, and its first examples below it."""
    for one in changes:
        kind = say(f"cli.kind_{one.kind}")
        heading = f"imports.{one.field}" if one.field in _WHOLE else "imports.field"
        out.print(say(heading, kind=kind, field=one.label, count=one.count), markup=False)
        for key, old, new in one.shown:
            example = "imports.example_whole" if one.field in _WHOLE else "imports.example"
            out.print(say(example, key=key, old=old or "-", new=new or "-", name=old or new), markup=False)
        if one.count > len(one.examples):
            out.print("  " + say("diff.more_values", count=one.count - len(one.examples)), markup=False)
