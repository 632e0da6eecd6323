"""Workbooks that unpack without end, or whose cells lie further apart than any table is large, are refused
before anything of them is read: a reader makes room for the whole rectangle between first and last cell.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from adapter.errors import ImportRefused

__all__ = ["check_workbook", "times_repeated"]

_MAX_UNPACKED = 2_000_000_000  # bytes; what unpacks to more is an attack or a mistake
_NOTICED = 50_000_000  # bytes; below it nothing can go wrong
_MAX_RATIO = 300  # unpacked to packed; sheets of real tables have 10 to 40
_MAX_COLUMNS = 2_000
_MAX_CELLS = 50_000_000  # of the rectangle
_BLOCK = 1 << 20
_LONGEST_CELL = 200  # bytes of a cell's opening that a block may cut in two
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_SHAPE = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789", b"A" * 26 + b"0" * 9)
# One that is only formatted is empty, in whichever of the two ways a writer says that.
_FILLED = re.compile(rb"""<c\b[^>]*?\br=["']([A-Z]+)(\d+)["'][^>]*(?<!/)>(?!</c>)(?=[\s\S])""")
_ROW = re.compile(rb"""<row\b[^>]*?\br=["'](\d+)""")


def check_workbook(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises ImportRefused for what is too large, BadZipFile for entries that hold other than they say."""
    unpacked = sum(entry.file_size for entry in archive.infolist())
    packed = sum(entry.compress_size for entry in archive.infolist())
    if unpacked > _MAX_UNPACKED or (unpacked > _NOTICED and unpacked > _MAX_RATIO * packed):
        raise ImportRefused("import.too_large", file=path.name)
    try:
        for entry in archive.infolist():
            if entry.filename == "content.xml":
                _measure_ods(path, archive, entry)
            elif _SHEET.fullmatch(entry.filename):
                if _looks_wide(archive, entry):
                    _measure(path, archive, entry)
            else:
                _unpack(archive, entry)
    except (zlib.error, EOFError, ElementTree.ParseError, NotImplementedError, RuntimeError) as error:
        raise zipfile.BadZipFile from error


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """To its end, and none of it kept: an entry that holds more than it says fails here."""
    for _ in _blocks(archive, entry):
        pass


def _blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What it holds, each block with the end of the one before."""
    with archive.open(entry) as stream:
        before = b""
        while block := stream.read(_BLOCK):
            yield before + block
            before = block[-_LONGEST_CELL:]


def _looks_wide(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a column has three letters, or row numbers run far ahead of the rows. In a fraction of the time
    that reading takes.
    """
    wide, rows, last = False, 0, 0
    for block in _blocks(archive, entry):
        shape = block.translate(_SHAPE)
        wide = wide or b'"AAA0' in shape or b"'AAA0" in shape
        rows += block.count(b"<row")
        if found := _ROW.search(block, max(block.rfind(b"<row"), 0)):
            last = max(last, int(found[1][:9]))
    return wide or last > 4 * rows + 10_000


def _measure(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """How large the rectangle is; cells that are only formatted do not count."""
    columns = rows = 0
    for block in _blocks(archive, entry):
        for letters, number in _FILLED.findall(block):
            columns = max(columns, _column(letters))
            rows = max(rows, int(number[:9]))
        if columns > _MAX_COLUMNS or columns * rows > _MAX_CELLS:
            raise ImportRefused("import.too_wide", file=path.name)


def _measure_ods(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """The same of an ODS, where a cell or a row says how often it stands there: a few bytes can be a table
    without end. What is empty up to the end of a row, or of the table, does not count.
    """
    columns = rows = above = 0
    with archive.open(entry) as stream:
        for event, node in ElementTree.iterparse(stream, ("start", "end")):  # noqa: S314 # as in xlsx_slices
            if event == "start" and node.tag == f"{_TABLE}table":
                columns = rows = above = 0
            elif event == "end" and node.tag == f"{_TABLE}table-row":
                above += times_repeated(node, "rows")
                if width := _width(node):
                    columns, rows = max(columns, width), above
                node.clear()
                if columns > _MAX_COLUMNS or columns * rows > _MAX_CELLS:
                    raise ImportRefused("import.too_wide", file=path.name)


def _width(row: ElementTree.Element) -> int:
    """Columns of a row up to its last cell that holds anything."""
    width = past = 0
    for cell in row:
        if cell.tag.endswith("table-cell"):
            past += times_repeated(cell, "columns")
            width = past if len(cell) or any(one.startswith(_OFFICE) for one in cell.attrib) else width
    return width


def times_repeated(node: ElementTree.Element, what: str) -> int:
    """How often an ODS says that a cell or row stands there, in `rows` or `columns`; 1 where it says none."""
    said = node.get(f"{_TABLE}number-{what}-repeated", "1")
    return int(said[:9]) if said.isascii() and said.isdigit() else 1


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:5]:
        number = number * 26 + letter - 64
    return number
