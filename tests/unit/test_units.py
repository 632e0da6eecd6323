"""UCUM codes: what is one, what is commensurable, and conversions that invent no digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.units.ucum import UcumError, commensurable, convert, parse_unit


@pytest.mark.parametrize(
    "code",
    [
        *("1", "%", "10*9/L", "10^9/L", "/uL", "mm[Hg]", "m[H2O]", "kg/m2", "mL/min/{1.73_m2}", "{INR}"),
        *("[arb'U]/mL", "u[IU]/mL", "10*-6.mol", "cal_[20]", "daL", "dB", "B[SPL]", "[in_i'H2O]", "Cel"),
        *("umol/(8.h.kg)", "U/(10.g){feces}", "g{creat}", "/(12.h)", "ms-1", "m.s-2", "10.L/min", "KiBy"),
    ],
)
def test_what_is_ucum(code: str) -> None:
    assert parse_unit(code)


@pytest.mark.parametrize(
    "code",
    [
        *(
            "",
            " ",
            "mmol/l/",
            "mmHg",
            "umol\u00b7L",
            "\u00b5mol/L",
            "mg/dl ",
            "mol//L",
            "k%",
            "kk",
            "(g",
        ),
        *("g)", "m2m", "{a", "a}b", "0", "g.", "2..3", "[IU", "IU/mL", "m" * 65, "gg{a}{b}"),
    ],
)
def test_what_is_not_ucum(code: str) -> None:
    with pytest.raises(UcumError):
        parse_unit(code)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("mg/dL", "g/L", True),
        ("mg/dL", "mmol/L", False),
        ("mmol/L", "10*9/L", False),  # by UCUM's own table the mole is a number
        ("meq/L", "mmol/L", False),
        ("[IU]/mL", "m[IU]/L", True),
        ("[IU]/mL", "[arb'U]/mL", False),
        ("U/L", "nkat/L", True),
        ("mm[Hg]", "kPa", True),
        ("Cel", "[degF]", True),
        ("l", "dm3", True),
        ("K/uL", "10*9/L", False),  # kelvin
        ("G/L", "10*9/L", False),  # gauss
    ],
)
def test_what_is_commensurable(one: str, two: str, same: bool) -> None:
    assert commensurable(one, two) is same


@pytest.mark.parametrize(
    ("value", "unit", "to", "found"),
    [
        ("100", "mg/dL", "g/L", "1.00"),
        ("5.30", "mmol/L", "umol/L", "5300"),
        ("0.088", "mmol/L", "umol/L", "88"),
        ("120", "mm[Hg]", "kPa", "16.0"),
        ("16.0", "kPa", "mm[Hg]", "120"),
        ("98.6", "[degF]", "Cel", "37.0"),
        ("36.85", "Cel", "[degF]", "98.33"),
        ("6", "[in_i]", "cm", "20"),
        ("72", "/min", "Hz", "1.2"),
        ("0", "mm[Hg]", "kPa", "0"),
        ("-2", "mm[Hg]", "kPa", "-0.3"),
    ],
)
def test_conversions_invent_no_digit(value: str, unit: str, to: str, found: str) -> None:
    assert format(convert(Decimal(value), unit, to), "f") == found


def test_mass_is_not_substance() -> None:
    with pytest.raises(UcumError):
        convert(Decimal(5), "mmol/L", "mg/dL")


@given(st.text(max_size=70))
def test_any_text_is_a_code_or_an_error(text: str) -> None:
    try:
        parse_unit(text)
    except UcumError:
        return
    assert text.isascii()


@given(st.decimals("-99999", "99999", places=3), st.sampled_from(["g/L", "mg/L", "ng/mL", "ug/dL"]))
def test_powers_of_ten_come_back_digit_for_digit(value: Decimal, unit: str) -> None:
    assert format(convert(convert(value, "mg/dL", unit), unit, "mg/dL"), "f") == format(value, "f")
