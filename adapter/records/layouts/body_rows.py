"""The rows below a header that are records, and those that are none: totals, groups, headers again, the line
of column numbers, what stands below a table. What is left out is counted and said, by row number alone.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from adapter.records.layouts.header_block import HeaderBlock
from adapter.records.layouts.raw_table import MergedRange, NumberedRow
from adapter.records.layouts.titles import title_of
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.vietnamese_text.readings import all_readings, legacy_readings

__all__ = ["LeftOutRows", "body_rows"]

_TOTALS = re.compile(
    r"(?:tổng(?: cộng| số)?|cộng|trung bình|bình quân|total|sum|subtotal|average|mean)\b", re.IGNORECASE
)
_BELOW = re.compile(
    r"(?:ghi chú|người (?:lập|tổng hợp|duyệt|kiểm tra|thực hiện)|kế toán|(?:phó )?giám đốc|thủ trưởng|"
    r"lãnh đạo|phụ trách|(?:phó )?trưởng (?:khoa|phòng|ban|trạm)|bác sĩ\b|tm\.|kt\.|xác nhận|duyệt\b|"
    r"\((?:đã )?ký|(?:đã )?ký tên|ngày[\s.…\d]+tháng|.{2,40}, ngày[\s.…\d]+tháng|note:|signed)",
    re.IGNORECASE,
)
_COUNTED = (
    "lượt|lần|ca|người|cán bộ|đồng chí|đ/c|trường hợp|hồ sơ|phiếu|mẫu|dòng|kết quả|nam|nữ|"
    "visits?|people|rows?"
)
_AMOUNT = re.compile(rf"[-+]?[\d.,\s]+(?:%|(?:{_COUNTED})(?: khám| bệnh)?)?\s*[.;]?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_GROUP = re.compile(r"(?:[IVXLC]{1,5}|[A-HĐ])[.)/]?")
_COLUMN_NUMBER = re.compile(r"\(?(\d{1,3})\)?|[A-Z]")
_SIGNED = 8  # rows below a line of signatures, where names stand
_NAMED = 10  # row numbers that a line names


class LeftOutRows:
    """Row numbers that were left out; the first are named."""

    def __init__(self) -> None:
        self.count = 0
        self._rows: list[int] = []

    def add(self, number: int) -> None:
        """One more."""
        self.count += 1
        if len(self._rows) < _NAMED:
            self._rows.append(number)

    @property
    def first(self) -> tuple[int, ...]:
        """Those that are named."""
        return tuple(self._rows)

    def __str__(self) -> str:
        more = ", …" if self.count > len(self._rows) else ""
        return ", ".join(map(str, self._rows)) + more


def body_rows(
    rows: Iterator[NumberedRow],
    header: HeaderBlock,
    key: int,
    tier: int | None,
    *,
    merged: Sequence[MergedRange],
    left_out: LeftOutRows,
) -> Iterator[NumberedRow]:
    """The records' rows. A row that has a key, in column `key`, and more, is a record, if it is not the
    header again; so is one that says something in the column `tier`. Cells merged downwards hold for all
    their rows.
    """
    last = header.rows[-1] if header.rows else 0
    below = _Below(header, key, tier)
    for number, cells in rows if not merged else _filled_down(rows, merged):
        if number <= last:
            continue
        if below.is_record(cells):
            yield number, cells
        elif any(cell not in ("", None) for cell in cells):
            left_out.add(number)


class _Below:
    """What the rows below one header are."""

    def __init__(self, header: HeaderBlock, key: int, tier: int | None) -> None:
        self._headers = [[one for one in cells if one] for cells in header.cells]
        self._key = key
        self._tier = tier
        self._titles = {cells[self._key] for cells in header.cells if self._key < len(cells)} - {""}
        self._numbered = False
        self._signed = 0  # so many rows below a line of signatures are left

    def is_record(self, cells: list[CellValue]) -> bool:
        """Whether the row is a record; the first look is at its key alone."""
        key = cells[self._key] if self._key < len(cells) else ""
        if (
            key.__class__ is str
            and key
            and self._numbered
            and " " not in key
            and key not in self._titles
            and _is_plain(key)
            and (cells[0].__class__ is not str or _is_plain(cells[0]))
        ):
            return True
        first = not self._numbered
        self._numbered = True
        written = [text for cell in cells if (text := _text(cell) if cell is not None else "")]
        if not written or self._is_header(cells) or (first and _is_numbering(written)):
            return False
        if _is_total(written) or self._is_signature(written, cells) or self._is_group(written, cells):
            return False
        if isinstance(key, str) and (not key.strip() or len(written) == 1 or _matches(_TOTALS, key)):
            return not self._is_none(_text(key), written, cells)
        return True

    def _is_header(self, cells: list[CellValue]) -> bool:
        written = [title for cell in cells if (title := title_of(cell))]
        return any(len(titles) > 1 and _same(written, titles) for titles in self._headers)

    def _is_signature(self, written: list[str], cells: list[CellValue]) -> bool:
        """Whether a row holds who made and who approved the list, or below that their names: no number in
        any cell, as a key has.
        """
        self._signed = max(0, self._signed - 1)
        if len(written) > 1 and all(_matches(_BELOW, one) for one in written):
            self._signed = _SIGNED
            return True
        named = self._signed and not any(map(str.isdigit, "".join(written)))
        return bool(named) and not self._says_tier(cells)

    def _is_group(self, written: list[str], cells: list[CellValue]) -> bool:
        """Whether a row is the heading of a group: `II | Khối Đảng, đoàn thể`."""
        return (
            len(written) == 2
            and _GROUP.fullmatch(written[0]) is not None
            and len(_WORD.findall(written[1])) > 1
            and not any(map(str.isdigit, written[1]))
            and not self._says_tier(cells)
        )

    def _says_tier(self, cells: list[CellValue]) -> bool:
        return self._tier is not None and self._tier < len(cells) and cells[self._tier] not in ("", None)

    def _is_none(self, key: str, written: list[str], cells: list[CellValue]) -> bool:
        """Whether a row is no record that has no key, or nothing but one cell, or a total as its key."""
        if _matches(_TOTALS, key or written[0]) or self._says_tier(cells):
            return False  # of totals there is more than that; a tier may say T0, in however many words
        if len(set(written)) == 1:  # one cell, perhaps merged over all columns
            return len(_WORD.findall(written[0])) > 1 or _matches(_BELOW, written[0])
        return not key and all(_matches(_BELOW, one) for one in written)


@lru_cache(maxsize=5_000)
def _is_plain(text: str) -> bool:
    """Whether a text can be neither a total, nor the number of a group, nor text of an old font."""
    return text.isascii() and not _TOTALS.match(text) and not _GROUP.fullmatch(text)


def _is_total(written: list[str]) -> bool:
    """Whether a row holds totals and nothing besides, in whichever columns."""
    return _matches(_TOTALS, written[0]) and all(
        _matches(_TOTALS, one) or any(map(_AMOUNT.fullmatch, all_readings(one))) for one in written
    )


def _text(cell: CellValue) -> str:
    """As text; that of an old font stays as it is, for some of its letters look like white space."""
    return cell.strip() if isinstance(cell, str) and legacy_readings(cell) else cell_text(cell)


def _matches(pattern: re.Pattern[str], written: str) -> bool:
    return any(map(pattern.match, all_readings(written)))  # in old fonts too


def _same(written: list[str], titles: list[str]) -> bool:
    return written == titles or (len(written) > 2 and set(written) <= set(titles))


def _is_numbering(written: list[str]) -> bool:
    """The line of column numbers below a header: (1) (2) (3), or A B 1 2 3."""
    matches = [_COLUMN_NUMBER.fullmatch(one) for one in written]
    if len(written) < 3 or not all(matches):
        return False
    numbers = [int(match[1]) for match in matches if match and match[1]]
    return not numbers or (numbers[0] < 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))))


def _filled_down(rows: Iterator[NumberedRow], merged: Sequence[MergedRange]) -> Iterator[NumberedRow]:
    starts: dict[int, list[tuple[int, int]]] = {}
    for (first, left), (last, _) in merged:
        if last > first:
            starts.setdefault(first + 1, []).append((left, last + 1))
    held: dict[int, tuple[CellValue, int]] = {}
    for number, cells in rows:
        for place, (value, last) in list(held.items()):
            if number > last:
                del held[place]
            elif place < len(cells) and cells[place] in ("", None):
                cells[place] = value
        for place, last in starts.get(number, ()):
            if place < len(cells):
                held[place] = (cells[place], last)
        yield number, cells
