"""Of the cells of XLS, XLSB and ODS what calamine does not say: an error such as #N/A, which it reads as
empty, and that a number is shown as per cent.

Only what can be such a cell is looked at: the records of errors, formulas and numbers (MS-XLS, MS-XLSB),
cells of ODS with a formula or a percentage. A file that is not as it should be has none here: calamine says
what is wrong with it.
"""

import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from xml.etree import ElementTree

from adapter.records.sheets.cell_parsers import NOT_CALCULATED
from adapter.records.sources.number_formats import (
    BUILT_IN_PERCENT,
    CellMark,
    PercentFormat,
    PercentSection,
    percent_format,
)
from adapter.records.sources.workbook_limits import times_repeated

__all__ = ["MarkedCells", "marked_cells"]

MarkedCells = dict[int, dict[int, CellMark]]  # row from 1, column from 0, mark
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_NO_RESULTS = (bytes(8), b"\x03" + bytes(5) + b"\xff\xff")  # zero, an empty text
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA  # sector numbers from here on are marks
_ODF = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TABLE, _OFFICE = _ODF % "table", _ODF % "office"
_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
_RESULTS = ("value", "string-value", "date-value", "time-value", "boolean-value")  # attributes of a cell
_PERCENTAGE = PercentFormat((PercentSection(1),))
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def marked_cells(path: Path, name: str) -> MarkedCells:
    """The cells of the sheet `name` that hold an error, or a number that is shown as per cent."""
    try:
        if not zipfile.is_zipfile(path):
            return _by_place(_xls(path.read_bytes(), name))
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "content.xml" in names:
                return _by_place(_ods(archive, name))
            if "xl/workbook.bin" in names:
                return _by_place(_xlsb(archive, name))
    except (
        OSError,
        ValueError,
        IndexError,
        KeyError,
        struct.error,
        zipfile.BadZipFile,
        ElementTree.ParseError,
    ):
        pass
    return {}


def _by_place(cells: Iterator[tuple[int, int, CellMark]]) -> MarkedCells:
    found: MarkedCells = {}
    for row, column, mark in cells:
        found.setdefault(row + 1, {})[column] = mark
    return found


def _styles(codes: Mapping[int, str], used: Iterable[int]) -> dict[int, PercentFormat]:
    """Which styles, by their number, show per cent. `codes` of formats; `used`: the format of each style."""
    known = BUILT_IN_PERCENT | dict(codes)
    found = ((number, percent_format(known.get(format_, ""))) for number, format_ in enumerate(used))
    return {number: shows for number, shows in found if shows is not None}


# XLS ----------------------------------------------------------------------------------------------


def _xls(content: bytes, name: str) -> Iterator[tuple[int, int, CellMark]]:
    if not content.startswith(_OLE):
        return
    book = _workbook_stream(content)
    percent, calculated = _xls_styles(book), _was_calculated(book)
    for start in [position for title, position in _sheets(book) if title == name]:
        depth = 0
        for kind, body in _records(book, start):
            depth += (kind == 0x809) - (kind == 0x0A)  # a chart within the sheet has its own begin and end
            if depth == 0:
                break
            if len(body) > 7:
                yield from _xls_marks(kind, body, percent, calculated)


def _was_calculated(book: bytes) -> bool:
    """Whether a spreadsheet ever calculated it: the workbook then names the version that did. Libraries
    that only write formulas name none, and what stands for a result there is zero or an empty text.
    """
    first = takewhile(lambda one: one[0] != 0x0A, _records(book, 0))
    return struct.unpack_from("<H", book, 4)[0] < 0x600 or any(
        kind == 0x1C1 for kind, _ in first
    )  # BIFF8 has it


