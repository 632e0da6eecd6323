"""Cells that come again and again are read once: what each says does not change by it."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from adapter.records.importing.row_reader import ImportContext, RowReader
from adapter.records.sheets.columns import HeaderRow
from adapter.records.sheets.layout import SHEETS

KNOWN = ImportContext(frozenset(), None, datetime(2026, 12, 31, tzinfo=UTC))
MEASUREMENTS = SHEETS[2]


def reader() -> RowReader:
    titles = ["Mã lượt khám", "Mã chỉ số", "Giá trị"]
    return RowReader(MEASUREMENTS, HeaderRow(MEASUREMENTS, titles, source="a.xlsx"), KNOWN)


def read(rows: RowReader, number: int, value: Any) -> Any:
    row = rows.read(number, ["K1", "BIO-GLUF", value])
    return row.fields.get("value"), [cell.expected for cell in row.bad]


@pytest.mark.parametrize("values", list(permutations([1, 1.0, True, "1"])))
def test_what_a_cell_says_does_not_depend_on_the_cells_above(values: tuple[Any, ...]) -> None:
    one, alone = reader(), [read(reader(), 2, value) for value in values]
    assert [read(one, number, value) for number, value in enumerate(values * 2, 2)] == alone * 2
    assert sum(bad != [] for _, bad in alone) == 1  # the truth value


def test_a_bad_cell_is_bad_every_time() -> None:
    one = reader()
    assert {str(read(one, number, "#N/A")) for number in range(2, 6)} == {"(None, ['expect_no_error'])"}
    assert {str(read(one, number, "")) for number in range(2, 6)} == {"(None, ['expect_something'])"}


def test_text_of_an_old_font_is_seen_though_it_was_read_before() -> None:
    one = reader()
    for number in range(2, 5):
        read(one, number, "b×nh th­êng")
    assert one.odd
