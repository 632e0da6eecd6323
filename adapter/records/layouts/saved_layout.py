"""A person's answer to what a table means, saved for the next file with its headers: `layouts/NAME.yaml`.

name: benh-vien-tinh
tables:
- sheet: KQ 2026
  record: wide                 # or cadre, visit, measurement, …; "-" leaves the sheet out
  visit_type: Khám định kỳ     # of a wide table without such a column
  columns:
  - {header: Mã BN, is: cadre}
  - {header: Đường máu, is: BIO-GLUF, unit: mmol/L}
  - {header: LDL, is: "?"}       # may be a measure: asked about until a person says which, or "-"
  - {header: Ghi chú, is: "-"}
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from adapter.errors import ImportRefused
from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.layouts.wide_sheet import WIDE_SHEET
from adapter.records.sheets.choices import CHOICE_LISTS, fold_label
from adapter.records.sheets.columns import DELETED_COLUMN, Sheet
from adapter.records.sheets.layout import SHEETS

__all__ = [
    "LEFT_OUT",
    "NAME_PART",
    "OPEN",
    "WIDE",
    "SavedColumn",
    "SavedTable",
    "fingerprint",
    "load_layouts",
    "written_layout",
]

LEFT_OUT = "-"
OPEN = "?"
NAME_PART = "name-part"
WIDE = "wide"
_KINDS: Mapping[str, Sheet] = {sheet.kind: sheet for sheet in SHEETS} | {WIDE: WIDE_SHEET}
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SavedColumn:
    """What a header means: a field, a measure's code, a part of a name, "-", or "?"."""

    header: str
    means: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SavedTable:
    """What the table with these headers is. `record` a kind, "wide" or "-"."""

    layout: str
    record: str
    columns: tuple[SavedColumn, ...]
    visit_type: str | None = None

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that the table's columns are of; None: it is left out."""
        return _KINDS.get(self.record)


def fingerprint(titles: Iterable[str]) -> tuple[str, ...]:
    """What two files have in common when their headers are the same: spelling and spaces do not matter."""
    return tuple(found for title in titles if (found := fold_label(title)))


def load_layouts(folder: Path, measures: MeasureNames | None) -> dict[tuple[str, ...], SavedTable]:
    """All saved tables by the fingerprint of their headers. Raises ImportRefused, with the nearest names, for
    a file that says what cannot be.
    """
    found: dict[tuple[str, ...], SavedTable] = {}
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        for table in _tables(path, measures):
            found[fingerprint(column.header for column in table.columns)] = table
    return found


def _tables(path: Path, measures: MeasureNames | None) -> Sequence[SavedTable]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _wrong(path, "layout.unreadable")
        written = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(path, "layout.unreadable") from error
    tables = written.get("tables") if isinstance(written, dict) else None
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise _wrong(path, "layout.no_tables")
    return [_table(path, one, measures) for one in tables]


def _table(path: Path, written: dict[str, Any], measures: MeasureNames | None) -> SavedTable:
    _known(path, written, ("sheet", "record", "columns", "visit_type"))
    record = str(written.get("record", ""))
    if record not in (*_KINDS, LEFT_OUT):
        raise _wrong(path, "layout.no_record", word=record, known=_nearest(record, [*_KINDS, LEFT_OUT]))
    columns = written.get("columns")
    if not isinstance(columns, list) or not all(isinstance(one, dict) for one in columns):
        raise _wrong(path, "layout.no_columns")
    visit_type = written.get("visit_type")
    sheet = _KINDS.get(record)
    if visit_type is not None:
        _visit_type(path, str(visit_type))
    return SavedTable(
        path.stem,
        record,
        tuple(_column(path, one, sheet, measures) for one in columns),
        None if visit_type is None else str(visit_type),
    )


def _visit_type(path: Path, word: str) -> None:
    choice = CHOICE_LISTS["visit_type"]
    if fold_label(word) not in {fold_label(one) for _, words in choice.options for one in words} | {
        fold_label(code) for code in choice.codes
    }:
        raise _wrong(path, "layout.no_meaning", header="visit_type", word=word, known=choice.written)


def _column(
    path: Path, written: dict[str, Any], sheet: Sheet | None, measures: MeasureNames | None
) -> SavedColumn:
    _known(path, written, ("header", "is", "unit"))
    header, means = str(written.get("header", "")), str(written.get("is", LEFT_OUT))
    codes = measures.measures if measures is not None and sheet is WIDE_SHEET else {}
    fields = [] if sheet is None else [*(one.field for one in sheet.columns), DELETED_COLUMN.field]
    if sheet is not None and means not in (LEFT_OUT, OPEN, NAME_PART, *fields, *codes):
        known = _nearest(means, [*fields, *codes])
        raise _wrong(path, "layout.no_meaning", header=header, word=means, known=known)
    return SavedColumn(header, means, str(written.get("unit") or ""))


def _known(path: Path, written: Mapping[str, Any], words: Sequence[str]) -> None:
    for word in written:
        if word not in words:
            raise _wrong(path, "layout.no_word", word=str(word), known=_nearest(str(word), words))


def _nearest(word: str, known: Sequence[str]) -> str:
    return ", ".join(get_close_matches(word, known, 3, 0.5) or known[:12])


def _wrong(path: Path, text: str, **params: Any) -> ImportRefused:
    return ImportRefused(text, file=path.name, **params)


def written_layout(
    tables: Iterable[tuple[str, str, str | None, Sequence[tuple[str, str, str, Sequence[str]]]]],
) -> str:
    """The text of a layout file: for each table its sheet, record and visits' type, and for each column the
    header, what it means, its unit, and what it may mean besides (as a comment).
    """
    lines = ["tables:"]
    for sheet, record, visit_type, columns in tables:
        lines += [f"- sheet: {_quoted(sheet)}", f"  record: {_quoted(record)}"]
        if visit_type:
            lines.append(f"  visit_type: {_quoted(visit_type)}")
        elif record == WIDE and not any(means in ("type", "visit") for _, means, _, _ in columns):
            lines.append("  # visit_type: Khám định kỳ")
        lines.append("  columns:")
        for header, means, unit, candidates in columns:
            said = f", unit: {_quoted(unit)}" if unit else ""
            maybe = f"  # ? {', '.join(candidates)}" if candidates else ""
            lines.append(f"  - {{header: {_quoted(header)}, is: {_quoted(means)}{said}}}{maybe}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
