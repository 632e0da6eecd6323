"""How a person's files are to be understood from now on: a layout is kept in the data folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import ImportRefused, UsageError
from adapter.insights.sheet_layouts import ColumnLook, TableLook, look_at_files
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.layout_context import LAYOUTS_FOLDER, layout_context
from adapter.records.layouts.saved_layout import (
    LEFT_OUT,
    NAME_PART,
    OPEN,
    WIDE,
    load_layouts,
    written_layout,
)
from adapter.records.layouts.unread_columns import may_be_measure

__all__ = ["KeepLayout", "is_open"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")


@dataclass(frozen=True)
class KeepLayout(Operation[tuple[TableLook, ...], Path]):
    """Keep how the tables of these files are understood as `layouts/NAME.yaml`, to be edited by hand.
    Nothing undoes it but removing the file.
    """

    name: ClassVar[str] = "layout.keep"
    audited_as: ClassVar[tuple[str, ...]] = ("layout.saved",)
    files: tuple[Path, ...]
    layout: str

    def look(self, context: OperationContext) -> tuple[TableLook, ...]:
        """How the tables are understood now."""
        return look_at_files(context.adapter, self.files)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> Path:
        """Write the file; its path. Raises UsageError for one that is there, or for a name that is none, and
        ImportRefused where a header may not be written down.
        """
        if not _NAME.fullmatch(self.layout):
            raise UsageError("layout.bad_name", name=self.layout)
        unchanged()
        folder = context.adapter.settings.data_folder / LAYOUTS_FOLDER
        path = folder / f"{self.layout}.yaml"
        tables = [one for one in self.look(context) if one.record is not None]
        if any(column.tells for one in tables for column in one.columns):
            raise ImportRefused("layout.hidden_header")
        text = written_layout((one.sheet, _record(one), one.visit_type, _columns(one)) for one in tables)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError("layout.exists", path=str(path)) from None
        load_layouts(folder, layout_context(context.adapter.settings).measures)
        details = {"layout": self.layout, "tables": len(tables)}
        with write_transaction(context.adapter.engine) as connection:
            audit.append(
                connection, at=context.clock(), actor=context.by, action="layout.saved", details=details
            )
        return path


def _record(table: TableLook) -> str:
    return WIDE if table.form == WIDE else table.record or LEFT_OUT


def _columns(table: TableLook) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Header, meaning, unit and what it may mean, for each column that has a header."""
    return [
        (one.header, OPEN if is_open(table, one) else _meaning(one.role, one.means), one.unit, one.candidates)
        for one in table.columns
        if one.header
    ]


def is_open(table: TableLook, column: ColumnLook) -> bool:
    """Whether a person must say what the column is, or that it is left out: it may be a measure."""
    is_unknown = table.form == WIDE and column.role == "unknown"
    return is_unknown and may_be_measure(column.header, column.candidates, column.examples)


def _meaning(role: str, means: str) -> str:
    if role == NAME_PART:
        return NAME_PART
    return means if role in ("field", "measure") else LEFT_OUT
