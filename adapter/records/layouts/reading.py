"""How a table was read: what each of its columns is, and what a person must be asked."""

from dataclasses import dataclass
from enum import StrEnum

from adapter.records.layouts.header_block import HeaderBlock
from adapter.records.sheets.columns import Sheet

__all__ = ["ColumnReading", "ColumnRole", "TableForm", "TableReading"]


class TableForm(StrEnum):
    """What a row is: one record, or one visit with a column for each measure."""

    LONG = "long"
    WIDE = "wide"


class ColumnRole(StrEnum):
    """What a column is to the import."""

    FIELD = "field"
    NAME_PART = "name-part"  # joined with its neighbours
    MEASURE = "measure"
    PERSON = "person"  # says who it is, beside the key: not imported from a wide sheet
    IGNORED = "ignored"  # a kept layout says so
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """A column, `place` from 0. `field` of the record or, for a measure, its code and the header's unit."""

    place: int
    title: str
    role: ColumnRole
    field: str = ""
    unit: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReading:
    """A table that was understood. `sheet` None: no record type; `asked`: a person must say that it is this
    one before it is imported. `layout` names the kept one that said what is what.
    """

    name: str
    sheet: Sheet | None
    form: TableForm
    header: HeaderBlock
    columns: tuple[ColumnReading, ...]
    asked: bool = False
    layout: str | None = None
    visit_type: str | None = None

    def place(self, field: str) -> int | None:
        """Where a field is."""
        return next(
            (one.place for one in self.columns if one.role is ColumnRole.FIELD and one.field == field), None
        )

    def having(self, role: ColumnRole) -> tuple[ColumnReading, ...]:
        """The columns of a role, from left to right."""
        return tuple(one for one in self.columns if one.role is role)
