"""Columns in the encodings of old fonts: read as they were meant where a whole column agrees.

Each chunk of a tab is looked at when the rows of T0 people are out of it, so nothing of theirs decides or
is shown. A column is decided once, from the first chunk with text that nobody writes so; later chunks are
held to that. What could be of two encodings is of that which other columns of the file are in. What does not
agree is a bad cell that says how it would read.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made
from typing import TypeVar

from adapter.records.importing.parsed_row import ConvertedCell, InvalidCell, ParsedRow, remarks_of
from adapter.records.importing.row_reader import RowReader
from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.vietnamese_text.readings import (
    is_vietnamese,
    legacy_readings,
    loose_reading,
    other_reading,
)

__all__ = ["ColumnEncoding", "ColumnTexts", "FileEncodings", "column_encodings", "read_in_encoding"]

Place = TypeVar("Place", bound=Hashable)

_ENOUGH = 2  # words or cells that nobody writes so, beside others that are Vietnamese as they stand
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ColumnEncoding:
    """`encoding` None: the column does not agree. `pure`: none of its text can be anything else."""

    encoding: str | None
    pure: bool


@dataclass(frozen=True, slots=True)
class FileEncodings:
    """In which encodings a file's text is: those `found` so far, and what a look `ahead` finds."""

    found: set[str] = made(default_factory=set)
    ahead: Callable[[], set[str]] = set


def column_encodings(
    columns: Mapping[Place, Sequence[str]], of_file: FileEncodings, *, whole: bool = True
) -> dict[Place, ColumnEncoding]:
    """The encodings of those columns, by their texts beyond ASCII, that have text that nobody writes so;
    they are added to those that were found in the file. `whole`: no text came before these.
    """
    found = [
        (place, texts, odd)
        for place, texts in columns.items()
        if (odd := [readings for text in texts if (readings := legacy_readings(text))])
    ]
    decided: dict[Place, ColumnEncoding] = {}
    for place, texts, odd in sorted(found, key=lambda one: -len(one[2])):
        decided[place] = one = _decision(texts, odd, of_file, whole=whole)
        if one.encoding is not None:
            of_file.found.add(one.encoding)
    return decided


def read_in_encoding(text: str, column: ColumnEncoding | None) -> str:
    """A cell's text as its column is read, where it is read otherwise than it stands."""
    return text if column is None or text.isascii() else _judge(text, column)[0] or text


def _decision(
    texts: Sequence[str], odd: Sequence[Mapping[str, str]], of_file: FileEncodings, *, whole: bool
) -> ColumnEncoding:
    agreed = [name for name in odd[0] if all(name in readings for readings in odd)]
    if _differ(odd, agreed):
        agreed = _among(odd, agreed, of_file.found) or _among(odd, agreed, of_file.ahead())
    if not agreed:
        return ColumnEncoding(None, pure=False)
    encoding = agreed[0]
    pure = whole and not any(_is_unicode(encoding, text) for text in texts)
    if not pure and len(odd) < _ENOUGH and _odd_words(texts, encoding) < _ENOUGH:
        return ColumnEncoding(None, pure=False)
    return ColumnEncoding(encoding, pure)


def _among(odd: Sequence[Mapping[str, str]], agreed: Sequence[str], known: set[str]) -> list[str]:
    """Those that are known, unless they too read differently."""
    left = [name for name in agreed if name in known]
    return [] if _differ(odd, left) else left


def _differ(odd: Sequence[Mapping[str, str]], names: Sequence[str]) -> bool:
    return len({tuple(readings[name] for readings in odd) for name in names}) > 1


class ColumnTexts:
    """The columns of one tab."""

    def __init__(self, reader: RowReader, of_file: FileEncodings) -> None:
        self.reader = reader
        self._of_file = of_file
        self._decided: dict[str, ColumnEncoding] = {}
        self._first = True

    def settle(self, rows: Iterable[ParsedRow]) -> None:
        """Read a chunk's rows again, where a column is to be read otherwise."""
        if self._decided or self.reader.odd:
            rows = [row for row in rows if not (row.refused or row.withheld)]
            self._decide(rows)
            for row in rows:
                self._reread(row)
        self._first = False

    def _decide(self, rows: list[ParsedRow]) -> None:
        texts = {
            field: list(_texts(rows, place))
            for field, place in self.reader.text_places.items()
            if field not in self._decided
        }
        self._decided |= column_encodings(texts, self._of_file, whole=self._first)

    def _reread(self, row: ParsedRow) -> None:
        cells = list(row.cells)
        converted: list[ConvertedCell] = []
        bad: dict[str, InvalidCell] = {}
        for field, decision in self._decided.items():
            place = self.reader.text_places[field]
            cell = cells[place] if place < len(cells) else ""
            if not isinstance(cell, str) or cell.isascii():
                continue
            read, wrong = _judge(cell, decision)
            title = self.reader.title(field)
            if wrong is not None:
                bad[field] = InvalidCell(title, cell.strip()[:_SHOWN], "expect_unicode", wrong)
            elif read is not None and decision.encoding:
                converted.append(ConvertedCell(title, decision.encoding, cell.strip(), read.strip()))
                cells[place] = read
        if converted:
            self.reader.read_again(row, cells)
            remarks_of(row).converted += converted
        if bad and not row.deleted:
            said = {cell.column for cell in bad.values()}
            row.bad = [cell for cell in row.bad if cell.column not in said]
            for field, cell in bad.items():
                self.reader.lose(row, field, cell)


def _judge(cell: str, decision: ColumnEncoding) -> tuple[str | None, dict[str, object] | None]:
    """What the cell says instead; or why it is bad: it reads otherwise than its column."""
    readings = legacy_readings(cell)
    encoding = decision.encoding
    if readings:
        if encoding and encoding in readings:
            return readings[encoding], None
        name, meant = next(iter(readings.items()))
        return None, {"encoding": name, "read": meant[:_SHOWN]}
    if encoding is None:
        return None, None
    read = (loose_reading if decision.pure else other_reading)(encoding, cell)
    if read is None or decision.pure:
        return read, None
    return None, {"encoding": encoding, "read": read[:_SHOWN]}


def _texts(rows: list[ParsedRow], place: int) -> Iterator[CellValue]:
    for row in rows:
        cell = row.cells[place] if place < len(row.cells) else ""
        if isinstance(cell, str) and not cell.isascii():
            yield cell


def _is_unicode(encoding: str, text: str) -> bool:
    """Whether the text is Vietnamese as it stands, and nothing in that encoding."""
    return is_vietnamese(text) and other_reading(encoding, text) is None


def _odd_words(texts: Sequence[str], encoding: str) -> int:
    """How many words change, in the text of them that changes most."""
    readings = ((text, legacy_readings(text).get(encoding)) for text in texts)
    return max(
        (
            sum(a != b for a, b in zip(text.split(), read.split(), strict=False))
            for text, read in readings
            if read
        ),
        default=0,
    )
