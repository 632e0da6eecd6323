"""The empty workbook that a centre fills in: headers, what each column holds, lists to choose from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.columns import DELETED_COLUMN, Column
from adapter.records.sheets.layout import SHEETS
from adapter.texts import current_language, say, set_language

__all__ = ["TemplatePage", "WideTemplate", "write_template"]

WideTemplate = tuple[str, Sequence[str], Mapping[str, str]]
"""A sheet's name, its headers, and the texts that explain some of them."""

_ROWS = 5000  # how far down the lists and formats reach
_TEXT = "@"


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """A list of codes to look up while filling in: its sheet's name, its headers, a row for each code."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def write_template(
    path: Path, lang: str = "vi", lists: Sequence[TemplatePage] = (), wide: WideTemplate | None = None
) -> None:
    """Write the template to `path` (XLSX) with headers, notes and lists in "vi" or "en", and a sheet for each
    list of codes. With `wide`, measurements have a row a visit: what its sheet holds.
    """
    from openpyxl import Workbook

    spoken = current_language()
    set_language(lang)
    try:
        book = Workbook()
        book.remove(book.worksheets[0])
        for sheet in SHEETS:
            if wide is not None and sheet.kind == "measurement":
                _wide(book, *wide)
                continue
            page = book.create_sheet(sheet.title(lang))
            page.freeze_panes = "A2"
            for place, column in enumerate((*sheet.columns, DELETED_COLUMN), 1):
                _column(page, place, column, lang)
        for one in lists:
            _code_list(book, one)
        _guide(book, lang)
        book.save(path)
    finally:
        set_language(spoken)


def _wide(book: Any, title: str, headers: Sequence[str], hints: Mapping[str, str]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    page = book.create_sheet(title)
    page.freeze_panes = "A2"
    for place, header in enumerate(headers, 1):
        cell = page.cell(1, place, header)
        cell.font = Font(bold=True)
        if header in hints:
            cell.comment = Comment(say(hints[header]), "adapter", width=320, height=110)
        page.column_dimensions[get_column_letter(place)].width = max(12, len(header) + 2)
        page.column_dimensions[get_column_letter(place)].number_format = _TEXT


def _code_list(book: Any, codes: TemplatePage) -> None:
    from openpyxl.styles import Font

    page = book.create_sheet(codes.title)
    page.freeze_panes = "A2"
    for place, header in enumerate(codes.headers, 1):
        page.cell(1, place, header).font = Font(bold=True)
        page.column_dimensions["ABCDE"[place - 1]].width = 18 if place == 1 else 44
    for row in codes.rows:
        page.append(row)


def _column(page: Any, place: int, column: Column, lang: str) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    letter = get_column_letter(place)
    header = page.cell(1, place, column.header(lang))
    header.font = Font(bold=column.required)
    header.fill = PatternFill("solid", fgColor="FFE699" if column.required else "DDEBF7")
    header.comment = Comment(_help(column), "adapter", width=320, height=110)
    dimension = page.column_dimensions[letter]
    dimension.width = max(14, len(column.header(lang)) + 4)
    # Text, so that a spreadsheet neither cuts leading zeros nor makes a date of 8/10.
    dimension.number_format = _TEXT
    if column.choice and column.expected != "expect_choices":
        page.add_data_validation(_list(column.choice, letter, lang))


def _help(column: Column) -> str:
    choice = CHOICE_LISTS.get(column.choice or "")
    expected = say(f"import.{column.expected}", choices=choice.written if choice else "")
    need = say("import.template_required" if column.required else "import.template_optional")
    return f"{expected}\n{need}"


def _list(choice: str, letter: str, lang: str) -> Any:
    from openpyxl.worksheet.datavalidation import DataValidation

    words = ",".join(CHOICE_LISTS[choice].labels(lang))
    validation = DataValidation(type="list", formula1=f'"{words}"', allow_blank=True)
    validation.add(f"{letter}2:{letter}{_ROWS}")
    return validation


def _guide(book: Any, lang: str) -> None:
    page = book.create_sheet("Hướng dẫn" if lang == "vi" else "Guide", 0)
    page.column_dimensions["A"].width = 110
    for line in say("import.template_guide").splitlines():
        page.append([line])
