"""A CSV as a table: streamed, whatever it is encoded in and separated by."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from adapter.errors import ImportRefused
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.sheets.formula_cells import restored
from adapter.records.sheets.tab import Tab

__all__ = ["csv_table"]

_SEPARATOR = re.compile(r"\ufeff?\"?sep=([;,\t])", re.IGNORECASE)
_SEPARATORS = ";,\t"
_TOP_LINES = 12
_TOP_ROWS = 60
_COLUMNS = 3  # separators at least: every sheet has four required columns
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SNIFFED = 1 << 20  # bytes that the encoding is found in
_ONSET = r"(?:b|c|ch|d|đ|g|gh|gi|h|k|kh|l|m|n|ng|ngh|nh|p|ph|qu|r|s|t|th|tr|v|x)?"
_NUCLEUS = r"(?:[aăâeêioôơuưy]|ai|ao|au|ay|âu|ây|eo|êu|ia|iê|iu|oa|oă|oe|oi|oo|ôi|ơi"
_NUCLEUS += r"|ua|uâ|uê|ui|uô|uơ|uy|ưa|ưi|ươ|ưu|iêu|oai|oao|oay|oeo|uây|uôi|uya|uyê|uyu|ươi|ươu|yê|yêu)"
_CODA = r"(?:c|ch|m|n|ng|nh|p|t)?"
_SYLLABLE = re.compile(_ONSET + _NUCLEUS + _CODA)
_WORD = re.compile(r"[^\W\d_]+")
_RAISED = str.maketrans("", "", "²³¹ºª")
_FOREIGN = 0.05  # of the different words: names and loans that are no syllables
_TONES = {ord(mark): None for mark in "\u0300\u0301\u0303\u0309\u0323"}


def csv_table(path: Path, partial_: bool) -> RawTable:
    """The table of a CSV file. Raises ImportRefused, when it is read, for one in no known encoding."""
    return RawTable(
        path.name,
        path.stem,
        partial_,
        path.stat().st_size,
        True,
        partial(_csv_rows, path),
        lambda: list(islice((row for row in _csv_rows(path, None) if any(row[1])), _TOP_ROWS)),
    )


def _csv_rows(path: Path, tab: Tab | None) -> Iterator[NumberedRow]:
    with path.open("rb") as raw:
        encoding = _encoding(path, raw.read(_SNIFFED))
        raw.seek(0)
        wrapped = io.TextIOWrapper(raw, encoding, errors="strict", newline="")
        try:
            first = [wrapped.readline() for _ in range(_TOP_LINES)]
            wrapped.seek(0)
            reader = csv.reader(wrapped, delimiter=_delimiter(first), strict=True)
            for number, cells in enumerate(reader, 1):
                if tab is not None:
                    tab.done = raw.tell()
                if number > 1 or not _SEPARATOR.match(first[0]):
                    yield number, [restored(cell) if cell.startswith("'") else cell for cell in cells]
        except UnicodeDecodeError as error:
            raise ImportRefused("import.not_utf8", file=path.name) from error
        except csv.Error as error:
            raise ImportRefused("import.not_csv", file=path.name, line=reader.line_num) from error


def _encoding(path: Path, start: bytes) -> str:
    """The encoding: what its mark says, UTF-16 without one, UTF-8; else Windows-1258, if what comes out are
    Vietnamese syllables. Other encodings (TCVN3, VNI) would come out as other letters.
    """
    for mark, name in _BOMS.items():
        if start.startswith(mark):
            return name
    if start[1:2] == b"\0" or start[:1] == b"\0":
        return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError as error:
        if not _is_windows_vietnamese(start):
            raise ImportRefused("import.not_utf8", file=path.name) from error
        return "cp1258"
    return "utf-8"


def _is_windows_vietnamese(content: bytes) -> bool:
    try:
        text = unicodedata.normalize("NFC", codecs.getincrementaldecoder("cp1258")().decode(content))
    except UnicodeDecodeError:
        return False
    if any(
        ord(letter) > 127 and not letter.isalnum() and letter not in "“”‘’–—…°²³µ±÷×«»€‰" for letter in text
    ):
        return False
    plain = text.translate(_RAISED)
    words = {word for word in _WORD.findall(plain) if not word.isascii()}
    foreign = sum(not _is_syllable(word) for word in words)  # Hmông, Urê
    return bool(words) and foreign <= len(words) * _FOREIGN


def _is_syllable(word: str) -> bool:
    if word[0] == "µ" or (word.isupper() and word.replace("Đ", "").isascii()):
        return True  # a unit, or letters that stand for words: SKĐK
    bare = unicodedata.normalize("NFC", unicodedata.normalize("NFD", word.casefold()).translate(_TONES))
    return bool(_SYLLABLE.fullmatch(bare))


def _delimiter(lines: list[str]) -> str:
    """What Excel's own first line says, else what is most frequent in the first line that looks a header, or
    in all of them.
    """
    if match := _SEPARATOR.match(lines[0]):
        return match[1]
    header = next((line for line in lines if max(map(line.count, _SEPARATORS)) >= _COLUMNS), "".join(lines))
    return max(_SEPARATORS, key=header.count)