def _xls_marks(
    kind: int, body: bytes, percent: Mapping[int, PercentFormat], calculated: bool
) -> Iterator[tuple[int, int, CellMark]]:
    row, column = struct.unpack_from("<HH", body)
    if kind == 0x205 and body[7]:
        yield row, column, _ERRORS.get(body[6], "#N/A")
    elif kind == 0x06 and body[12:14] == b"\xff\xff" and body[6] == 2:
        yield row, column, _ERRORS.get(body[8], "#N/A")
    elif kind == 0x06 and body[6:14] in _NO_RESULTS and (body[14] & 3 == 3 or not calculated):
        yield row, column, NOT_CALCULATED  # to be calculated when it is opened
    elif percent and kind in (0x203, 0x27E, 0x06):
        if shows := percent.get(struct.unpack_from("<H", body, 4)[0]):
            yield row, column, shows
    elif percent and kind == 0xBD:  # several numbers in a row
        for place in range((len(body) - 6) // 6):
            if shows := percent.get(struct.unpack_from("<H", body, 4 + 6 * place)[0]):
                yield row, column + place, shows


def _xls_styles(book: bytes) -> dict[int, PercentFormat]:
    codes: dict[int, str] = {}
    used: list[int] = []
    wide = struct.unpack_from("<H", book, 4)[0] >= 0x600  # BIFF8
    for kind, body in takewhile(lambda one: one[0] != 0x0A, _records(book, 0)):
        if kind == 0x41E:
            codes[struct.unpack_from("<H", body)[0]] = _format_code(body[2:], wide)
        elif kind == 0xE0:
            used.append(struct.unpack_from("<H", body, 2)[0])
    return _styles(codes, used)


def _format_code(body: bytes, wide: bool) -> str:
    if not wide:
        return body[1 : 1 + body[0]].decode("latin-1")
    size = struct.unpack_from("<H", body)[0]
    double = body[2] & 1
    return body[3 : 3 + size * (1 + double)].decode("utf-16-le" if double else "latin-1")


def _records(book: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position + 4 <= len(book):
        kind, size = struct.unpack_from("<HH", book, position)
        yield kind, book[position + 4 : position + 4 + size]
        position += 4 + size


def _sheets(book: bytes) -> Iterator[tuple[str, int]]:
    for kind, body in takewhile(lambda one: one[0] != 0x0A, _records(book, 0)):
        if kind == 0x85:
            wide = body[7] & 1
            text = body[8 : 8 + body[6] * (1 + wide)]
            yield text.decode("utf-16-le" if wide else "latin-1"), struct.unpack_from("<I", body)[0]


def _workbook_stream(content: bytes) -> bytes:
    """The stream of a compound file that holds the workbook (MS-CFB)."""
    size = 1 << struct.unpack_from("<H", content, 0x1E)[0]
    directory, _, cutoff, small_fat = struct.unpack_from("<IIII", content, 0x30)

    def sector(number: int) -> bytes:
        return content[(number + 1) * size : (number + 2) * size]

    fat = _numbers(b"".join(sector(one) for one in _fat_sectors(content, size) if one < _END))

    def chain(start: int) -> bytes:
        return b"".join(map(sector, _chain(start, fat)))

    entries = chain(directory)
    root = struct.unpack_from("<I", entries, 116)[0]
    for at in range(0, len(entries), 128):
        title = entries[at : at + max(struct.unpack_from("<H", entries, at + 64)[0] - 2, 0)].decode(
            "utf-16-le"
        )
        if title in ("Workbook", "Book"):
            start, length = struct.unpack_from("<II", entries, at + 116)
            if length >= cutoff:
                return chain(start)[:length]
            small = chain(root)
            places = _chain(start, _numbers(chain(small_fat)))
            return b"".join(small[one * 64 : one * 64 + 64] for one in places)[:length]
    return b""


def _fat_sectors(content: bytes, size: int) -> Iterator[int]:
    yield from struct.unpack_from("<109I", content, 0x4C)
    more, left = struct.unpack_from("<II", content, 0x44)
    while more < _END and left:
        numbers = _numbers(content[(more + 1) * size : (more + 2) * size])
        yield from numbers[:-1]
        more, left = numbers[-1], left - 1


def _chain(start: int, fat: tuple[int, ...]) -> Iterator[int]:
    for _ in range(len(fat) + 1):  # a chain that bites its tail ends too
        if start >= _END:
            return
        yield start
        start = fat[start]


def _numbers(content: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])


# XLSB ---------------------------------------------------------------------------------------------


def _xlsb(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, int, CellMark]]:
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314 # as in xlsx_slices
    targets = {one.get("Id"): one.get("Target", "") for one in relations.iter(_RELATION)}
    records = list(_binary_records(archive.read("xl/workbook.bin")))
    # BrtCalcProp begins with the version that calculated it last: as 0x1C1 of an XLS.
    calculated = any(kind == 157 and body[:4] != bytes(4) for kind, body in records)
    for kind, body in records:
        if kind == 156:
            relation, after = _text(body, 8)
            if _text(body, after)[0] == name:
                target = targets[relation]
                entry = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
                yield from _binary_marks(archive.read(entry), _binary_styles(archive), calculated)


