"""Columns in the encodings of old fonts: read as they were meant where a whole column agrees.

Each chunk of a tab is looked at when the rows of T0 people are out of it, so nothing of theirs decides or
is shown. A column is decided once, from the first chunk with text that nobody writes so; later chunks are
held to that. What does not agree is a bad cell that says how it would read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from adapter.records.importing.parsed_row import ConvertedCell, InvalidCell, ParsedRow, remarks_of
from adapter.records.importing.row_reader import RowReader
from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.vietnamese_text.readings import (
    is_vietnamese,
    legacy_readings,
    loose_reading,
    other_reading,
)

__all__ = ["ColumnTexts"]

_ENOUGH = 2  # words or cells that nobody writes so, beside others that are Vietnamese as they stand
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class _Decision:
    """`encoding` None: the column does not agree. `pure`: none of its text can be anything else."""

    encoding: str | None
    pure: bool


class ColumnTexts:
    """The columns of one tab."""

    def __init__(self, reader: RowReader) -> None:
        self.reader = reader
        self._decided: dict[str, _Decision] = {}
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
        found: list[tuple[str, list[str], list[Mapping[str, str]]]] = []
        for field, place in self.reader.text_places.items():
            if field not in self._decided:
                texts = list(_texts(rows, place))
                odd = [readings for text in texts if (readings := legacy_readings(text))]
                if odd:
                    found.append((field, texts, odd))
        for field, texts, odd in sorted(found, key=lambda one: -len(one[2])):
            self._decided[field] = self._decision(texts, odd)

    def _decision(self, texts: list[str], odd: list[Mapping[str, str]]) -> _Decision:
        agreed = [name for name in odd[0] if all(name in readings for readings in odd)]
        if len({tuple(readings[name] for readings in odd) for name in agreed}) > 1:
            elsewhere = {decision.encoding for decision in self._decided.values()}
            agreed = [name for name in agreed if name in elsewhere]
        if not agreed:
            return _Decision(None, pure=False)
        encoding = agreed[0]
        pure = self._first and not any(_is_unicode(encoding, text) for text in texts)
        if not pure and len(odd) < _ENOUGH and _odd_words(texts, encoding) < _ENOUGH:
            return _Decision(None, pure=False)
        return _Decision(encoding, pure)

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


def _judge(cell: str, decision: _Decision) -> tuple[str | None, dict[str, object] | None]:
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


def _odd_words(texts: list[str], encoding: str) -> int:
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
