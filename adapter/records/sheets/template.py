"""The empty workbook that a centre fills in: headers, what each column holds, lists to choose from."""

from pathlib import Path
from typing import Any

from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.columns import DELETED_COLUMN, Column
from adapter.records.sheets.layout import SHEETS
from adapter.texts import current_language, say, set_language

__all__ = ["write_template"]

_ROWS = 5000  # how far down the lists and formats reach
_TEXT = "@"


def write_template(path: Path, lang: str = "vi") -> None:
    """Write the template to `path` (XLSX) with headers, notes and lists in "vi" or "en"."""
    from openpyxl import Workbook

    spoken = current_language()
    set_language(lang)
    try:
        book = Workbook()
        book.remove(book.worksheets[0])
        for sheet in SHEETS:
            page = book.create_sheet(sheet.title(lang))
            page.freeze_panes = "A2"
            for place, column in enumerate((*sheet.columns, DELETED_COLUMN), 1):
                _column(page, place, column, lang)
        _guide(book, lang)
        book.save(path)
    finally:
        set_language(spoken)


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
