"""Which column of a sheet a header means, however a clerk decorates it. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache

from adapter.records.sheets.cell_parsers import SPREADSHEET_ERRORS, CellValue, cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import DELETED_COLUMN, REASON_COLUMN, Column, Sheet, find_column
from adapter.records.sheets.vietnamese_text.readings import all_readings, legacy_readings

__all__ = ["join_titles", "known_title", "match_title", "name_part", "title_of", "title_variants"]

_NUMBER = re.compile(r"^\(?(?:\d{1,2}|[IVX]{1,4}|[a-z])\)?[.)/\-:]\s*|^\(\d{1,2}\)\s*")
_NOTE = re.compile(r"\s*[\(\[][^()\[\]]*[\)\]]\s*$")
_NAMES = 2  # in two languages
_EITHER = re.compile(r"\s*/\s*|\s+-\s+")
# A heading over several columns that says whose they are: its columns are not the person's own.
_OTHERS = re.compile(
    r"\b(?:vợ|chồng|cha|mẹ|bố|con|anh|em|người thân|thân nhân|thân thích|người liên hệ|người giám hộ|"
    r"khẩn cấp|spouse|contact|relative|kin)\b",
    re.IGNORECASE,
)
# The parts that a name over several columns is written in, in the order of a Vietnamese name.
_NAME_PARTS = {
    **dict.fromkeys(("họ", "họ đệm", "họ và đệm", "họ lót", "họ và tên đệm", "họ và chữ đệm"), 0),
    **dict.fromkeys(("họ và tên lót", "họ, tên đệm", "họ và chữ lót", "family name", "surname"), 0),
    **dict.fromkeys(("đệm", "tên đệm", "chữ đệm", "tên lót", "chữ lót", "middle name"), 1),
    **dict.fromkeys(("tên", "tên gọi", "given name", "first name"), 2),
}
_PARTS = {fold_label(name): order for name, order in _NAME_PARTS.items()}


def title_of(cell: CellValue) -> str:
    """A header cell's text; a number, a date or an error is no header. That of an old font stays as it is: it
    has letters that look like white space, and is understood by `find_column`.
    """
    if not isinstance(cell, str) or cell in SPREADSHEET_ERRORS:
        return ""
    return cell.strip() if legacy_readings(cell) else cell_text(cell)


def title_variants(title: str) -> Iterator[str]:
    """The header as written, then without its number ("1. Họ tên") and its note ("(dd/mm/yyyy)")."""
    yield title
    plain = _NUMBER.sub("", title)
    if plain != title:
        yield plain
    if (bare := _NOTE.sub("", plain)) != plain and bare:
        yield bare


@lru_cache(maxsize=5_000)
def match_title(sheet: Sheet, title: str) -> Column | None:
    """The column that a header means. Of two names ("Họ tên / Full name") both must mean the same."""
    for variant in title_variants(title):
        if column := find_column(sheet, variant):
            return column
    parts = [part for part in _EITHER.split(title) if part]
    if len(parts) < _NAMES:
        return None
    found = {column.field if (column := find_column(sheet, part)) else None for part in parts}
    return find_column(sheet, parts[0]) if len(found) == 1 and None not in found else None


@lru_cache(maxsize=5_000)
def name_part(title: str) -> int | None:
    """Which part of a name the column holds: 0 family (and middle) name, 1 middle, 2 given; else None."""
    last = title.rsplit(" / ", 1)[-1]
    written = (read for one in title_variants(last) for read in all_readings(one))  # in old fonts too
    return next((_PARTS[key] for read in written if (key := fold_label(read)) in _PARTS), None)


def known_title(sheet: Sheet, field: str, written: str) -> str:
    """A header that every import knows as this field: a clerk's own where it says that, else the sheet's."""
    known = find_column(sheet, written)
    if known is not None and known.field == field:
        return written
    special = {one.field: one for one in (DELETED_COLUMN, REASON_COLUMN)}
    return (special.get(field) or sheet.column(field)).vi


def join_titles(over: str, below: str) -> list[str]:
    """What the header in two rows may say, the likeliest first; the first is how it is written in one."""
    if not over or not below or fold_label(over) == fold_label(below):
        return [over or below]
    joined = [f"{over} / {below}", f"{over} {below}"]
    return joined if _OTHERS.search(over) else [*joined, below]
