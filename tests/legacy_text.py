"""Vietnamese as old fonts and misread files have it: the reverse of what the import reads."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from adapter.records.sheets.vietnamese_text import legacy_encodings

__all__ = ["WRITERS", "write_legacy_workbook"]


def _by_letter(table: dict[int, str]) -> Callable[[str], str]:
    letters = {new: chr(old) for old, new in table.items()}
    return lambda text: "".join(letters.get(letter, letters.get(letter.lower(), letter)) for letter in text)


def _vni(text: str) -> str:
    pieces = {new: old for old, new in legacy_encodings._VNI.items()}

    def word(found: re.Match[str]) -> str:
        capitals = found[0].isupper() and len(found[0]) > 1
        old = (pieces.get(letter, letter) for letter in found[0])
        return "".join(piece.upper() if capitals else piece for piece in old)

    return re.sub(r"[^\W\d_]+", word, text)


def _misread(codec: str) -> Callable[[str], str]:
    page = {byte: letter for letter, byte in legacy_encodings._PAGES[codec].items()}
    return lambda text: "".join(page[byte] for byte in text.encode())


WRITERS: dict[str, Callable[[str], str]] = {
    "TCVN3 (ABC)": _by_letter(legacy_encodings._TCVN3_LETTERS),
    "VNI": _vni,
    "VPS": _by_letter(legacy_encodings._VPS_LETTERS),
    "UTF-8 read as Windows-1252": _misread("cp1252"),
    "UTF-8 read as Windows-1258": _misread("cp1258"),
}


def write_legacy_workbook(source: Path, target: Path, encoding: str, *, keep: Callable[[str], bool]) -> Path:
    """A copy of a workbook with all text in an encoding, sheets' names and headers too, but for the columns
    that `keep` names.
    """

    def write(cell: Any) -> Any:
        return WRITERS[encoding](unicodedata.normalize("NFC", cell)) if isinstance(cell, str) else cell

    read, written = CalamineWorkbook.from_path(source), Workbook(write_only=True)
    for name in read.sheet_names:
        header, *rows = read.get_sheet_by_name(name).to_python() or [[]]
        sheet = written.create_sheet(write(name).replace("\x90", ""))
        sheet.append([write(title) for title in header])
        for cells in rows:
            kept = [
                cell if keep(str(title)) else write(cell) for title, cell in zip(header, cells, strict=False)
            ]
            sheet.append([None if cell == "" else cell for cell in kept])
    written.save(target)
    return target