def _binary_styles(archive: zipfile.ZipFile) -> dict[int, PercentFormat]:
    if "xl/styles.bin" not in archive.namelist():
        return {}
    codes: dict[int, str] = {}
    used: list[int] = []
    within = False
    for kind, body in _binary_records(archive.read("xl/styles.bin")):
        if kind == 44:
            codes[struct.unpack_from("<H", body)[0]] = _text(body, 2)[0]
        elif kind in (617, 618):
            within = kind == 617
        elif kind == 47 and within:
            used.append(struct.unpack_from("<H", body, 2)[0])
    return _styles(codes, used)


def _binary_marks(
    content: bytes, percent: Mapping[int, PercentFormat], calculated: bool
) -> Iterator[tuple[int, int, CellMark]]:
    row = 0
    for kind, body in _binary_records(content):
        if kind == 0:
            row = struct.unpack_from("<I", body)[0]
        elif kind in (3, 11):
            yield row, struct.unpack_from("<I", body)[0], _ERRORS.get(body[8], "#N/A")
        elif _is_uncalculated(kind, body, calculated):
            yield row, struct.unpack_from("<I", body)[0], NOT_CALCULATED
        elif percent and kind in (2, 5, 9):
            column, style = struct.unpack_from("<II", body)
            if shows := percent.get(style & 0xFFFFFF):
                yield row, column, shows


def _is_uncalculated(kind: int, body: bytes, calculated: bool) -> bool:
    """Whether it is a formula (of a text or a number) whose result is none; two bytes of flags follow it."""
    width = {8: 4, 9: 8}.get(kind)
    if width is None or any(body[8 : 8 + width]):
        return False
    return not calculated or body[8 + width] & 2 == 2  # to be calculated when it is opened


def _binary_records(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(content):
        kind, position = _varying(content, position, 2)
        size, position = _varying(content, position, 4)
        yield kind, content[position : position + size]
        position += size


def _varying(content: bytes, position: int, most: int) -> tuple[int, int]:
    value = 0
    for place in range(most):
        byte = content[position + place]
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            break
    return value, position + place + 1


def _text(body: bytes, position: int) -> tuple[str, int]:
    end = position + 4 + 2 * struct.unpack_from("<I", body, position)[0]
    return body[position + 4 : end].decode("utf-16-le"), end


# ODS ----------------------------------------------------------------------------------------------


def _ods(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, int, CellMark]]:
    within, row = False, 0
    with archive.open("content.xml") as stream:
        for event, node in ElementTree.iterparse(stream, ("start", "end")):  # noqa: S314 # as in xlsx_slices
            if node.tag == f"{_TABLE}table":
                within, row = event == "start" and node.get(f"{_TABLE}name") == name, 0
            elif event == "end" and node.tag == f"{_TABLE}table-row":
                if within:
                    yield from ((row, column, mark) for column, mark in _marks_in_row(node))
                row += times_repeated(node, "rows")
                node.clear()


def _marks_in_row(row: ElementTree.Element) -> Iterator[tuple[int, CellMark]]:
    column = 0
    for cell in row:
        if not cell.tag.endswith("table-cell"):
            continue
        repeated = times_repeated(cell, "columns")
        if cell.get(f"{_TABLE}formula") is not None and repeated < 1000:
            text = "".join(cell.itertext()).strip()
            if cell.get(_CALC) == "error" or text.startswith(("#", "Err:")):
                yield from (
                    (column + one, text if text.startswith("#") else "#VALUE!") for one in range(repeated)
                )
            elif not text and not _has_result(cell):
                yield from ((column + one, NOT_CALCULATED) for one in range(repeated))
        if cell.get(f"{_OFFICE}value-type") == "percentage" and repeated < 1000:
            yield from ((column + one, _PERCENTAGE) for one in range(repeated))
        column += repeated


def _has_result(cell: ElementTree.Element) -> bool:
    """Whether a formula's cell holds what came of it; an empty text may stand as an empty paragraph only."""
    if any(cell.get(f"{_OFFICE}{one}") is not None for one in _RESULTS):
        return True
    return cell.get(f"{_OFFICE}value-type") == "string" and len(cell) > 0
