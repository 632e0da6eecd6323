"""Large XLSX sheets a slice at a time, so that memory does not grow with the number of rows.

calamine reads fast but holds a whole sheet. A sheet's rows are therefore cut into slices of a few
megabytes of XML, each handed to calamine as a small workbook of its own with the same styles and
strings. What remains in memory is one slice and the table of shared strings.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from posixpath import join, normpath
from xml.etree import ElementTree

from python_calamine import CalamineWorkbook

from adapter.records.sheets.cell_parsers import NOT_CALCULATED, CellValue
from adapter.records.sources.number_formats import (
    BUILT_IN_PERCENT,
    CellMark,
    PercentFormat,
    mark_cells,
    percent_format,
)

__all__ = [
    "SLICE_BYTES",
    "SLICING_THRESHOLD_BYTES",
    "cell_marks",
    "merged_ranges",
    "sheet_entries",
    "sliced_rows",
]

SLICING_THRESHOLD_BYTES = 8_000_000  # bytes of XML; below it a sheet is read whole
SLICE_BYTES = 4_000_000
_BLOCK = 1 << 18
_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/styles\.xml|xl/sharedStrings\.xml"
)
_OPENING = re.compile(rb"<sheetData\s*>")
_NUMBERED = re.compile(rb"""\s*<row\b[^>]*\sr=["']\d""")
_ROW = re.compile(rb"<row\b")
_ERROR = re.compile(
    rb"""<(?:\w+:)?c (?=[^>]*?\bt=["']e["'])[^>]*?\br=["']([A-Z]+)(\d+)["'][^>]*>"""
    rb"""(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)?<(?:\w+:)?v>([^<]*)</"""
)
# A formula that nobody calculated: no value behind it, or an empty one.
_UNCALCULATED = re.compile(
    rb"""<(?:\w+:)?c (?=[^>]*?\br=["']([A-Z]+)(\d+)["'])[^>]*>"""
    rb"""(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)\s*"""
    rb"""(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_IS_TEXT = re.compile(rb"""^<(?:\w+:)?c [^>]*\st=["']str["'][^>]*>.*<(?:\w+:)?v""", re.DOTALL)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_CELL = re.compile(rb"<(?:\w+:)?(row|c)\b([^>]*)>")
_PLACE = re.compile(rb"""\br=["']([A-Z]+)\d+["']""")
_ROW_NUMBER = re.compile(rb"""\br=["'](\d+)["']""")
_UNPLACED = re.compile(rb"""<(?:\w+:)?c\b(?![^>]*\sr=)""")
_MERGED = re.compile(rb"""<mergeCell\b[^>]*\bref=["']([A-Z]+)(\d+):([A-Z]+)(\d+)["']""")
# ISO/IEC 29500-1 has two classes of workbooks, transitional and strict, with namespaces of their own.
_RELATIONS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}id",
)


def sheet_entries(archive: zipfile.ZipFile) -> dict[str, str]:
    """Which entry of an XLSX holds which sheet, by the sheet's name; empty if it is not as we know it."""
    try:
        # The entries are the centre's own file; expat refuses entity bombs since 2.4.1.
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
        workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile):
        return {}
    targets = {node.get("Id"): node.get("Target", "") for node in relations}
    found = {}
    for node in workbook.iterfind(".//{*}sheet"):
        relation = next((value for name, value in node.items() if name in _RELATIONS), None)
        target = targets.get(relation, "")
        entry = target.removeprefix("/") if target.startswith("/") else normpath(join("xl", target))
        if entry in archive.namelist():
            found[node.get("name", "")] = entry
    return found


def cell_marks(path: Path, entry: str) -> dict[int, dict[int, CellMark]]:
    """Of the cells of a sheet what calamine does not say: an error such as #N/A, a formula without a result,
    a format that shows per cent. Row, column, mark.
    """
    with zipfile.ZipFile(path) as archive:
        return _marks_in(archive.read(entry), _percent_styles(archive))


