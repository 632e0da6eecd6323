"""The words that a centre uses in its cells: `words.csv` in the mappings folder and in the data folder.

Columns `field`, `word`, `meaning`: a field of a sheet, or `measure` for a measure's name; what a cell may
say; what it means there, as the sheet would say it. The data folder's words come last and win.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from adapter.errors import ImportRefused
from adapter.mapping.terminology.csv_file import CsvFile
from adapter.records.sheets.cell_parsers import CellError
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.layout import SHEETS
from adapter.settings import Settings

__all__ = ["load_words"]

_FILE = "words.csv"
_COLUMNS = {
    column.field: column for sheet in reversed(SHEETS) for column in sheet.columns if column.field != "key"
}
# What somebody calls a field who has not seen its name: the sheet, or its column's header.
_CALLED = {
    fold_label(name): column.field
    for sheet in reversed(SHEETS)
    for column in sheet.columns
    if column.field != "key"
    for name in (column.vi, column.en, *column.aliases)
} | {
    fold_label(name): field
    for kind, field in {
        "procedure": "code",
        "immunization": "vaccine",
        "referral": "service",
        "measurement": "measure",
        "diagnosis": "icd10",
    }.items()
    for sheet in SHEETS
    if sheet.kind == kind
    for name in (sheet.kind, sheet.vi, sheet.en, *sheet.aliases)
}


def load_words(settings: Settings) -> list[tuple[str, str, str]]:
    """Field, word and meaning of each line. Raises ImportRefused for a line that says what cannot be."""
    return [
        line for folder in (settings.mappings_folder, settings.data_folder) for line in _lines(folder / _FILE)
    ]


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    if not path.is_file():
        return
    problems: list[str] = []
    for line, row in CsvFile(path, problems).rows(("field", "word", "meaning")):
        if row["field"] and row["word"]:
            _check(line, row["field"], row["meaning"])
            yield row["field"], row["word"], row["meaning"]
    if problems:
        raise ImportRefused("layout.bad_words", problem=problems[0])


def _check(line: int, field: str, meaning: str) -> None:
    column = _COLUMNS.get(field)
    if column is None:
        meant = _CALLED.get(fold_label(field))
        known = meant or ", ".join(get_close_matches(field, _COLUMNS, 3, 0.5))
        raise ImportRefused("layout.no_word_field", line=line, word=field, known=known or "-")
    if field == "tier" and meaning == "T0":
        return  # whom this word is said of is refused
    try:
        column.parse(meaning)
    except CellError as error:
        raise ImportRefused("layout.no_word_meaning", line=line, word=meaning, field=field) from error
