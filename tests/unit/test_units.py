"""UCUM codes: what is one, what is commensurable, and conversions that lose and invent no digit."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.units.ucum import UcumError, commensurable, convert, parse_unit, scale


@pytest.mark.parametrize(
    "code",
    [
        *("1", "%", "10*9/L", "10^9/L", "/uL", "mm[Hg]", "m[H2O]", "kg/m2", "mL/min/{1.73_m2}", "{INR}"),
        *("[arb'U]/mL", "u[IU]/mL", "10*-6.mol", "cal_[20]", "daL", "dB", "B[SPL]", "[in_i'H2O]", "Cel"),
        *("umol/(8.h.kg)", "U/(10.g){feces}", "g{creat}", "/(12.h)", "ms-1", "m.s-2", "10.L/min", "KiBy"),
        *("mCel", "Cel{body}", "(Cel)", "[pH]", "K/min", "U/(18.h){x}", "mmol/(12.h){urine}", "cm99"),
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
        # special units take no part in products (https://ucum.org/ucum#para-21)
        *("Cel/min", "Cel2", "/Cel", "10.Cel", "m.Cel", "[pH]/L", "dB.s", "J/Cel", "m[degF]", "%[slope].m"),
        *("cm999999999", "10*99999", "m-100"),  # what would take for ever to work out
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
        ("2", "h", "min", "120"),
        ("7", "wk", "d", "49"),
        ("5.300", "h", "min", "318.0"),
        ("90", "min", "h", "1.5"),
        ("1", "[ft_i]", "m", "0.3048"),
        ("6", "[in_i]", "cm", "15.24"),
        ("72", "/min", "Hz", "1.2"),
        ("100", "min", "h", "1.667"),
        ("80", "mm[Hg]", "kPa", "10.7"),
        ("120", "mm[Hg]", "kPa", "16.00"),
        ("16.0", "kPa", "mm[Hg]", "120.0"),
        ("1234567", "[lb_av]", "kg", "559990.17"),
        ("5", "mm[Hg]", "Pa", "666.61"),
        ("7", "mo", "d", "213.1"),
        ("0", "mm[Hg]", "kPa", "0"),
        ("-2", "mm[Hg]", "kPa", "-0.27"),
        ("1" * 40, "mg", "g", "1" * 37 + "." + "1" * 3),  # longer than a decimal context
        ("1" * 40, "h", "min", "6" * 39 + "60"),
        ("98.6", "[degF]", "Cel", "37.0"),
        ("36.85", "Cel", "[degF]", "98.33"),
        ("99", "[degF]", "Cel", "37.2"),
        ("37", "Cel", "K", "310.15"),
        ("36600", "mCel", "Cel", "36.600"),
        ("36.6", "Cel", "mCel", "36600"),
        ("310150", "mK", "Cel", "37.000"),
        ("40", "pCel", "Cel", "0.000000000040"),
        ("4824.4", "Cel", "[degRe]", "3859.52"),
        ("80", "[degRe]", "Cel", "100"),
        ("3700", "cCel", "[degF]", "98.60"),
        ("10", "dB", "B", "1.0"),
    ],
)
def test_conversions_lose_and_invent_no_digit(value: str, unit: str, to: str, found: str) -> None:
    assert format(convert(Decimal(value), unit, to), "f") == found


@pytest.mark.parametrize(
    ("value", "ratio", "found"),
    [("1.2", "88.4", "106"), ("5.3", "18.0156", "95.5"), ("100", "0.01", "1.00"), ("7", "2.5", "18")],
)
def test_a_measured_ratio_gives_one_digit_more(value: str, ratio: str, found: str) -> None:
    assert format(scale(Decimal(value), Fraction(ratio)), "f") == found


@given(
    st.decimals("0.001", "99999", places=3),
    st.sampled_from(
        [("h", "s"), ("mm[Hg]", "kPa"), ("[lb_av]", "g"), ("Cel", "[degF]"), ("a", "h"), ("deg", "rad")]
    ),
)
def test_a_conversion_and_back_is_the_value_again(value: Decimal, units: tuple[str, str]) -> None:
    there = convert(value, *units)
    assert abs(convert(there, units[1], units[0]) - value) <= Decimal("0.0005")


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