def _percent_styles(archive: zipfile.ZipFile) -> dict[bytes, PercentFormat]:
    """The styles of cells that show per cent, by their number."""
    try:
        styles = ElementTree.fromstring(archive.read("xl/styles.xml"))  # noqa: S314 # as above
    except (KeyError, ElementTree.ParseError):
        return {}
    codes = BUILT_IN_PERCENT | {
        int(node.get("numFmtId", 0)): node.get("formatCode", "")
        for node in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    found = {}
    for number, style in enumerate(styles.iterfind("{*}cellXfs/{*}xf")):
        if shows := percent_format(codes.get(int(style.get("numFmtId", 0)), "")):
            found[b"%d" % number] = shows
    return found


def _marks_in(
    content: bytes, styles: Mapping[bytes, PercentFormat], base: int = 0
) -> dict[int, dict[int, CellMark]]:
    """`base`: the rows before these, where rows do not say their number."""
    found: dict[int, dict[int, CellMark]] = {}
    # Most sheets have no such letters at all, which is seen in a fraction of the pattern's time.
    formulas = (b"<f" in content or b":f" in content) and _FORMULA.search(content) is not None
    failed = b't="e"' in content or b"t='e'" in content
    if not (formulas or failed or styles):
        return found
    if _UNPLACED.search(content):
        content = _placed(content, base)
    for match in _percent_cells(styles).finditer(content) if styles else ():
        shows = styles[match[3] or b"0"]
        found.setdefault(int(match[2]), {})[_column(match[1])] = shows
    for match in _UNCALCULATED.finditer(content) if formulas else ():
        if not _IS_TEXT.search(match[0]):  # a formula whose result is an empty text is calculated
            found.setdefault(int(match[2]), {})[_column(match[1])] = NOT_CALCULATED
    for match in _ERROR.finditer(content) if failed else ():
        found.setdefault(int(match[2]), {})[_column(match[1])] = match[3].decode("ascii", "replace")
    return found


def _percent_cells(styles: Mapping[bytes, PercentFormat]) -> re.Pattern[bytes]:
    numbers = b"|".join(styles)
    plain = rb"|(?![^>]*\ss=)" if b"0" in styles else b""
    return re.compile(
        rb"""<(?:\w+:)?c (?=[^>]*?\br=["']([A-Z]+)(\d+)["'])(?:(?=[^>]*?\bs=["'](%s)["'])%s)"""
        % (numbers, plain)
    )


def _placed(content: bytes, base: int) -> bytes:
    """The rows with a place in each cell: where it does not say one, it stands behind the one before."""
    row, column = base, -1

    def place(match: re.Match[bytes]) -> bytes:
        nonlocal row, column
        if match[1] == b"row":
            number = _ROW_NUMBER.search(match[2])
            row, column = int(number[1]) if number else row + 1, -1
            return match[0]
        if said := _PLACE.search(match[2]):
            column = _column(said[1])
            return match[0]
        column += 1
        return match[0].replace(match[1], b'%s r="%s%d"' % (match[1], _letters(column), row), 1)

    return _CELL.sub(place, content)


def _letters(column: int) -> bytes:
    letters = b""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = bytes((65 + rest,)) + letters
    return letters


def merged_ranges(path: Path, entry: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The merged cells of a sheet, which stand behind its rows: first and last row and column, from 0."""
    tail = b""
    with zipfile.ZipFile(path) as archive, archive.open(entry) as stream:
        while block := stream.read(_BLOCK):
            tail = _behind_rows(tail + block)
    return [
        ((int(top) - 1, _column(left)), (int(bottom) - 1, _column(right)))
        for left, top, right, bottom in _MERGED.findall(tail)
    ]


def _behind_rows(content: bytes) -> bytes:
    """What may belong to the merged cells: all from them on, or the little in which they may begin."""
    begins = content.find(b"<mergeCells")
    return content[begins:] if begins >= 0 else content[-len(b"<mergeCells") :]


def _column(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column - 1


def sliced_rows(
    path: Path, name: str, entry: str, *, slice_bytes: int = SLICE_BYTES
) -> Iterator[tuple[int, list[CellValue], int]]:
    """Rows of the sheet `name`, kept in `entry`: number from 1, cells, and bytes of XML read so far."""
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist() if _PARTS.fullmatch(part)}
        # Every slice reads the shared strings again: slices as large as they keep that in proportion.
        size = max(slice_bytes, len(parts.get("xl/sharedStrings.xml", b"")))
        styles = _percent_styles(archive)
        past = 0
        for head, rows, done in _slices(archive, entry, size):
            sheet = _small_workbook(parts, entry, head + rows + b"</sheetData></worksheet>", name)
            first, left = sheet.start or (0, 0)
            base = first if _NUMBERED.match(rows) else past + first
            marks = _marks_in(rows, styles, past)
            past += len(_ROW.findall(rows))
            for offset, cells in enumerate(sheet.to_python(), 1):
                found = [""] * left + cells
                if marks:
                    mark_cells(found, marks.get(base + offset, {}))
                yield base + offset, found, done


def _small_workbook(parts: dict[str, bytes], entry: str, sheet: bytes, name: str):  # type: ignore[no-untyped-def] # calamine's sheet class cannot be named at run time
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as small:
        for part, content in parts.items():
            small.writestr(part, content)
        small.writestr(entry, sheet)
    file.seek(0)
    return CalamineWorkbook.from_filelike(file).get_sheet_by_name(name)


def _slices(archive: zipfile.ZipFile, entry: str, size: int) -> Iterator[tuple[bytes, bytes, int]]:
    """What stands before the rows, a run of whole rows, and how many bytes were read."""
    with archive.open(entry) as stream:
        head, waiting, done = b"", b"", 0
        while block := stream.read(_BLOCK):
            done += len(block)
            waiting += block
            if not head:
                opening = _OPENING.search(waiting)
                if opening is None:
                    continue
                head, waiting = waiting[: opening.end()], waiting[opening.end() :]
            if len(waiting) >= size and (cut := waiting.rfind(b"</row>")) >= 0:
                yield head, waiting[: cut + 6], done
                waiting = waiting[cut + 6 :]
        if (cut := waiting.rfind(b"</row>")) >= 0 and head:
            yield head, waiting[: cut + 6], done
