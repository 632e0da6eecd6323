"""Cells of XLS, XLSB and ODS that hold an error such as #N/A, which calamine reads as empty.

Only what can hold one is looked at: the records of errors and of formulas (MS-XLS, MS-XLSB), cells of ODS
with a formula. A file that is not as it should be has none here: calamine says what is wrong with it.
"""

import struct
import zipfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from xml.etree import ElementTree

from adapter.records.sheets.cell_parsers import NOT_CALCULATED
from adapter.records.sources.workbook_limits import times_repeated

__all__ = ["FailedCells", "failed_cells"]

FailedCells = dict[int, dict[int, str]]  # row from 1, column from 0, error
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA  # sector numbers from here on are marks
_ODF = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TABLE, _OFFICE = _ODF % "table", _ODF % "office"
_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def failed_cells(path: Path, name: str) -> FailedCells:
    """The cells of the sheet `name` that hold an error."""
    try:
        if not zipfile.is_zipfile(path):
            return _failed(_xls(path.read_bytes(), name))
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "content.xml" in names:
                return _failed(_ods(archive, name))
            if "xl/workbook.bin" in names:
                return _failed(_xlsb(archive, name))
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


def _failed(cells: Iterator[tuple[int, int, str]]) -> FailedCells:
    found: FailedCells = {}
    for row, column, error in cells:
        found.setdefault(row + 1, {})[column] = error
    return found


# XLS ----------------------------------------------------------------------------------------------


def _xls(content: bytes, name: str) -> Iterator[tuple[int, int, str]]:
    if not content.startswith(_OLE):
        return
    book = _workbook_stream(content)
    for start in [position for title, position in _sheets(book) if title == name]:
        depth = 0
        for kind, body in _records(book, start):
            depth += (kind == 0x809) - (kind == 0x0A)  # a chart within the sheet has its own begin and end
            if depth == 0:
                break
            row, column = struct.unpack_from("<HH", body) if len(body) > 7 else (0, 0)
            if kind == 0x205 and body[7]:
                yield row, column, _ERRORS.get(body[6], "#N/A")
            elif kind == 0x06 and body[12:14] == b"\xff\xff" and body[6] == 2:
                yield row, column, _ERRORS.get(body[8], "#N/A")


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


def _xlsb(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, int, str]]:
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314 # as in xlsx_slices
    targets = {one.get("Id"): one.get("Target", "") for one in relations.iter(_RELATION)}
    for kind, body in _binary_records(archive.read("xl/workbook.bin")):
        if kind == 156:
            relation, after = _text(body, 8)
            if _text(body, after)[0] == name:
                target = targets[relation]
                entry = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
                yield from _binary_errors(archive.read(entry))


def _binary_errors(content: bytes) -> Iterator[tuple[int, int, str]]:
    row = 0
    for kind, body in _binary_records(content):
        if kind == 0:
            row = struct.unpack_from("<I", body)[0]
        elif kind in (3, 11):
            yield row, struct.unpack_from("<I", body)[0], _ERRORS.get(body[8], "#N/A")


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


def _ods(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, int, str]]:
    within, row = False, 0
    with archive.open("content.xml") as stream:
        for event, node in ElementTree.iterparse(stream, ("start", "end")):  # noqa: S314 # as in xlsx_slices
            if node.tag == f"{_TABLE}table":
                within, row = event == "start" and node.get(f"{_TABLE}name") == name, 0
            elif event == "end" and node.tag == f"{_TABLE}table-row":
                if within:
                    yield from ((row, column, error) for column, error in _failed_in_row(node))
                row += times_repeated(node, "rows")
                node.clear()


def _failed_in_row(row: ElementTree.Element) -> Iterator[tuple[int, str]]:
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
            elif cell.get(f"{_OFFICE}value-type") is None and not text:
                yield from ((column + one, NOT_CALCULATED) for one in range(repeated))
        column += repeated
