"""A value's cell: flag and per cent sign go where they belong, and what contradicts another cell waits."""

from typing import Any

import pytest

from adapter.records.importing.measured_cells import settle_value


@pytest.mark.parametrize(
    ("value", "beside", "expected"),
    [
        ("5.3 H", {}, {"value": "5.3", "flag": "H"}),
        ("7,8 (H)", {"unit": "mmol/L"}, {"value": "7.8", "flag": "H", "unit": "mmol/L"}),
        ("*7.8", {"flag": "H"}, {"value": "7.8", "flag": "H"}),
        ("7.8↑", {"flag": "A"}, {"value": "7.8", "flag": "H"}),
        ("7.8 HH", {"flag": "H"}, {"value": "7.8", "flag": "HH"}),
        ("<0,1 L", {}, {"value": "<0.1", "flag": "L"}),
        ("150/95 H", {}, {"value": "150/95", "flag": "H"}),
        ("6,5%", {}, {"value": "6.5", "unit": "%"}),
        ("6.5 %", {"unit": "%"}, {"value": "6.5", "unit": "%"}),
        ("<6 % L", {}, {"value": "<6", "unit": "%", "flag": "L"}),
        ("-1.5%", {}, {"value": "-1.5", "unit": "%"}),
    ],
)
def test_each_goes_where_it_belongs(value: str, beside: dict[str, Any], expected: dict[str, Any]) -> None:
    fields = {"measure": "BIO-GLU", "value": value, **beside}
    assert settle_value(fields) is None
    assert fields == {"measure": "BIO-GLU", **expected}


@pytest.mark.parametrize(
    "value", ["5.3", "120/80", "A", "âm tính", "âm tính *", "%", "5-10", "1/80", "5 mmol/L"]
)
def test_what_is_none_of_these_stays(value: str) -> None:
    fields = {"measure": "X", "value": value}
    assert settle_value(fields) is None
    assert fields == {"measure": "X", "value": value}


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        ("5.3 H", {"flag": "L"}, "held_flags"),
        ("5.3↓", {"flag": "N"}, "held_flags"),
        ("42%", {"unit": "L/L"}, "held_percent"),
        ("42 %", {"unit": "mmol/L"}, "held_percent"),
        ("6% H", {"flag": "L"}, "held_flags"),
    ],
)
def test_what_contradicts_another_cell_waits(value: str, beside: dict[str, Any], text: str) -> None:
    fields = {"measure": "X", "value": value, **beside}
    found = settle_value(fields)
    assert found is not None
    assert found.text == text
    assert fields["value"] == value


@pytest.mark.parametrize(
    ("value", "column", "becomes"),
    [
        ("1,65 m", "cm", ("1.65", "m")),
        ("1.65m", "cm", ("1.65", "m")),
        ("165 cm", "cm", ("165", "cm")),
        ("5,8 mmol/L", "mmol/L", ("5.8", "mmol/L")),
        ("65000 g", "kg", ("65000", "g")),
        ("5,8 g/L", "mmol/L", ("5,8 g/L", "mmol/L")),  # held: a person must look
        ("65.5 Kg", "kg", ("65.5", "kg")),
        ("161,5 CM", "cm", ("161.5", "cm")),
        ("5 mmol/l", "mmol/L", ("5", "mmol/L")),
        ("1,65 m", None, ("1,65 m", None)),
    ],
)
def test_a_unit_beside_the_number_is_taken_where_it_says_the_same(
    value: str, column: str | None, becomes: tuple[str, str | None]
) -> None:
    fields = {"measure": "M", "value": value, "unit": column}
    assert settle_value(fields) is None
    assert (fields["value"], fields["unit"]) == becomes
